//! Programs started by the tests: run to the end within a deadline, or kept until dropped. Each is ended
//! by its own process id.

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

/// No command of ours takes longer, on a loaded machine, in a debug build.
const DEADLINE: Duration = Duration::from_mins(1);

pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Fails with what the program said, unless it ended with this code.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

/// The binary under test, without whatever the caller's environment says about it.
pub fn waypass() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypass"));
    for (name, _) in std::env::vars() {
        if name.starts_with("WAYPASS_") || name.starts_with("XDG_") || name.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    // No desktop's keyring is the tests' to write into.
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    command
}

pub async fn run(command: &mut Command) -> Ran {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = command.spawn().unwrap();
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await;
    let output = output.unwrap_or_else(|_| panic!("not done within {DEADLINE:?}: {command:?}"));
    ran(&output.unwrap())
}

fn ran(output: &Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Sends a signal by name to one process.
pub async fn signal(name: &str, id: u32) {
    run(Command::new("kill").arg(format!("-{name}")).arg(id.to_string()))
        .await
        .expect_code(0);
}
