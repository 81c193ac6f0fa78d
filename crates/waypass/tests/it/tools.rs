//! What the tests need beside cargo: where it is found, and how its absence is told.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Says on stderr itself, once a thing, what is missing: libtest hides what tests print. With
/// `WAYPASS_TESTS_COMPLETE=1` (scripts/test, CI) a test that cannot run has failed.
pub fn left_out(missing: &str, consequence: &str) {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let line = format!("LEFT OUT: {consequence}, for want of {missing}. scripts/test installs it.");
    assert!(std::env::var("WAYPASS_TESTS_COMPLETE").is_err(), "{line}");
    if SAID.lock().unwrap().insert(line.clone()) {
        let _ = writeln!(std::io::stderr(), "\n{line}");
    }
}

/// A program on the PATH.
pub fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// `tests/foreign`: the npm and PyPI programs.
pub fn foreign() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

/// Node.js with the locked packages installed.
pub fn node() -> Option<PathBuf> {
    let node = program(&["node", "nodejs"]).filter(|_| foreign().join("node_modules/openid-client").is_dir());
    if node.is_none() {
        left_out(
            "Node.js and `npm ci` in crates/waypass/tests/foreign",
            "the npm clients",
        );
    }
    node
}

/// Python with `requirements.txt` installed in `tests/foreign/.venv`.
pub fn python() -> Option<PathBuf> {
    let python = Some(foreign().join(".venv/bin/python")).filter(|file| file.is_file());
    if python.is_none() {
        left_out(
            "Python with crates/waypass/tests/foreign/requirements.txt in .venv there",
            "PyJWT and aiosmtpd",
        );
    }
    python
}
