//! What this machine is like, as far as that can be known; the rest is absent. It is stated only to a server that
//! asks for it, signed by the key of the profile: a claim. Elsewhere: what a server makes of it
//! (`protocol/posture.rs`), and a device management's word, which is a file (`--posture-jwt`).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aws_lc_rs::digest::{Context, SHA256};
use protocol::base64url;
use protocol::digest::hexadecimal;
use protocol::posture::{PARAMETER, Stated, TYPE};
use serde_json::json;

use crate::files;
use crate::io::Io;
use crate::keys::Key;

/// A minute is enough for one request and its answer.
const LIFETIME: i64 = 60;

/// Its posture, signed; `None` where it cannot be.
pub fn posture(io: &mut Io, key: &Key, issuer: &str) -> Option<String> {
    static PROGRAM: OnceLock<Option<String>> = OnceLock::new();
    let now = io.now().seconds();
    let stated = Stated {
        binary_sha256: PROGRAM.get_or_init(program).clone(),
        ..stated_below(Path::new("/"))
    };
    let claims = json!({
        "iss": key.thumbprint(), "aud": issuer, "iat": now, "exp": now + LIFETIME,
        "jti": base64url::encode(&io.draw().ok()?.0), PARAMETER: stated
    });
    key.jwt(&json!({"typ": TYPE, "alg": "ES256"}), &claims)
}

/// By the files of a system. Whether its screen locks none of them says.
fn stated_below(root: &Path) -> Stated {
    let text = |path: &str| files::read(&root.join(path)).ok().flatten();
    let (os, os_version) = text("etc/os-release")
        .or_else(|| text("usr/lib/os-release"))
        .map(|release| (value(&release, "ID"), value(&release, "VERSION_ID")))
        .or_else(|| {
            let version = text("System/Library/CoreServices/SystemVersion.plist")?;
            Some((Some("macos".to_owned()), product_version(&version)))
        })
        .unwrap_or_default();
    Stated {
        os,
        os_version,
        disk_encrypted: text("proc/self/mountinfo").and_then(|mounts| is_encrypted(root, &mounts)),
        root: text("proc/self/status").and_then(|status| runs_as_root(&status)),
        uptime_s: text("proc/uptime").and_then(|uptime| uptime.split('.').next()?.parse().ok()),
        ..Stated::default()
    }
}

/// os-release(5).
fn value(release: &str, name: &str) -> Option<String> {
    let mut values = release.lines().filter_map(|line| line.split_once('='));
    let (_, value) = values.find(|(own, _)| *own == name)?;
    let value = value.trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

fn product_version(plist: &str) -> Option<String> {
    let (_, after) = plist.split_once("<key>ProductVersion</key>")?;
    let (_, value) = after.split_once("<string>")?;
    Some(value.split_once("</string>")?.0.trim().to_owned())
}

/// proc(5): the second number is the effective one.
fn runs_as_root(status: &str) -> Option<bool> {
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    Some(users.split_whitespace().nth(1)? == "0")
}

/// Yes, or not known: a disk that this system does not encrypt may be encrypted below it.
fn is_encrypted(root: &Path, mounts: &str) -> Option<bool> {
    let is_root = |line: &&str| line.split(' ').nth(4) == Some("/");
    let (_, filesystem) = mounts.lines().rev().find(is_root)?.split_once(" - ")?;
    let source = filesystem.split(' ').nth(1)?.strip_prefix('/')?;
    let device = std::fs::canonicalize(root.join(source)).ok()?;
    let block = root.join("sys/class/block").join(device.file_name()?);
    lies_on_encryption(&block, 0).then_some(true)
}

/// A block device is encrypted, or every one that it lies on is (a volume of LVM, a mirror).
fn lies_on_encryption(block: &Path, depth: u8) -> bool {
    // Of what device-mapper calls CRYPT, integrity and verity hide nothing.
    const HIDING: [&str; 4] = ["CRYPT-LUKS", "CRYPT-PLAIN", "CRYPT-TCRYPT", "CRYPT-BITLK"];
    const DEEPEST: u8 = 8;
    let uuid = files::read(&block.join("dm/uuid")).ok().flatten().unwrap_or_default();
    if HIDING.iter().any(|kind| uuid.starts_with(kind)) {
        return true;
    }
    let slaves = std::fs::read_dir(block.join("slaves"));
    let slaves: Vec<PathBuf> = slaves
        .into_iter()
        .flatten()
        .flatten()
        .map(|slave| slave.path())
        .collect();
    depth < DEEPEST && !slaves.is_empty() && slaves.iter().all(|slave| lies_on_encryption(slave, depth + 1))
}

/// Of this very program, even where its file was replaced since it began.
fn program() -> Option<String> {
    let running = File::open("/proc/self/exe");
    let mut file = running.or_else(|_| File::open(std::env::current_exe()?)).ok()?;
    let mut context = Context::new(&SHA256);
    let mut part = vec![0; 64 * 1024];
    loop {
        match file.read(&mut part).ok()? {
            0 => break,
            count => context.update(part.get(..count)?),
        }
    }
    Some(hexadecimal(context.finish().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine(PathBuf);

    impl Machine {
        fn new(name: &str) -> Self {
            let root = std::env::temp_dir().join(format!("waypass-posture-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&root).unwrap();
            Self(root)
        }

        fn file(&self, path: &str, text: &str) -> &Self {
            let path = self.0.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
            self
        }

        fn mounted(&self, source: &str) -> &Self {
            self.file(
                "proc/self/mountinfo",
                &format!("30 1 253:0 / / rw - ext4 {source} rw\n"),
            )
        }
    }

    impl Drop for Machine {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_machine_states_what_its_files_say_and_nothing_else() {
        let machine = Machine::new("linux");
        assert_eq!(stated_below(&machine.0), Stated::default());
        machine
            .file("etc/os-release", "NAME=x\nID=debian\nVERSION_ID=\"12\"\n")
            .file("proc/uptime", "354.21 1200.00\n")
            .file("proc/self/status", "Name:\twaypass\nUid:\t1000\t0\t1000\t1000\n")
            .mounted("/dev/vda1");
        let stated = stated_below(&machine.0);
        let expected = Stated {
            os: Some("debian".to_owned()),
            os_version: Some("12".to_owned()),
            root: Some(true),
            uptime_s: Some(354),
            ..Stated::default()
        };
        assert_eq!(stated, expected);
        machine
            .file("etc/os-release", "ID=arch\n")
            .file("proc/self/status", "Uid:\t0\t1000\t0\t0\n");
        let stated = stated_below(&machine.0);
        assert_eq!((stated.os_version, stated.root), (None, Some(false)));
    }

    #[test]
    fn macos_is_known_by_its_plist() {
        let machine = Machine::new("macos");
        let plist = "<dict><key>ProductVersion</key>\n\t<string>14.6.1</string></dict>";
        machine.file("System/Library/CoreServices/SystemVersion.plist", plist);
        let stated = stated_below(&machine.0);
        assert_eq!(stated.os.as_deref(), Some("macos"));
        assert_eq!(stated.os_version.as_deref(), Some("14.6.1"));
    }

    #[test]
    fn a_disk_is_encrypted_only_where_everything_below_is() {
        let encrypted = |name: &str, uuids: &[(&str, &str)]| {
            let machine = Machine::new(name);
            machine.file("dev/dm-0", "").mounted("/dev/dm-0");
            for (device, uuid) in uuids {
                machine.file(&format!("sys/class/block/{device}/dm/uuid"), uuid);
            }
            stated_below(&machine.0).disk_encrypted
        };
        assert_eq!(encrypted("luks", &[("dm-0", "CRYPT-LUKS2-1234-root\n")]), Some(true));
        assert_eq!(encrypted("verity", &[("dm-0", "CRYPT-VERITY-1234-root\n")]), None);
        assert_eq!(encrypted("none", &[]), None);
        let lvm = ("dm-0", "LVM-1234\n");
        let luks = ("dm-0/slaves/dm-1", "CRYPT-LUKS2-1234\n");
        assert_eq!(encrypted("lvm", &[lvm]), None);
        assert_eq!(encrypted("lvm on luks", &[lvm, luks]), Some(true));
        let plain = ("dm-0/slaves/dm-2", "LVM-5678\n");
        assert_eq!(encrypted("half", &[lvm, luks, plain]), None);
    }

    #[test]
    fn the_program_is_named_by_its_digest() {
        let program = program().unwrap();
        assert_eq!(program.len(), 64);
        assert!(
            program
                .bytes()
                .all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
        );
    }
}
