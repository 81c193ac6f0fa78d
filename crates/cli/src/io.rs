//! What the command line touches of the machine it runs on: its streams, clock, chance, environment,
//! Ctrl-C, keyring and TPM. A test gives its own of each and runs every command in process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use protocol::secret::Entropy;
use protocol::time::Timestamp;

use crate::clock::{Clock, Pause, SystemClock};
use crate::failure::Failure;
use crate::keyring::{self, Keyring};
use crate::keys::Key;
use crate::print::{Escaped, Printer};
use crate::tpm::Tpm;

/// Looks up one variable.
pub type Environment = Box<dyn Fn(&str) -> Option<OsString> + Send>;

pub type Input = Box<dyn BufRead + Send>;

pub struct Io {
    pub input: Input,
    /// Somebody sits there who can be asked.
    pub input_is_terminal: bool,
    pub output: Printer,
    pub errors: Printer,
    pub clock: Arc<dyn Clock>,
    pub entropy: Box<dyn FnMut() -> Option<Entropy> + Send>,
    pub environment: Environment,
    /// Ends when Ctrl-C is pressed.
    pub interrupted: Box<dyn Fn() -> Pause<'static> + Send>,
    /// The keyring of this desktop, if there is one.
    pub keyring: Box<dyn Fn() -> Option<Box<dyn Keyring>> + Send>,
    /// The TPM of this machine, if there is one that this user may use.
    pub tpm: Box<dyn Fn() -> Option<Tpm> + Send>,
}

impl Io {
    pub fn of_this_process() -> Self {
        let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        Self {
            input_is_terminal: input.is_terminal(),
            input: Box::new(BufReader::new(input)),
            output: Printer::new(Box::new(std::io::stdout()), output.is_terminal()).coloured(wants_colours()),
            errors: Printer::new(Box::new(std::io::stderr()), errors.is_terminal()),
            clock: Arc::new(SystemClock),
            entropy: Box::new(crate::entropy::draw),
            environment: Box::new(|name| std::env::var_os(name)),
            interrupted: Box::new(|| Box::pin(ctrl_c())),
            keyring: Box::new(keyring::of_this_desktop),
            tpm: Box::new(Tpm::of_this_machine),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn draw(&mut self) -> Result<Entropy, Failure> {
        (self.entropy)().ok_or_else(|| Failure::failed("the system gives no random bytes"))
    }

    pub fn draw_key(&mut self) -> Result<Key, Failure> {
        Key::draw(&self.draw()?).ok_or_else(|| Failure::failed("no key could be made: try again"))
    }

    /// An absolute path in the environment; anything else counts as not set (XDG base directories).
    pub fn path(&self, variable: &str) -> Option<PathBuf> {
        (self.environment)(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Asks on standard error, so that standard output stays what a script wants. Ctrl-C and the like
    /// are heard meanwhile; whoever breaks this off has no input any more.
    pub async fn ask(&mut self, question: &str) -> String {
        self.errors.question(&Escaped::of(question));
        let (input, answer) = read_line(self.take_input()).await;
        self.input = input;
        answer.trim().to_owned()
    }

    pub fn take_input(&mut self) -> Input {
        std::mem::replace(&mut self.input, Box::new(std::io::empty()))
    }
}

/// One line, on a thread of its own: a terminal cannot be asked whether somebody has typed. With its line
/// break; empty at the end of input.
pub async fn read_line(mut input: Input) -> (Input, String) {
    let read = move || {
        let mut line = String::new();
        // What cannot be read ends like the input.
        let _ = input.read_line(&mut line);
        (input, line)
    };
    let nothing = || (Box::new(std::io::empty()) as Input, String::new());
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| nothing())
}

/// The convention of no-color.org.
fn wants_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // No handler could be installed: the default one still ends the process.
        std::future::pending::<()>().await;
    }
}
