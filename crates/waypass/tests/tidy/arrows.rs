//! Which crate of ours may know which, from `cargo metadata`: ARCHITECTURE.md's picture, kept true.

use std::process::Command;

use serde_json::Value;

use super::root;

const ARROWS: [(&str, &[&str]); 6] = [
    ("protocol", &[]),
    ("policy", &["protocol"]),
    ("store", &["protocol"]),
    ("cli", &["protocol"]),
    ("server", &["policy", "protocol", "store"]),
    ("waypass", &["cli", "server"]),
];

pub fn check(findings: &mut Vec<String>) {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() >= ARROWS.len(), "not all crates were found");
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ARROWS.iter().find(|(own, _)| *own == name) else {
            findings.push(format!("{name}: a new crate needs its place among the arrows"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            let (other, is_ours) = (dependency["name"].as_str().unwrap(), !dependency["path"].is_null());
            if is_ours && dependency["kind"] != "dev" && !allowed.contains(&other) {
                findings.push(format!("{name} depends on {other}: arrows point down only"));
            }
        }
    }
}
