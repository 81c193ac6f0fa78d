//! Keys in a TPM 2.0, against swtpm: a TPM in software, started for each test on ports of its own.
#![cfg(feature = "tpm")]

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use cli::{Exit, Tpm};
use protocol::dpop::{NonceKey, NonceRule, ProofExpectation, verify};
use protocol::time::{Lifetime, Timestamp};

use crate::stub::{Seen, authorization_server, error, tokens};
use crate::world::{MemoryKeyring, World};

/// A TPM that has never been used. It ends with the test.
struct SoftwareTpm {
    process: Child,
    folder: PathBuf,
    address: String,
}

impl SoftwareTpm {
    /// `None` where swtpm is not installed, which fails where nothing may be left out.
    fn start(world: &World, name: &str) -> Option<Self> {
        let folder = world.folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        // Written when both ports are its own. That somebody answers there would not say who.
        let listens = folder.join("pid");
        for _ in 0..20 {
            let port = two_free_ports();
            let Ok(mut process) = Command::new("swtpm")
                .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
                .args(["--tpmstate", &format!("dir={}", folder.display())])
                .args(["--server", &format!("type=tcp,port={port},bindaddr=127.0.0.1")])
                .args(["--ctrl", &format!("type=tcp,port={},bindaddr=127.0.0.1", port + 1)])
                .args(["--pid", &format!("file={}", listens.display())])
                .stderr(Stdio::null())
                .spawn()
            else {
                let must_be_complete = std::env::var_os("WAYPASS_TESTS_COMPLETE").is_some();
                assert!(!must_be_complete, "swtpm is not installed");
                eprintln!("LEFT OUT: keys in a TPM, since swtpm is not installed");
                return None;
            };
            // Another process may have taken a port meanwhile: swtpm has ended then.
            while process.try_wait().unwrap().is_none() {
                if listens.exists() {
                    let address = format!("swtpm:host=127.0.0.1,port={port}");
                    return Some(Self {
                        process,
                        folder,
                        address,
                    });
                }
                std::thread::yield_now();
            }
        }
        panic!("swtpm does not start in {}", world.folder.display());
    }

    fn tpm(&self) -> Tpm {
        Tpm::at(&self.address).unwrap()
    }
}

impl Drop for SoftwareTpm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The address of the library names one port; the next one is the control channel.
fn two_free_ports() -> u16 {
    loop {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
}

/// As a server checks it: the thumbprint of the key that has signed.
fn proven(seen: &Seen, url: &str) -> String {
    let nonces = NonceKey::new(&[1; 32]);
    let htu = format!("{url}{}", seen.path);
    let expected = ProofExpectation {
        htm: "POST",
        htu: &htu,
        alias: None,
        access_token: None,
        nonce: NonceRule::Optional(&nonces),
    };
    let now = Timestamp::from_seconds(seen.proof().1["iat"].as_i64().unwrap());
    verify(&[seen.header("dpop").unwrap()], &expected, now)
        .unwrap()
        .thumbprint()
        .to_owned()
}

#[test]
fn a_key_of_the_tpm_signs_every_proof_and_nothing_stored_could() {
    let server = authorization_server(vec![
        error(400, "authorization_pending"),
        tokens("at-1", "rt-1"),
        tokens("at-2", "rt-2"),
    ]);
    let mut world = World::new();
    let Some(software) = SoftwareTpm::start(&world, "tpm") else {
        return;
    };
    world.tpm = Some(software.tpm());
    let ran = world.login(&server, &["--key-storage", "tpm"]).must(Exit::Done);
    assert!(ran.output.contains("TPM"), "{}", ran.output);
    world.clock.advance(Lifetime::from_seconds(600));
    assert_eq!(world.run(&["token"]).must(Exit::Done).output, "at-2\n");

    let status = world.run(&["status", "--json"]).json();
    assert_eq!(status[0]["key_storage"], "tpm");
    let seen = server.seen().into_iter().filter(|seen| seen.header("dpop").is_some());
    let thumbprints: Vec<_> = seen.map(|seen| proven(&seen, &server.url)).collect();
    assert_eq!(thumbprints.len(), 4);
    assert!(
        thumbprints
            .iter()
            .all(|thumbprint| *thumbprint == status[0]["key_thumbprint"])
    );
    let kept = world.credentials()["key"].clone();
    assert!(kept.get("d").is_none() && kept["tpm"]["private"].is_string(), "{kept}");
}

#[test]
fn a_stolen_copy_works_in_no_other_tpm_and_in_none() {
    let server = authorization_server(vec![tokens("at-1", "rt-1")]);
    let mut world = World::new();
    let (Some(own), Some(other)) = (SoftwareTpm::start(&world, "own"), SoftwareTpm::start(&world, "other")) else {
        return;
    };
    world.tpm = Some(own.tpm());
    world.login(&server, &[]).must(Exit::Done);
    let proof = ["token", "--dpop", "GET", "https://api.example"];
    world.run(&proof).must(Exit::Done);
    for (thiefs, why) in [(Some(other.tpm()), "does not take it"), (None, "none that can be used")] {
        world.tpm = thiefs;
        let ran = world.run(&proof).must(Exit::Failed);
        assert!(ran.errors.contains(why), "{}", ran.errors);
    }
}

#[test]
fn a_tpm_is_the_best_place_and_one_that_does_not_answer_is_passed_over_aloud() {
    let server = authorization_server(vec![tokens("at-1", "rt-1"), tokens("at-2", "rt-2")]);
    let mut world = World::new();
    world.keyring = Some(MemoryKeyring::default());
    let Some(software) = SoftwareTpm::start(&world, "tpm") else {
        return;
    };
    world.tpm = Some(software.tpm());
    let storage = |world: &World| world.run(&["status", "--json"]).json()[0]["key_storage"].clone();
    world.login(&server, &[]).must(Exit::Done);
    assert_eq!(storage(&world), "tpm");

    let gone = software.tpm();
    drop(software);
    let mut world = World::new();
    world.tpm = Some(gone);
    let ran = world.login(&server, &["--key-storage", "tpm"]).must(Exit::Failed);
    assert!(ran.errors.contains("makes no key"), "{}", ran.errors);
    let ran = world.login(&server, &[]).must(Exit::Done);
    assert!(ran.errors.contains("the TPM is not used"), "{}", ran.errors);
    assert_eq!(storage(&world), "file");
}
