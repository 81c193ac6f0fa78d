//! The command itself: started from what is held, in our place at the terminal, and waited for.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use rustix::process::{DumpableBehavior, Pid, PidfdFlags, pidfd_open, set_dumpable_behavior};

use super::program::{Program, unusable};
use super::signals::{Caught, PassingOn};
use crate::failure::{Exit, Failure};

/// From here on nobody but root reads this process: not its memory, not its environment, not what it has open.
/// PR_SET_DUMPABLE(2const).
pub fn hide() -> Result<(), Failure> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(|error| Failure::failed(format!("this process cannot be hidden from others: {error}")))
}

/// What it gets of our environment.
pub enum Environment {
    /// All but what loads code into programs.
    Inherited,
    Only(Vec<(String, OsString)>),
}

pub struct Child {
    child: tokio::process::Child,
    _signals: Option<PassingOn>,
}

impl Child {
    pub fn start(program: &Program, environment: &Environment, more: &[(String, OsString)]) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| unusable(&program.executable.path, &error);
        program.must_be_unchanged()?;
        let start = program.start().map_err(failed)?;
        let mut command = Command::new(&start.file);
        let mut arguments = start.arguments.iter();
        command
            .arg0(arguments.next().map_or(OsStr::new(""), |first| first))
            .args(arguments);
        environment.give(&mut command);
        command.envs(more.iter().map(|(name, value)| (name, value)));
        let caught = Caught::new().map_err(failed)?;
        let child = tokio::process::Command::from(command).spawn().map_err(failed)?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let descriptor = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        let signals = descriptor.and_then(|descriptor| caught.pass_on(descriptor).ok());
        Ok(Self {
            child,
            _signals: signals,
        })
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    pub async fn ended(&mut self) -> Result<Exit, Failure> {
        let status = self.child.wait().await;
        status
            .map(|status| Exit::Of(code(status)))
            .map_err(|error| Failure::failed(format!("the command cannot be waited for: {error}")))
    }
}

/// As shells have it.
fn code(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map(|signal| 128 + signal);
    let code = status.code().or_else(of_signal).unwrap_or(255);
    u8::try_from(code).unwrap_or(255)
}

impl Environment {
    fn give(&self, command: &mut Command) {
        match self {
            Self::Inherited => {
                let names = std::env::vars_os().map(|(name, _)| name);
                for name in names.filter(|name| loads_code(name)) {
                    command.env_remove(name);
                }
            }
            Self::Only(variables) => {
                command.env_clear();
                command.envs(variables.iter().map(|(name, value)| (name, value)));
            }
        }
        // Those of a run that this one is inside of.
        command.env_remove("WAYPASS_ENDPOINT").env_remove("WAYPASS_SECRET");
    }
}

/// What the dynamic loader obeys, and ignores for programs that run with other rights (ld.so(8)).
fn loads_code(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"LD_") || name == b"GLIBC_TUNABLES"
}
