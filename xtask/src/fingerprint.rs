//! Fingerprints: of what goes into the site, to leave out needless work, and of what comes out, to name its folder.
//!
//! They guard against staleness, not against an attacker, so the standard library's hasher is enough.

use std::{
    env, fs,
    hash::{DefaultHasher, Hasher},
    path::Path,
    time::UNIX_EPOCH,
};

use anyhow::{Context, Result};

use crate::workspace;

/// Grows by what is added to it.
#[derive(Default)]
pub struct Fingerprint(DefaultHasher);

impl Fingerprint {
    /// Adds a name and bytes; where one part ends and the next begins is part of the fingerprint.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            self.0.write_usize(part.len());
            self.0.write(part);
        }
    }

    /// Adds a file, or all files of a folder.
    pub fn add_path(&mut self, path: &Path) -> Result<()> {
        for (name, bytes) in read_tree(path)? {
            self.add(&name, &bytes);
        }
        Ok(())
    }

    /// Adds this very program: when xtask changes, what it makes may change too.
    pub fn add_builder(&mut self) -> Result<()> {
        let program = env::current_exe().and_then(fs::metadata).context("xtask can't look at itself")?;
        let changed = program.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        self.add("xtask", &changed.as_nanos().to_le_bytes());
        Ok(())
    }

    /// Sixteen hexadecimal digits.
    pub fn finish(&self) -> String {
        format!("{:016x}", self.0.finish())
    }
}

/// Every file at or below a path with its content, by its path relative to the workspace, in order of names.
///
/// A path that isn't there is an empty tree: `app/public` needn't exist.
pub fn read_tree(path: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    collect(path, &mut files)?;
    Ok(files)
}

fn collect(path: &Path, files: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let unreadable = || format!("{} can't be read", path.display());
    if path.is_dir() {
        let mut children: Vec<_> = fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .with_context(unreadable)?;
        children.sort();
        children.iter().try_for_each(|child| collect(child, files))?;
    } else if path.is_file() {
        let name = path.strip_prefix(workspace::root()).unwrap_or(path).to_string_lossy().into_owned();
        files.push((name, fs::read(path).with_context(unreadable)?));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[(&str, &[u8])]) -> String {
        let mut fingerprint = Fingerprint::default();
        parts.iter().for_each(|(name, bytes)| fingerprint.add(name, bytes));
        fingerprint.finish()
    }

    #[test]
    fn content_names_and_borders_all_count() {
        assert_eq!(of(&[("a", b"1")]), of(&[("a", b"1")]));
        assert_ne!(of(&[("a", b"1")]), of(&[("a", b"2")]));
        assert_ne!(of(&[("a", b"1")]), of(&[("b", b"1")]));
        assert_ne!(of(&[("a", b"1"), ("b", b"")]), of(&[("a", b""), ("b", b"1")]));
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty() {
        assert!(read_tree(Path::new("no/such/folder")).unwrap().is_empty());
    }
}
