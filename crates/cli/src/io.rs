//! What the command line touches of the machine it runs on: its streams, clock, chance, environment,
//! Ctrl-C and keyring. A test gives its own of each and runs every command in process.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use protocol::secret::Entropy;
use protocol::time::Timestamp;

use crate::clock::{Clock, Pause, SystemClock};
use crate::failure::Failure;
use crate::keyring::{self, Keyring};
use crate::print::{Escaped, Printer};

/// Looks up one variable.
pub type Environment = Box<dyn Fn(&str) -> Option<OsString> + Send>;

pub struct Io {
    pub input: Box<dyn BufRead + Send>,
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
}

impl Io {
    pub fn of_this_process() -> Self {
        let (input, output, errors) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        Self {
            input_is_terminal: input.is_terminal(),
            input: Box::new(BufReader::new(input)),
            output: Printer::new(Box::new(std::io::stdout()), output.is_terminal()),
            errors: Printer::new(Box::new(std::io::stderr()), errors.is_terminal()),
            clock: Arc::new(SystemClock),
            entropy: Box::new(crate::entropy::draw),
            environment: Box::new(|name| std::env::var_os(name)),
            interrupted: Box::new(|| Box::pin(ctrl_c())),
            keyring: Box::new(keyring::of_this_desktop),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn draw(&mut self) -> Result<Entropy, Failure> {
        (self.entropy)().ok_or_else(|| Failure::failed("the system gives no random bytes"))
    }

    /// An absolute path in the environment; anything else counts as not set (XDG base directories).
    pub fn path(&self, variable: &str) -> Option<PathBuf> {
        (self.environment)(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    }

    /// Asks on standard error, so that standard output stays what a script wants.
    pub fn ask(&mut self, question: &str) -> String {
        self.errors.question(&Escaped::of(question));
        let mut answer = String::new();
        // End of input is an empty answer.
        let _ = self.input.read_line(&mut answer);
        answer.trim().to_owned()
    }
}

async fn ctrl_c() {
    if tokio::signal::ctrl_c().await.is_err() {
        // No handler could be installed: the default one still ends the process.
        std::future::pending::<()>().await;
    }
}
