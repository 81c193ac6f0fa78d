//! How a command fails: what failed and why in one line, what to do in a second, and an exit code that
//! scripts can rely on.

use std::process::ExitCode;

use protocol::wire::ErrorBody;
use serde_json::json;

use crate::io::Io;
use crate::print::say;

/// The exit codes. 64 and 69 are those of sysexits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Done,
    Failed,
    /// The code is unknown, used or expired.
    UnknownCode,
    Throttled,
    Refused,
    Usage,
    /// No server, or it cannot be reached.
    Unreachable,
    /// Of a command that was run, or could not be: its own, or that of env(1).
    Of(u8),
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::UnknownCode => 3,
            Self::Throttled => 4,
            Self::Refused => 5,
            Self::Usage => 64,
            Self::Unreachable => 69,
            Self::Of(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Never holds a secret; may hold hostile text, which printing escapes.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// For programs: the `error` of an RFC where a server named one.
    pub error: String,
    pub what: String,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, error: &str, what: impl Into<String>) -> Self {
        Self {
            exit,
            error: error.to_owned(),
            what: what.into(),
            hint: None,
        }
    }

    pub fn failed(what: impl Into<String>) -> Self {
        Self::new(Exit::Failed, "failed", what)
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", what)
    }

    pub fn unreachable(what: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, "unreachable", what)
    }

    /// A server that may be asked again later.
    pub fn busy() -> Self {
        Self::new(Exit::Throttled, "busy", "the server is busy").hint("try again soon")
    }

    /// A server said no in the form of RFC 6749 §5.2.
    pub fn refusal(what: &str, body: &ErrorBody) -> Self {
        let exit = match body.error.as_str() {
            "unknown_code" | "expired_token" => Exit::UnknownCode,
            "rate_limited" => Exit::Throttled,
            _ => Exit::Refused,
        };
        let why = body.error_description.as_deref().unwrap_or(&body.error);
        Self::new(exit, &body.error, format!("{what}: {why}"))
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn print(&self, io: &mut Io, as_json: bool) {
        if as_json {
            let exit = self.exit.code();
            io.errors
                .json(&json!({"error": self.error, "message": self.what, "hint": self.hint, "exit": exit}));
            return;
        }
        say!(io.errors, "error: {}", self.what);
        if let Some(hint) = &self.hint {
            say!(io.errors, "hint: {hint}");
        }
    }
}
