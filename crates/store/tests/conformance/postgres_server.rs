//! A PostgreSQL server for tests: private socket, own data folder, fsync on, a fresh database per test. One
//! per test process, stopped when that process ends, however it ends. Needs the programs of PostgreSQL
//! installed; where they are absent says so past the capture of the test harness, and never in a whisper.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

pub struct PostgresServer {
    programs: PathBuf,
    directory: PathBuf,
    databases: AtomicU32,
    /// Its input is closed by the system at our end, which is what it waits for.
    _keeper: Child,
}

/// Runs the server until its input closes, then stops it and removes the directory.
const KEEPER: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=on -c max_connections=300 >"$2/log" 2>&1 &
read -r _
kill -INT $!
wait $!
rm -rf "$2"
"#;

impl PostgresServer {
    /// None if PostgreSQL is not installed, unless `WAYPASS_TESTS_COMPLETE=1` demands it.
    pub fn shared() -> Option<&'static Self> {
        static SERVER: OnceLock<Option<PostgresServer>> = OnceLock::new();
        let server = SERVER.get_or_init(|| {
            let server = programs().map(Self::start);
            if server.is_none() {
                // Not `eprintln`, which the test harness captures.
                let _ = std::io::stderr().write_all(b"\nSKIPPED ON POSTGRESQL: initdb and postgres were not found\n\n");
            }
            server
        });
        let demanded = std::env::var("WAYPASS_TESTS_COMPLETE").is_ok_and(|value| value == "1");
        assert!(
            server.is_some() || !demanded,
            "PostgreSQL is not installed, and WAYPASS_TESTS_COMPLETE=1"
        );
        server.as_ref()
    }

    /// The URL of a new, empty database.
    pub fn fresh_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://postgres@/{name}?host={}", self.directory.display())
    }

    fn start(programs: PathBuf) -> Self {
        let directory = std::env::temp_dir().join(format!("waypass-postgres-{}", process::id()));
        // Of an earlier process with our id, whose keeper was killed too.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir(&directory).unwrap();
        let (user, group) = ordinary_user(&directory);
        chown(&directory, Some(user), Some(group)).unwrap();

        let initdb = Command::new(programs.join("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(directory.join("data"))
            .uid(user)
            .gid(group)
            .current_dir(&directory)
            .output()
            .unwrap();
        assert!(
            initdb.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&initdb.stderr)
        );

        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &directory])
            .uid(user)
            .gid(group)
            .current_dir("/")
            // Not ended together with us by the terminal, but by its input.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            programs,
            directory,
            databases: AtomicU32::new(0),
            _keeper: keeper,
        };
        server.wait();
        server
    }

    fn wait(&self) {
        for _ in 0..300 {
            if self.psql("postgres", "SELECT 1").status.success() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let mut log = String::new();
        let _ = fs::File::open(self.directory.join("log")).and_then(|mut file| file.read_to_string(&mut log));
        panic!("PostgreSQL did not start: {log}");
    }

    fn sql(&self, database: &str, sql: &str) {
        let output = self.psql(database, sql);
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn psql(&self, database: &str, sql: &str) -> process::Output {
        Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-U", "postgres", "-d", database, "-c", sql, "-h"])
            .arg(&self.directory)
            .output()
            .unwrap()
    }
}

/// Where `initdb`, `postgres` and `psql` are: on the path, or the newest of Debian's.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<_> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort_by_key(|bin| std::cmp::Reverse(version(bin)));
    let complete = |bin: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|program| bin.join(program).is_file())
    };
    std::env::split_paths(&path).chain(debian).find(complete)
}

fn version(bin: &Path) -> u32 {
    let folder = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    folder.and_then(|name| name.parse().ok()).unwrap_or(0)
}

/// PostgreSQL refuses to run as root, so then it runs as whoever is there for that, or as nobody.
fn ordinary_user(own: &Path) -> (u32, u32) {
    let own = fs::metadata(own).unwrap();
    if own.uid() != 0 {
        return (own.uid(), own.gid());
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map_while(|id| id.parse().ok());
        Some((ids.next()?, ids.next()?))
    };
    find("postgres")
        .or_else(|| find("nobody"))
        .expect("an ordinary user to run PostgreSQL as")
}
