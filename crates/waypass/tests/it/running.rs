//! `waypass run` as an ordinary user starts it: asked for, approved, with its streams in the test's hands. Where the tests
//! run as root, command line and command run as nobody, so that the system's own rules hold between the two.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use crate::http::{Answer, CLIENT};
use crate::process::waypass;
use crate::resource_server::ResourceServer;
use crate::server::Folder;
use crate::world::World;

const NOBODY: u32 = 65534;
const PATIENCE: Duration = Duration::from_mins(1);

/// Where somebody works: what is asked as, and a home.
pub struct Desk<'a> {
    pub world: &'a World,
    pub client: String,
    pub home: Folder,
    waypass: std::path::PathBuf,
}

/// One that was asked for.
pub struct Run {
    pub child: Child,
    pub input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    errors: Lines<BufReader<ChildStderr>>,
    pub endpoint: String,
    pub secret: String,
    /// What it said on standard error beside the events that were waited for.
    pub said: String,
    /// All that it told as data.
    pub told: Vec<Value>,
}

/// How one ended.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub said: String,
    pub event: Value,
    pub told: Vec<Value>,
}

pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0)
}

impl<'a> Desk<'a> {
    /// With a client that may use this resource.
    pub async fn new(world: &'a World, resource: Option<&ResourceServer>) -> Self {
        Self::at(world, resource.map(|resource| &*resource.url)).await
    }

    pub async fn at(world: &'a World, resource: Option<&str>) -> Self {
        Self::under(world, "open", resource).await
    }

    pub async fn under(world: &'a World, profile: &str, resource: Option<&str>) -> Self {
        let mut flags = vec!["--public", "--profile", profile, "--scope", "read offline_access"];
        flags.extend(["--details-type", "command", "--details-type", "api"]);
        flags.extend(resource.iter().flat_map(|resource| ["--resource", resource]));
        let client = world.client(&flags).await;
        let home = Folder::new();
        let program = home.join("waypass");
        let built = env!("CARGO_BIN_EXE_waypass");
        if std::fs::hard_link(built, &program).is_err() {
            std::fs::copy(built, &program).unwrap();
        }
        if is_root() {
            std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Self {
            world,
            client,
            home,
            waypass: program,
        }
    }

    /// An executable file of this user.
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.home.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        path.display().to_string()
    }

    /// `waypass COMMAND --server ... FLAGS -- ARGV`
    pub fn command(&self, command: &str, flags: &[&str], argv: &[&str]) -> Command {
        let mut own = self.program(&self.waypass);
        own.args(self.words(command, flags, argv));
        own
    }

    /// What stands after `waypass`.
    pub fn words(&self, command: &str, flags: &[&str], argv: &[&str]) -> Vec<String> {
        let mut words = vec![command, "--server", &self.world.server.issuer];
        words.extend(["--client-id", &self.client, "--key-storage", "file", "--no-qr"]);
        words.extend(flags);
        if !argv.is_empty() {
            words.push("--");
            words.extend(argv);
        }
        words.into_iter().map(str::to_owned).collect()
    }

    /// Any program, as this user, where they work.
    pub fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let plain = waypass();
        let mut own = Command::new(program);
        for (name, value) in plain.as_std().get_envs() {
            match value {
                Some(value) => own.env(name, value),
                None => own.env_remove(name),
            };
        }
        own.env("HOME", self.home.path()).current_dir(self.home.path());
        own.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        own.kill_on_drop(true);
        if is_root() {
            own.uid(NOBODY).gid(NOBODY);
        }
        own
    }

    /// Asked for, and the code that it shows.
    pub async fn ask(&self, command: &str, flags: &[&str], argv: &[&str]) -> (Run, String) {
        let flags = [&["--json"], flags].concat();
        self.start(self.command(command, &flags, argv)).await
    }

    pub async fn start(&self, mut command: Command) -> (Run, String) {
        let mut child = command.spawn().unwrap();
        let mut run = Run {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            errors: BufReader::new(child.stderr.take().unwrap()).lines(),
            child,
            endpoint: String::new(),
            secret: String::new(),
            said: String::new(),
            told: Vec::new(),
        };
        let asked = run.event("authorization_request").await;
        let code = asked["user_code"].as_str().unwrap().to_owned();
        self.world.remember(&code);
        (run, code)
    }

    /// Approved, and begun.
    pub async fn begun(&self, flags: &[&str], argv: &[&str]) -> Run {
        let (mut run, code) = self.ask("run", flags, argv).await;
        self.world.approve(&code).await;
        let started = run.event("started").await;
        started["endpoint"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut run.endpoint);
        run
    }

    /// The same with a command that waits for a line and tells its secret.
    pub async fn waiting(&self, flags: &[&str]) -> Run {
        let argv = ["sh", "-c", r#"echo "$WAYPASS_SECRET"; read line; exit 7"#];
        let mut run = self.begun(flags, &argv).await;
        run.secret = run.line().await;
        self.world.remember(&run.secret);
        run
    }
}

impl Run {
    /// The next of this name; others and plain lines go by.
    pub async fn event(&mut self, name: &str) -> Value {
        let found = tokio::time::timeout(PATIENCE, async {
            while let Some((line, event)) = self.told().await {
                if event["event"] == name {
                    return Some(event);
                }
                self.said += &format!("{line}\n");
            }
            None
        });
        let found = found
            .await
            .unwrap_or_else(|_| panic!("no {name} in time: {}", self.said));
        found.unwrap_or_else(|| panic!("no {name}: {}", self.said))
    }

    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    /// To its end, after whatever it waits for.
    pub async fn ended(mut self) -> Ended {
        drop(self.input.take());
        let mut stdout = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.output.read_to_end(&mut stdout)).await;
        read.expect("the output ends").unwrap();
        let mut event = Value::Null;
        while let Some((line, found)) = self.told().await {
            if found["event"] == "ended" {
                event = found;
            } else {
                self.said += &format!("{line}\n");
            }
        }
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        Ended {
            code: status.expect("it ends").unwrap().code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            said: self.said,
            event,
            told: self.told,
        }
    }

    /// The next line of standard error, and what it is as data.
    async fn told(&mut self) -> Option<(String, Value)> {
        let line = self.errors.next_line().await.unwrap()?;
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        if told.is_object() {
            self.told.push(told.clone());
        }
        Some((line, told))
    }

    /// As the command would, with its secret.
    pub async fn request(&self, method: &str, path: &str) -> Answer {
        Answer::to(self.with_secret(method, path)).await
    }

    pub fn with_secret(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let request = CLIENT.request(method.parse().unwrap(), format!("{}{path}", self.endpoint));
        request.header("Waypass-Run", &self.secret)
    }

    pub fn port(&self) -> u16 {
        self.endpoint.rsplit_once(':').unwrap().1.parse().unwrap()
    }
}
