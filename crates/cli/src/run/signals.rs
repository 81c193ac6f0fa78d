//! Signals that come to us while a command runs, and are meant for it. signal(7), sigaction(2).

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::Poll;

use rustix::process::{Signal, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::exfiltrator::raw::WithRawSiginfo;
use signal_hook::iterator::{Handle, SignalsInfo};
use tokio::signal::unix::{SignalKind, signal};

const PASSED_ON: [i32; 7] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];

/// Caught from here on, so that none ends us while the command starts.
pub struct Caught(SignalsInfo<WithRawSiginfo>);

/// Until it is dropped.
pub struct PassingOn(Handle);

impl Caught {
    /// What was ignored when we were started is left so: the command inherits that (nohup(1)).
    pub fn new() -> io::Result<Self> {
        let ignored = ignored();
        let passed_on = PASSED_ON.iter().filter(|signal| !is_in(ignored, **signal));
        Ok(Self(SignalsInfo::new(passed_on)?))
    }

    pub fn pass_on(mut self, to: OwnedFd) -> io::Result<PassingOn> {
        let handle = self.0.handle();
        let leads_the_session = session(&own("stat")) == Some(std::process::id());
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for caught in self.0.forever() {
                // The terminal has told everybody in its foreground, and the command is there beside us. That it is gone it
                // tells the leader of its session alone, which we are where we were started in place of a shell.
                let is_ours_to_tell = leads_the_session && caught.si_signo == SIGHUP;
                let is_told = caught.si_code > 0 && !is_ours_to_tell;
                if let (Some(signal), false) = (Signal::from_named_raw(caught.si_signo), is_told) {
                    // A command that has ended needs none.
                    let _ = pidfd_send_signal(&to, signal);
                }
            }
        })?;
        Ok(PassingOn(handle))
    }
}

impl Drop for PassingOn {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Whether Ctrl-C is for us.
pub fn ignores_interrupts() -> bool {
    is_in(ignored(), SIGINT)
}

/// Of a command of our own, when somebody ends it who presses no keys: the exit code, as shells have it. Listens from the
/// call on. What was ignored stays ignored.
pub fn told_to_end() -> impl Future<Output = u8> {
    let told = [(SIGHUP, 129), (SIGTERM, 143)].into_iter();
    let heard = told.filter(|(number, _)| !is_in(ignored(), *number));
    let mut heard: Vec<_> = heard
        .filter_map(|(number, code)| Some((signal(SignalKind::from_raw(number)).ok()?, code)))
        .collect();
    poll_fn(move |context| {
        let mut codes = heard
            .iter_mut()
            .filter_map(|(signal, code)| signal.poll_recv(context).is_ready().then_some(*code));
        codes.next().map_or(Poll::Pending, Poll::Ready)
    })
}

/// As proc_pid_status(5) has it.
fn ignored() -> u64 {
    let status = own("status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Who leads the session: the sixth field of proc_pid_stat(5), of which the second is a name of any characters. It is 0
/// for a session that began outside of our namespace, as of what is started inside a container (pid_namespaces(7)), and
/// getsid(2) of `rustix` knows no 0.
fn session(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(3)?.parse().ok()
}

/// Of this process, in the kernel's words; empty where it tells none.
fn own(file: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

fn is_in(mask: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal - 1)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_another_namespace_is_led_by_nobody_here() {
        assert_eq!(session("7 (a) b) S 1 7 5 34816 7 4194560 99 0"), Some(5));
        assert_eq!(session("7 (sh) S 0 7 0 0 -1 4194560 99 0"), Some(0));
        assert_eq!(session(""), None);
        assert!(session(&own("stat")).is_some());
    }
}
