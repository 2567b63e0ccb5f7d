//! No file but a lock file says where packages are downloaded from: that is the reader's own setting.

use super::{Text, Violation};

const LOCK_FILES: [&str; 2] = ["Cargo.lock", "package-lock.json"];

const HOSTS: [&str; 5] = [
    concat!("crates", ".io"),
    concat!("registry.npmjs", ".org"),
    concat!("deb.debian", ".org"),
    concat!("files.pythonhosted", ".org"),
    concat!("pypi", ".org"),
];

/// Tells when a file names a host of a package registry.
pub fn violation(text: &Text) -> Option<Violation> {
    let host = HOSTS.iter().find(|host| text.text.contains(*host))?;
    let written_by_a_tool = LOCK_FILES.contains(&text.path.rsplit('/').next().unwrap_or_default());
    (!written_by_a_tool).then(|| Violation::new(&text.path, format!("don't name {host}; say what, not from where")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, host: &str) -> bool {
        violation(&Text { path: path.into(), text: format!("get it from https://{host}/x") }).is_some()
    }

    #[test]
    fn a_host_is_found_everywhere_but_in_lock_files() {
        for host in HOSTS {
            assert!(found("README.md", host), "{host}");
            assert!(!found("end2end/package-lock.json", host), "{host}");
        }
        assert!(!found("README.md", "example.com"));
    }
}
