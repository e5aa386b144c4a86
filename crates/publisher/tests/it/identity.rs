//! The node's name and key: made once, kept, and shown to nobody.

use std::fs;

use publisher::identity::{Error, Identity};

#[test]
fn a_node_stays_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("identity");
    let first = Identity::open(&place).unwrap();
    let again = Identity::open(&place).unwrap();
    assert_eq!((&first.node, first.key()), (&again.node, again.key()));
    let read = Identity::read(&place.join("node"), &place.join("publisher.key")).unwrap();
    assert_eq!(read.key(), first.key());
    assert_eq!(fs::read_dir(&place).unwrap().count(), 2, "nothing is left over");
    let other = Identity::open(&folder.path().join("other")).unwrap();
    assert_ne!((&first.node, first.key()), (&other.node, other.key()));
    let name = |identity: &Identity| identity.pseudonym_key().pseudonym("http://10.0.0.3:9000");
    assert_eq!(name(&first), name(&again), "its pseudonyms survive a restart");
    assert_ne!(name(&first), name(&other));
}

#[test]
fn a_half_made_identity_is_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let first = Identity::open(place).unwrap();
    fs::remove_file(place.join("node")).unwrap();
    fs::write(place.join("node.new"), "torn").unwrap();
    let again = Identity::open(place).unwrap();
    assert_eq!(again.key(), first.key());
    assert_ne!(again.node, first.node);
}

#[test]
fn the_key_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::open(folder.path()).unwrap();
    let secret = fs::read_to_string(folder.path().join("publisher.key")).unwrap();
    assert_eq!(secret.trim().len(), 64);
    assert!(!format!("{identity:?}").contains(secret.trim()));
    assert_eq!(format!("{:?}", identity.pseudonym_key()), "PseudonymKey(..)");
    fs::write(folder.path().join("publisher.key"), format!("{}x", secret.trim())).unwrap();
    let failure = Identity::open(folder.path()).unwrap_err();
    assert!(matches!(failure, Error::Malformed { .. }));
    assert!(!format!("{failure} {failure:?}").contains(secret.trim()));
    fs::write(folder.path().join("node"), "not a uuid").unwrap();
    assert!(matches!(Identity::open(folder.path()), Err(Error::Malformed { .. })));
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    Identity::open(folder.path()).unwrap();
    let key = folder.path().join("publisher.key");
    let mode = fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (mode, is_fine) in
        [(0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o602, false)]
    {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let opened = Identity::open(folder.path());
        assert_eq!(opened.is_ok(), is_fine, "{mode:o}");
        if let Err(failure) = opened {
            assert!(matches!(failure, Error::Exposed { .. }));
        }
    }
}
