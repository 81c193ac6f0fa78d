//! What the product prints for people and for scripts: no answer without a word, no secret in arguments.

use crate::process::{run, waypass};

#[test]
fn every_command_explains_itself() {
    crate::world::RUNTIME.block_on(async {
        for command in [
            &["--help"][..],
            &["serve", "--help"],
            &["check", "--help"],
            &["demo", "--help"],
            &["client", "add", "--help"],
            &["client", "list", "--help"],
            &["client", "set", "--help"],
            &["profile", "show", "--help"],
            &["group", "add", "--help"],
            &["instance", "add", "--help"],
            &["instance", "key", "--help"],
            &["instance", "rotate", "--help"],
            &["instance", "hand-over", "--help"],
            &["posture", "--help"],
            &["policy", "--help"],
            &["policy", "check", "--help"],
            &["policy", "test", "--help"],
            &["policy", "explain", "--help"],
            &["policy", "replay", "--help"],
            &["request", "report-code", "--help"],
            &["enroll", "--help"],
            &["approver", "add", "--help"],
            &["approver", "enroll", "--help"],
            &["approver", "relink", "--help"],
            &["request", "list", "--help"],
            &["grant", "show", "--help"],
            &["key", "rotate", "--help"],
            &["event", "tail", "--help"],
            &["approve", "--help"],
            &["deny", "--help"],
            &["show", "--help"],
            &["login", "--help"],
            &["token", "--help"],
            &["whoami", "--help"],
            &["status", "--help"],
            &["logout", "--help"],
        ] {
            let ran = run(waypass().args(command)).await.expect_code(0);
            assert!(ran.stdout.contains("Usage"), "{command:?}: {}", ran.stdout);
        }
    });
}

#[test]
fn a_wrong_command_line_is_exit_64_and_names_what_is_wrong() {
    crate::world::RUNTIME.block_on(async {
        for command in [
            &["no-such-command"][..],
            &["serve", "--no-such-flag"],
            &["approve"],
            &["client", "add"],
        ] {
            let ran = run(waypass().args(command)).await.expect_code(64);
            assert!(ran.stderr.len() > 20, "{command:?}: {}", ran.stderr);
        }
    });
}
