//! Files held from the moment they are hashed: a sealed copy in memory, which nobody can change any more, or the file
//! in its place, by its descriptor. memfd_create(2), fcntl(2) on seals.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use protocol::digest::hexadecimal;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

/// How a file is kept from changing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Sealed,
    /// Not at all: it is compared again when it is used.
    InPlace,
}

pub struct Held {
    file: File,
    pub path: PathBuf,
    pub sha256: String,
    pub way: Way,
}

impl Held {
    pub fn of(path: &Path, way: Way) -> io::Result<Self> {
        let found = open(path)?;
        let file = match way {
            Way::Sealed => sealed(found, path)?,
            Way::InPlace => found,
        };
        Ok(Self {
            sha256: sha256(&file)?,
            path: path.to_owned(),
            file,
            way,
        })
    }

    /// What the kernel decides by how to start it; fewer bytes where the file is shorter.
    pub fn beginning(&self) -> io::Result<Vec<u8>> {
        const ENOUGH: u64 = 256;
        let mut file = &self.file;
        file.rewind()?;
        let mut beginning = Vec::new();
        file.take(ENOUGH).read_to_end(&mut beginning)?;
        Ok(beginning)
    }

    /// Runs with the rights of whoever owns it; a copy would not.
    pub fn lends_rights(&self) -> bool {
        const SET_UID_OR_GID: u32 = 0o6000;
        let mode = open(&self.path).and_then(|file| file.metadata());
        mode.is_ok_and(|found| found.mode() & SET_UID_OR_GID != 0)
    }

    /// The name under which this process and those that it starts open what is held.
    pub fn name(&self) -> OsString {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    /// What is started can open it too.
    pub fn hand_down(&self) -> io::Result<()> {
        Ok(fcntl_setfd(&self.file, FdFlags::empty())?)
    }

    /// Of a file in its place: it is still the one that the path leads to, with the bytes that were hashed.
    pub fn is_unchanged(&self) -> io::Result<bool> {
        if self.way == Way::Sealed {
            return Ok(true);
        }
        let (held, found) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        let is_same = (held.dev(), held.ino()) == (found.dev(), found.ino());
        Ok(is_same && sha256(&self.file)? == self.sha256)
    }
}

/// A pipe or a device has no digest.
fn open(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

fn sealed(mut found: File, path: &Path) -> io::Result<File> {
    let mut copy = File::from(memory(path)?);
    io::copy(&mut found, &mut copy)?;
    let all = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&copy, all)?;
    Ok(copy)
}

/// Executable where the kernel wants to be told so (Linux 6.3); older ones do not know the word.
fn memory(path: &Path) -> io::Result<OwnedFd> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    // The kernel takes 249 bytes.
    let name: Vec<u8> = name.iter().copied().take(200).collect();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create(name.as_slice(), flags | MemfdFlags::EXEC) {
        Err(Errno::INVAL) => Ok(memfd_create(name.as_slice(), flags)?),
        made => Ok(made?),
    }
}

fn sha256(mut file: &File) -> io::Result<String> {
    file.rewind()?;
    let mut context = Context::new(&SHA256);
    let mut part = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut part)?;
        match part.get(..count) {
            Some(read) if !read.is_empty() => context.update(read),
            _ => return Ok(hexadecimal(context.finish().as_ref())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("waypass-held-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_sealed_copy_is_what_was_hashed_whatever_becomes_of_the_file() {
        let path = file("sealed", "one");
        let held = Held::of(&path, Way::Sealed).unwrap();
        std::fs::write(&path, "two").unwrap();
        assert_eq!(std::fs::read(held.name()).unwrap(), b"one");
        assert!(held.is_unchanged().unwrap());
        for (what, tried) in [
            ("written", (&held.file).write(b"x").map(|_| ())),
            ("cut", held.file.set_len(0)),
            ("grown", held.file.set_len(4)),
            (
                "opened and written",
                std::fs::OpenOptions::new()
                    .write(true)
                    .open(held.name())
                    .and_then(|mut again| again.write_all(b"x")),
            ),
        ] {
            assert!(tried.is_err(), "it was {what}");
        }
        assert_eq!(sha256(&held.file).unwrap(), held.sha256);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_in_its_place_is_found_changed_or_replaced() {
        let path = file("in-place", "one");
        let held = Held::of(&path, Way::InPlace).unwrap();
        assert!(held.is_unchanged().unwrap());
        std::fs::write(&path, "two").unwrap();
        assert!(!held.is_unchanged().unwrap(), "changed");
        std::fs::write(&path, "one").unwrap();
        assert!(held.is_unchanged().unwrap());
        std::fs::rename(file("other", "one"), &path).unwrap();
        assert!(!held.is_unchanged().unwrap(), "replaced");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn only_regular_files_are_held() {
        for way in [Way::Sealed, Way::InPlace] {
            assert!(Held::of(Path::new("/dev/null"), way).is_err());
            assert!(Held::of(Path::new("/"), way).is_err());
            assert!(Held::of(Path::new("/nonexistent"), way).is_err());
        }
        let path = file("empty", "");
        assert_eq!(Held::of(&path, Way::Sealed).unwrap().sha256, EMPTY);
        std::fs::remove_file(path).unwrap();
    }
}
