//! Signals that come to us while a command runs, and are meant for it. signal(7), sigaction(2).

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Signal, getpid, getsid, pidfd_send_signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::exfiltrator::raw::WithRawSiginfo;
use signal_hook::iterator::{Handle, SignalsInfo};

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
        let leads_the_session = getsid(None).is_ok_and(|leader| leader == getpid());
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

/// As proc_pid_status(5) has it.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

fn is_in(mask: u64, signal: i32) -> bool {
    let bit = u32::try_from(signal - 1)
        .ok()
        .and_then(|place| 1_u64.checked_shl(place));
    bit.is_some_and(|bit| mask & bit != 0)
}
