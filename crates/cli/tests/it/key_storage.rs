//! Where keys live: `--key-storage`, and files that others could read. TPMs are in `tpm.rs`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use cli::Exit;

use crate::stub::{authorization_server, tokens};
use crate::world::{MemoryKeyring, World};

fn storage(world: &World) -> String {
    let status = world.run(&["status", "--json"]).json();
    status[0]["key_storage"].as_str().unwrap().to_owned()
}

#[test]
fn the_best_place_is_taken_and_the_asked_for_one_where_it_is_asked_for() {
    let answers: Vec<_> = std::iter::repeat_n(tokens("at-1", "rt-1"), 5).collect();
    let server = authorization_server(answers);
    for (has_keyring, flags, expected) in [
        (true, &[][..], "keyring"),
        (false, &[], "file"),
        (true, &["--key-storage", "file"], "file"),
        (true, &["--key-storage", "keyring"], "keyring"),
    ] {
        let mut world = World::new();
        world.keyring = has_keyring.then(MemoryKeyring::default);
        world.login(&server, flags).must(Exit::Done);
        assert_eq!(storage(&world), expected, "{flags:?}");
        assert_eq!(world.credentials_file().exists(), expected == "file");
    }
}

#[test]
fn what_was_asked_for_and_is_not_there_makes_no_key() {
    let server = authorization_server(Vec::new());
    let broken = MemoryKeyring::default();
    broken.is_broken.store(true, std::sync::atomic::Ordering::SeqCst);
    for (keyring, wanted) in [(None, "keyring"), (Some(broken), "keyring"), (None, "tpm")] {
        let mut world = World::new();
        world.keyring = keyring;
        let ran = world.login(&server, &["--key-storage", wanted]).must(Exit::Failed);
        assert!(ran.errors.to_lowercase().contains(wanted), "{}", ran.errors);
        assert!(ran.errors.contains("--key-storage file") || ran.errors.contains("tpmrm0"));
        assert!(!world.credentials_file().exists());
    }
    assert!(server.seen_at("/device_authorization").is_empty());
}

#[test]
fn a_key_does_not_move() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let mut world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    world.keyring = Some(MemoryKeyring::default());
    let ran = world.login(&server, &["--key-storage", "keyring"]).must(Exit::Usage);
    assert!(ran.errors.contains("does not move"), "{}", ran.errors);
    world.login(&server, &["--key-storage", "file"]).must(Exit::Done);
    assert_eq!(storage(&world), "file");
}

#[test]
fn another_client_gets_another_key() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    world.run(&["login", "--client-id", "other"]).must(Exit::Done);
    let keys = server.seen_at("/device_authorization");
    assert_ne!(keys[0].proof().0["jwk"], keys[1].proof().0["jwk"]);
}

#[test]
fn a_key_that_others_could_read_is_not_used() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let world = World::new();
    world.login(&server, &[]).must(Exit::Done);
    let approver_key = world.path("alice.key");
    std::fs::write(&approver_key, "{}").unwrap();
    for mode in [0o640, 0o604, 0o610, 0o602] {
        std::fs::set_permissions(world.credentials_file(), Permissions::from_mode(mode)).unwrap();
        std::fs::set_permissions(&approver_key, Permissions::from_mode(mode)).unwrap();
        let approve = [
            "approve",
            "WDJB-MJHT",
            "--server",
            &server.url,
            "--key-file",
            &approver_key,
        ];
        for (words, exit) in [
            (&["token"][..], Exit::Failed),
            (&["login"], Exit::Failed),
            (&approve, Exit::Usage),
        ] {
            let ran = world.run(words).must(exit);
            assert!(ran.errors.contains("others than its owner"), "{}", ran.errors);
        }
    }
    std::fs::set_permissions(world.credentials_file(), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(world.run(&["token"]).must(Exit::Done).output, "at-1\n");
}
