//! Files with secrets: who else may read or change them, and whether they are what they seem.
//!
//! What a command made for itself it refuses when it isn't private any more. Of what operators mount or name, a link is usual (Kubernetes
//! mounts secrets as links), and so is a group that may read; that all others may is a warning.

use crate::Failure;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The rights of all but the owner.
pub const ANYBODY_ELSE: u32 = 0o077;
/// The rights of those who are neither the owner nor in the group.
pub const OTHERS: u32 = 0o007;
/// That they may write.
pub const OTHERS_WRITE: u32 = 0o002;
/// A folder in which people may remove only what is their own.
const STICKY: u32 = 0o1000;

/// What is wrong with a file, and the command that cures it.
#[derive(Debug)]
pub struct Exposed {
    /// What others can do with it.
    pub what: String,
    /// What to type.
    pub cure: String,
}

/// What is wrong with a file that gives some of these rights; `None` too when there is none, or no way to see it.
pub fn exposed(path: &Path, rights: u32) -> Option<Exposed> {
    let mode = path.metadata().ok()?.permissions().mode();
    let given = mode & rights;
    if given == 0 || mode & STICKY != 0 {
        return None;
    }
    let may = if given & 0o022 == 0 { "read" } else { "change" };
    let shown = mode & 0o777;
    Some(Exposed {
        what: format!("others can {may} {} (mode {shown:04o})", path.display()),
        cure: format!("chmod {} {}", cure(rights), path.display()),
    })
}

/// How chmod takes rights away.
fn cure(rights: u32) -> &'static str {
    match rights {
        ANYBODY_ELSE => "go=",
        OTHERS => "o=",
        _ => "o-w",
    }
}

/// Refuses a file that gives some of these rights, or is a link. One that isn't there is fine.
pub fn require_own(path: &Path, rights: u32) -> Result<(), Failure> {
    if path.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
        return Err(Failure::new("data", format!("{} is a link, which may lead anywhere", path.display()))
            .cure("put the file itself there"));
    }
    match exposed(path, rights) {
        None => Ok(()),
        Some(Exposed { what, cure }) => Err(Failure::new("data", what).cure(cure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions, write};

    #[test]
    fn a_secret_that_others_can_read_is_named_with_the_cure() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        write(&file, "x").unwrap();
        for (mode, rights, what) in [
            (0o600, ANYBODY_ELSE, None),
            (0o640, OTHERS, None),
            (0o640, ANYBODY_ELSE, Some("others can read ")),
            (0o644, OTHERS, Some("others can read ")),
            (0o602, OTHERS_WRITE, Some("others can change ")),
            (0o644, OTHERS_WRITE, None),
        ] {
            set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let found = exposed(&file, rights);
            assert_eq!(found.is_some(), what.is_some(), "{mode:o} {rights:o}: {found:?}");
            let said = found.map(|found| found.what).unwrap_or_default();
            assert!(said.starts_with(what.unwrap_or_default()), "{said}");
        }
        let failure = require_own(&file, ANYBODY_ELSE).map(drop);
        assert!(failure.unwrap_err().cure.unwrap().contains("chmod go= "));
        set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        require_own(&file, ANYBODY_ELSE).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(require_own(&link, ANYBODY_ELSE).unwrap_err().detail.contains("is a link"));
        require_own(&dir.path().join("missing"), ANYBODY_ELSE).unwrap();
    }
}
