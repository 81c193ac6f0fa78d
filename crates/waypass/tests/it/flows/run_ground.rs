//! What a command stands on is what it would stand on without us: its terminal, its input, its signals, its limits.

use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::chance::until;
use crate::process::{run, signal};
use crate::running::Desk;
use crate::tools;
use crate::world::World;

on_one!(
    a_command_starts_on_the_same_ground_as_without_us,
    standard_input_arrives_byte_by_byte,
    a_command_under_nohup_is_not_hung_up,
    at_a_terminal_a_command_is_interrupted_stopped_and_brought_back,
    a_terminal_that_goes_takes_the_command_along_and_its_grant,
    a_script_runs_as_the_kernel_would_run_it,
    a_program_that_lends_its_owners_rights_is_not_copied,
);

const PATIENCE: Duration = Duration::from_mins(1);

/// Folder, limits, descriptors, group and session, signals (of those the C library has two to itself), rights.
const GROUND: &str = "pwd; umask; ulimit -a; id; ls /proc/self/fd; cut -d' ' -f5,6,19 /proc/self/stat
    echo $(( 0x$(sed -n 's/^SigIgn:.//p' /proc/self/status) & 0x7fffffff ))
    grep -E '^(SigBlk|ShdPnd|Cap|NoNewPrivs|Seccomp)' /proc/self/status";

async fn a_command_starts_on_the_same_ground_as_without_us(world: &World) {
    let desk = Desk::new(world, None).await;
    let argv = ["sh", "-c", GROUND];
    let plain = run(desk.program("sh").args(["-c", GROUND])).await.expect_code(0);
    let (asked, code) = desk.ask("run", &[], &argv).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    assert_eq!((ended.code, ended.stdout), (0, plain.stdout), "{}", ended.said);
}

async fn standard_input_arrives_byte_by_byte(world: &World) {
    let desk = Desk::new(world, None).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (mut asked, code) = desk.ask("run", &[], &["sha256sum"]).await;
    // More than a pipe holds, and some of it before anybody has decided.
    let mut input = asked.input.take().unwrap();
    let sent = bytes.clone();
    let sending = tokio::spawn(async move { input.write_all(&sent).await });
    world.approve(&code).await;
    let ended = asked.ended().await;
    sending.await.unwrap().unwrap();
    let digest = protocol::digest::hexadecimal(&Sha256::digest(&bytes));
    assert_eq!(
        (ended.code, ended.stdout),
        (0, format!("{digest}  -\n")),
        "{}",
        ended.said
    );
}

async fn a_command_under_nohup_is_not_hung_up(world: &World) {
    let desk = Desk::new(world, None).await;
    let argv = ["sh", "-c", "echo ready; read line; exit 7"];
    let mut command = desk.program("nohup");
    command
        .arg(desk.home.join("waypass"))
        .args(desk.words("run", &["--json"], &argv));
    let (mut asked, code) = desk.start(command).await;
    signal("HUP", asked.child.id().unwrap()).await;
    world.approve(&code).await;
    let started = asked.event("started").await["pid"].as_u64().unwrap();
    assert_eq!(asked.line().await, "ready");
    for process in [asked.child.id().unwrap(), started.try_into().unwrap()] {
        signal("HUP", process).await;
    }
    assert_eq!(asked.ended().await.code, 7);
}

/// A shell with a terminal of its own, and somebody who types there.
struct Typist {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    /// What nobody has looked for yet.
    shown: String,
}

impl Typist {
    fn at(mut shell: Command) -> Self {
        let mut child = shell.spawn().unwrap();
        Self {
            keys: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            child,
            shown: String::new(),
        }
    }

    async fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).await.unwrap();
    }

    /// What is asked for there.
    async fn is_approved(&mut self, world: &World) {
        self.sees(r#""user_code":""#).await;
        let code = self.sees("\"").await;
        world.remember(&code);
        world.approve(&code).await;
    }

    /// What stands before it.
    async fn sees(&mut self, text: &str) -> String {
        let reading = tokio::time::timeout(PATIENCE, async {
            let mut part = [0; 4096];
            while !self.shown.contains(text) {
                let length = self.screen.read(&mut part).await.unwrap();
                assert_ne!(length, 0, "no {text:?}: {}", self.shown);
                self.shown += &String::from_utf8_lossy(&part[..length]);
            }
        });
        let read = reading.await.is_ok();
        assert!(read, "no {text:?} in time: {}", self.shown);
        let (before, after) = self.shown.split_once(text).unwrap();
        let (before, after) = (before.to_owned(), after.to_owned());
        self.shown = after;
        before
    }
}

const TALK: &str = r#"#!/bin/sh
trap 'echo interrupted' INT
trap 'echo back' CONT
test -t 0 && test -t 1 && test -t 2 && echo "ready in $(stty size)"
while :; do
    read -r line && echo "got $line"
    [ "$line" = end ] && exit 7
done
"#;

async fn at_a_terminal_a_command_is_interrupted_stopped_and_brought_back(world: &World) {
    if tools::program(&["script"]).and(tools::program(&["bash"])).is_none() {
        return tools::left_out("script and bash", "a command at a terminal");
    }
    let desk = Desk::new(world, None).await;
    let talk = desk.script("talk", TALK);
    let mut shell = desk.program("script");
    shell.args([
        "-qefc",
        "stty rows 33 cols 222; exec bash --norc --noprofile -i",
        "/dev/null",
    ]);
    let mut typist = Typist::at(shell);
    let words = desk.words("run", &["--json"], &[&talk]).join(" ");
    typist.types(&format!("./waypass {words}\n")).await;
    typist.is_approved(world).await;
    typist.sees("ready in 33 222").await;

    typist.types("\x03").await;
    typist.sees("interrupted").await;
    typist.types("once\n").await;
    let between = typist.sees("got once").await;
    assert!(!between.contains("interrupted"), "twice: {between}");

    typist.types("\x1a").await;
    typist.sees("Stopped").await;
    // Whoever types before the prompt is there types for nobody.
    typist.sees("$ ").await;
    typist.types("fg\n").await;
    typist.sees("back").await;
    typist.types("again\n").await;
    typist.sees("got again").await;
    typist.types("end\n").await;
    typist.sees("$ ").await;
    typist.types("echo \"code $?\"\n").await;
    typist.sees("code 7").await;
    typist.types("exit\n").await;
    typist.child.wait().await.unwrap();
}

/// As in a window, or over SSH, that was opened for this one command.
async fn a_terminal_that_goes_takes_the_command_along_and_its_grant(world: &World) {
    if tools::program(&["script"]).is_none() {
        return tools::left_out("script", "a command at a terminal");
    }
    let desk = Desk::new(world, None).await;
    let farewell = "#!/bin/sh\ntrap 'echo gone > farewell; exit 3' HUP\necho ready\nwhile :; do sleep 0.05; done\n";
    let program = desk.script("program", farewell);
    let words = desk.words("run", &["--json"], &[&program]).join(" ");
    let mut terminal = desk.program("script");
    terminal.args(["-qefc", &format!("exec ./waypass {words}"), "/dev/null"]);
    let mut typist = Typist::at(terminal);
    typist.is_approved(world).await;
    typist.sees("ready").await;
    typist.child.kill().await.unwrap();
    until("the command is told", PATIENCE, async || {
        std::fs::read(desk.home.join("farewell")).ok()
    })
    .await;
    until("the grant ends", PATIENCE, async || {
        let grant = world.exported_grant(&desk.client).await;
        (grant["ended_because"] == "revoked_by_client").then_some(())
    })
    .await;
}

async fn a_script_runs_as_the_kernel_would_run_it(world: &World) {
    let desk = Desk::new(world, None).await;
    let inner = desk.script("inner", "#!/bin/sh\nshift 2; echo \"inner: $# $*\"\n");
    for first_line in [
        "#!/bin/sh -e",
        "#! /bin/sh",
        "#!/usr/bin/env sh",
        "#!/usr/bin/env -S sh -e",
        &format!("#!{inner} and more"),
    ] {
        let script = desk.script(
            "script",
            &format!("{first_line}\nprintf '<%s>' $# \"$@\"; false\nexit 9\n"),
        );
        let words = ["one", "two three", "", "--", "-x", "*"];
        let plain = run(desk.program(&script).args(words)).await;
        let (asked, code) = desk.ask("run", &[], &[&[&*script], &words[..]].concat()).await;
        world.approve(&code).await;
        let ended = asked.ended().await;
        assert_eq!((ended.code, ended.stdout), (plain.code, plain.stdout), "{first_line}");
    }
    let own = desk.home.join("script").display().to_string();
    for (text, code) in [
        ("", 126),
        ("echo no first line\n", 126),
        ("#!\n", 126),
        ("#!/nonexistent/interpreter\n", 127),
        (&*format!("#!{own}\n"), 126),
    ] {
        let script = desk.script("script", text);
        let refused = run(&mut desk.command("run", &[], &[&script])).await;
        assert_eq!(refused.code, code, "{text:?}: {}", refused.stderr);
    }
    // What only the kernel knows to be no program: it was approved, and its grant ends with that.
    let broken = desk.script("broken", "\x7fELF and no more");
    let (asked, code) = desk.ask("run", &[], &[&broken]).await;
    world.approve(&code).await;
    let ended = asked.ended().await;
    assert_eq!(
        (ended.code, &ended.event["grant_ended"]),
        (126, &true.into()),
        "{}",
        ended.said
    );
}

async fn a_program_that_lends_its_owners_rights_is_not_copied(world: &World) {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new(world, None).await;
    let lending = desk.script("lending", "");
    std::fs::copy(tools::program(&["true"]).unwrap(), &lending).unwrap();
    std::fs::set_permissions(&lending, PermissionsExt::from_mode(0o4755)).unwrap();
    let refused = run(&mut desk.command("run", &[], &[&lending])).await.expect_code(126);
    assert!(refused.stderr.contains("its owner's rights") && refused.stderr.contains("--in-place"));
    let (asked, code) = desk.ask("run", &["--in-place"], &[&lending]).await;
    world.approve(&code).await;
    assert_eq!(asked.ended().await.code, 0);
}
