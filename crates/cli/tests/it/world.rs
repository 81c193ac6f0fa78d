//! The machine a command runs on: folders of its own, a clock that jumps, seeded chance, captured
//! streams, a keyring if the test wants one.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use clap::Parser;
use cli::{Clock, Command, Exit, Io, Keyring, Pause, Printer, Tpm};
use protocol::secret::Entropy;
use protocol::time::{Lifetime, Timestamp};
use tokio::sync::Notify;

use crate::stub::Stub;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// When every test begins: 2026-11-23.
pub const START: i64 = 1_795_411_800;

pub struct TestClock {
    now: AtomicI64,
    /// Deadlines pass only when a server has said that it hangs.
    hung: Arc<Notify>,
}

impl TestClock {
    pub fn advance(&self, time: Lifetime) {
        self.now.fetch_add(time.millis(), Ordering::SeqCst);
    }

    pub fn seconds(&self) -> i64 {
        self.now().seconds() - START
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn sleep(&self, time: Lifetime) -> Pause<'_> {
        Box::pin(async move { self.advance(time) })
    }

    fn deadline(&self, time: Lifetime) -> Pause<'_> {
        Box::pin(async move {
            self.hung.notified().await;
            self.advance(time);
        })
    }
}

#[derive(Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Captured {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[derive(Clone, Default)]
pub struct MemoryKeyring {
    pub items: Arc<Mutex<HashMap<String, String>>>,
    pub is_broken: Arc<AtomicBool>,
}

impl Keyring for MemoryKeyring {
    fn read(&self, account: &str) -> Result<Option<String>, String> {
        Ok(self.items.lock().unwrap().get(account).cloned())
    }

    fn write(&self, account: &str, text: &str) -> Result<(), String> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("locked".to_owned());
        }
        self.items.lock().unwrap().insert(account.to_owned(), text.to_owned());
        Ok(())
    }
}

pub struct World {
    pub folder: PathBuf,
    pub clock: Arc<TestClock>,
    pub keyring: Option<MemoryKeyring>,
    pub tpm: Option<Tpm>,
    /// What is typed; with it, standard input is a terminal.
    pub typed: Option<&'static str>,
    /// Whether standard output and error are a terminal.
    pub is_terminal: bool,
    /// Ctrl-C.
    pub interrupt: Arc<Notify>,
    seed: AtomicU8,
}

pub struct Ran {
    pub exit: Exit,
    pub output: String,
    pub errors: String,
}

impl Ran {
    pub fn everything(&self) -> String {
        format!("{}{}", self.output, self.errors)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.output).unwrap_or_else(|_| panic!("no JSON: {}", self.everything()))
    }

    #[track_caller]
    pub fn must(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "{}", self.everything());
        self
    }
}

impl World {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("waypass-cli-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            folder,
            clock: Arc::new(TestClock {
                now: AtomicI64::new(START * 1000),
                hung: Arc::default(),
            }),
            keyring: None,
            tpm: None,
            typed: None,
            is_terminal: false,
            interrupt: Arc::default(),
            seed: AtomicU8::new(0),
        }
    }

    /// Time-outs happen when this server hangs.
    pub fn with(server: &Stub) -> Self {
        let mut world = Self::new();
        let now = AtomicI64::new(START * 1000);
        world.clock = Arc::new(TestClock {
            now,
            hung: Arc::clone(&server.hung),
        });
        world
    }

    pub fn io(&self, output: &Captured, errors: &Captured) -> Io {
        let folder = self.folder.clone();
        let mut seed = self.seed.fetch_add(50, Ordering::SeqCst);
        let interrupt = Arc::clone(&self.interrupt);
        let (keyring, tpm) = (self.keyring.clone(), self.tpm.clone());
        Io {
            input: Box::new(Cursor::new(self.typed.unwrap_or_default())),
            input_is_terminal: self.typed.is_some(),
            output: Printer::new(Box::new(output.clone()), self.is_terminal),
            errors: Printer::new(Box::new(errors.clone()), self.is_terminal),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Box::new(move || {
                seed = seed.wrapping_add(1);
                Some(Entropy([seed.clamp(1, 200); 32]))
            }),
            environment: Box::new(move |name| match name {
                "XDG_CONFIG_HOME" => Some(folder.join("config").into()),
                "XDG_STATE_HOME" => Some(folder.join("state").into()),
                _ => None,
            }),
            interrupted: Box::new(move || {
                let interrupt = Arc::clone(&interrupt);
                Box::pin(async move { interrupt.notified().await })
            }),
            keyring: Box::new(move || keyring.clone().map(|keyring| Box::new(keyring) as Box<dyn Keyring>)),
            tpm: Box::new(move || tpm.clone()),
        }
    }

    pub fn run(&self, words: &[&str]) -> Ran {
        let line = Line::try_parse_from(["waypass"].iter().chain(words)).unwrap_or_else(|error| panic!("{error}"));
        let (output, errors) = (Captured::default(), Captured::default());
        let mut io = self.io(&output, &errors);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let exit = runtime.block_on(cli::run(line.command, &mut io));
        Ran {
            exit,
            output: output.text(),
            errors: errors.text(),
        }
    }

    pub fn login(&self, server: &Stub, more: &[&str]) -> Ran {
        let words = [
            "login",
            "--server",
            &server.url,
            "--client-id",
            "cli",
            "--scope",
            "openid read",
        ];
        self.run(&[&words, more].concat())
    }

    pub fn credentials_file(&self) -> PathBuf {
        self.folder.join("state/waypass/credentials/default.json")
    }

    pub fn credentials(&self) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.credentials_file()).unwrap()).unwrap()
    }

    /// Settings and credentials.
    pub fn everything_kept(&self) -> String {
        let settings = std::fs::read_to_string(self.folder.join("config/waypass/config.toml")).unwrap();
        settings + &self.credentials().to_string()
    }

    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Nothing but visible text and line ends.
#[track_caller]
pub fn is_harmless(text: &str) {
    let is_bad = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
    };
    assert!(!text.contains(is_bad), "{text:?}");
}
