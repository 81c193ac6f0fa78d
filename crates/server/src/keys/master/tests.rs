use super::*;
use crate::entropy::EntropySource;

/// A folder of its own for one test, removed when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = base64url::encode(&EntropySource::System.draw().0);
        let path = std::env::temp_dir().join(format!("waypass-keys-{name}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("key")
    }

    fn write(&self, text: &[u8], mode: u32) -> PathBuf {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
        self.file()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn key(byte: u8) -> MasterKey {
    MasterKey::from_entropy(&Entropy([byte; 32]))
}

fn fault(loaded: Result<MasterKey, KeyFault>) -> KeyFault {
    match loaded {
        Ok(_) => panic!("loaded"),
        Err(fault) => fault,
    }
}

#[test]
fn a_key_file_is_made_once_for_its_owner_alone_and_read_ever_after() {
    let folder = Folder::new();
    assert!(matches!(
        fault(MasterKey::load(&folder.file())),
        KeyFault::FileMissing(_)
    ));
    let made = MasterKey::load_or_create(&folder.file(), &Entropy([1; 32])).unwrap();
    let read = MasterKey::load_or_create(&folder.file(), &Entropy([2; 32])).unwrap();
    assert_eq!(made.0, read.0);
    assert_eq!(made.0, key(1).0);
    assert_eq!(fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "no draft stays behind");
}

#[test]
fn of_eight_nodes_that_start_at_once_all_have_one_key() {
    let folder = Folder::new();
    let path = folder.file();
    let values: Vec<_> = std::thread::scope(|scope| {
        let start = |byte| {
            let path = &path;
            scope.spawn(move || MasterKey::load_or_create(path, &Entropy([byte; 32])).unwrap().0)
        };
        let nodes: Vec<_> = (0..8).map(start).collect();
        nodes.into_iter().map(|node| node.join().unwrap()).collect()
    });
    assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
}

#[test]
fn a_key_file_that_others_may_read_is_refused() {
    let folder = Folder::new();
    let text = base64url::encode(&[1; 32]);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610] {
        let path = folder.write(text.as_bytes(), mode);
        let fault = fault(MasterKey::load(&path));
        assert!(
            matches!(fault, KeyFault::FileOpenToOthers(_, found) if found == mode),
            "{fault}"
        );
    }
    for mode in [0o600, 0o400] {
        assert!(MasterKey::load(&folder.write(text.as_bytes(), mode)).is_ok());
        fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_key_file_that_holds_no_key_is_refused_and_never_written_over() {
    let folder = Folder::new();
    let short = base64url::encode(&[1; 31]);
    let long = base64url::encode(&[1; 33]);
    for text in ["", "\n", "password", &short, &long, &"=".repeat(43)] {
        let path = folder.write(text.as_bytes(), 0o600);
        let fault = fault(MasterKey::load_or_create(&path, &Entropy([1; 32])));
        assert!(matches!(fault, KeyFault::FileMalformed(_)), "{fault}");
        assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
    }
    let path = folder.write(b"\xff\xfe", 0o600);
    assert!(matches!(fault(MasterKey::load(&path)), KeyFault::FileMalformed(_)));
}

#[test]
fn no_message_about_a_key_file_holds_what_is_in_it() {
    let folder = Folder::new();
    let path = folder.write(b"hunter2-hunter2", 0o600);
    let fault = fault(MasterKey::load(&path));
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
}

#[test]
fn a_sub_key_is_what_hkdf_expand_gives() {
    let prk = aws_lc_rs::hkdf::Prk::new_less_safe(aws_lc_rs::hkdf::HKDF_SHA256, &[7; 32]);
    let info = [Purpose::Sealing.info()];
    let mut expected = [0; 32];
    let okm = prk.expand(&info, aws_lc_rs::hkdf::HKDF_SHA256).unwrap();
    okm.fill(&mut expected).unwrap();
    assert_eq!(*key(7).sub_key(Purpose::Sealing), expected);
}

#[test]
fn every_purpose_has_a_key_of_its_own() {
    let purposes = [
        Purpose::Check,
        Purpose::ClientSecret,
        Purpose::DpopNonce,
        Purpose::PageToken,
        Purpose::Sealing,
        Purpose::UserCode,
    ];
    let keys: std::collections::BTreeSet<_> = purposes.map(|purpose| *key(1).sub_key(purpose)).into();
    assert_eq!(keys.len(), purposes.len());
}
