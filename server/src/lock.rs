//! One process per data folder: two would each publish and consume the same streams.

use anyhow::{Context as _, bail};
use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

/// A process that was killed holds its locks until the system has taken it apart: a supervisor that starts the next one
/// at once must not be turned away for that.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// Holds the folder until dropped, also by a crash: the operating system lets go of it.
#[derive(Debug)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl FolderLock {
    /// Takes the folder, making it when it is not there.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let path = folder.join("tramline.lock");
        let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
        bail!("{} is in use by another tramline; stop that one or choose another --data", folder.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_held_by_one_at_a_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let first = FolderLock::take(folder.path()).expect("it is free");
        assert!(FolderLock::take(folder.path()).is_err());
        drop(first);
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
