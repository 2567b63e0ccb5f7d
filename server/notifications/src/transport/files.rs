//! Mails as files, for a desk that needs no server: a folder that mail programs read (*Maildir*, Bernstein 1995).
//!
//! A mail's file has the mail's name. It is written beside, brought to the disk, and moved into place in one step, so however
//! often it is sent, there is one, and it is whole.

use super::TransportError;
use crate::{delivery::Outcome, letter::Letter};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};
use tramline_contract::MailId;

/// A folder of mails.
#[derive(Clone, Debug)]
pub struct Files {
    /// Where they are written.
    beside: PathBuf,
    /// Where they are once they are whole.
    place: PathBuf,
}

impl Files {
    /// Opens a folder, making it when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, TransportError> {
        for part in ["tmp", "new", "cur"] {
            fs::create_dir_all(folder.join(part)).map_err(|error| TransportError::Folder(folder.to_owned(), error))?;
        }
        Ok(Self { beside: folder.join("tmp"), place: folder.join("new") })
    }

    pub(crate) async fn deliver(&self, letters: Vec<Letter>) -> Vec<(MailId, Outcome)> {
        let ids: Vec<_> = letters.iter().map(|letter| letter.id).collect();
        let files = self.clone();
        let stored = tokio::task::spawn_blocking(move || files.store(&letters)).await.map_err(io::Error::other);
        // All of them are on the disk or none counts as sent: one that is already in place is put there again, unchanged.
        let outcome = match stored.and_then(|stored| stored) {
            Ok(()) => Outcome::Delivered,
            Err(error) => Outcome::NotTried(format!("the folder for mails takes none: {error}")),
        };
        ids.into_iter().map(|id| (id, outcome.clone())).collect()
    }

    fn store(&self, letters: &[Letter]) -> io::Result<()> {
        let named = |folder: &Path, letter: &Letter| folder.join(format!("{}.eml", letter.id));
        for letter in letters {
            fs::write(named(&self.beside, letter), &letter.bytes)?;
        }
        // One wait for the disk, whatever their number.
        rustix::fs::syncfs(File::open(&self.beside)?)?;
        for letter in letters {
            fs::rename(named(&self.beside, letter), named(&self.place, letter))?;
        }
        File::open(&self.place)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{letter, recipients::MailAddresses};
    use tramline_contract::{CustomerId, MailAbout, Money, OrderId, Version};
    use tramline_db::UtcMicros;
    use tramline_messages::notifications::NotifyCustomer;
    use uuid::Uuid;

    fn letter(order: u128) -> Letter {
        let told = NotifyCustomer {
            order_id: OrderId(Uuid::from_u128(order)),
            order_version: Version(2),
            customer_id: CustomerId(Uuid::from_u128(2)),
            about: MailAbout::Approved,
            total: Money::from_minor(12_50),
            reason: None,
        };
        letter::write(&told, UtcMicros(0), &MailAddresses::default()).expect("it is written")
    }

    #[tokio::test]
    async fn a_mail_that_is_sent_again_is_one_file_still() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Files::open(folder.path()).expect("it opens");
        for _ in 0..3 {
            let outcomes = files.deliver(vec![letter(1), letter(2)]).await;
            assert!(outcomes.iter().all(|(_, outcome)| *outcome == Outcome::Delivered), "{outcomes:?}");
        }
        let names = |part: &str| {
            let entries = fs::read_dir(folder.path().join(part)).expect("it reads");
            let mut names: Vec<_> =
                entries.map(|entry| entry.expect("it reads").file_name().into_string().expect("text")).collect();
            names.sort();
            names
        };
        assert_eq!(names("new"), [1, 2].map(|order| format!("{}.eml", letter(order).id)));
        assert!(names("tmp").is_empty());
        let file = folder.path().join("new").join(&names("new")[0]);
        assert_eq!(fs::read(file).expect("it reads"), letter(1).bytes);
    }

    #[tokio::test]
    async fn a_folder_that_takes_none_makes_mails_wait() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = Files::open(folder.path()).expect("it opens");
        fs::remove_dir_all(folder.path().join("tmp")).expect("it is removed");
        assert!(matches!(files.deliver(vec![letter(1)]).await[0].1, Outcome::NotTried(_)));
    }
}
