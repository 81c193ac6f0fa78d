//! From two codes to an answer, which a login and an enrollment share: what the server gave, and asking it
//! for the decision. RFC 8628 §3.2 to §3.5; six digits carried back, RFC 10027 §6.1.16. What people see of
//! it is in `screen.rs`, when to ask again in `poll.rs`.

use protocol::secret::DeviceCode;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::ErrorBody;
use protocol::wire::device_authorization::DeviceAuthorizationResponse;
use url::Url;

use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Unanswered};
use crate::io::Io;
use crate::poll::{Heard, Next, Waiting};

/// What the server answered to whoever asked. The `device_code` is held here and shown nowhere (RFC 8628 §3.3).
pub struct Asked {
    pub shown: DeviceAuthorizationResponse,
    device_code: DeviceCode,
    interval: i64,
    pub expires_at: Timestamp,
}

impl Asked {
    /// `None` where there is no web address to open.
    pub fn of(mut shown: DeviceAuthorizationResponse, asked_at: Timestamp) -> Option<Self> {
        if !is_web_address(&shown.verification_uri) {
            return None;
        }
        shown.verification_uri_complete = shown.verification_uri_complete.filter(|uri| is_web_address(uri));
        let device_code = DeviceCode::presented(std::mem::take(&mut shown.device_code));
        Some(Self {
            interval: shown.interval,
            device_code,
            expires_at: asked_at + Lifetime::from_seconds(shown.expires_in),
            shown,
        })
    }
}

fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

/// What one poll brought.
pub enum Polled<T> {
    Given(T),
    Refused(ErrorBody),
    /// It may be asked again later.
    Busy,
}

/// Where somebody waits: at a terminal, or behind a pipe.
pub trait Waiter {
    /// Waits until the given instant; may give up.
    async fn pause(&mut self, io: &mut Io, until: Timestamp) -> Result<(), Failure>;

    /// The six digits of the approver's page, as soon as there are some to send.
    async fn digits(&mut self, io: &mut Io, tries: u32) -> Result<Option<String>, Failure>;
}

/// Where and as whom to ask for the decision.
pub struct Poll<'a, 'b> {
    pub caller: &'b mut Caller<'a>,
    pub url: &'b Url,
    /// All but the `device_code` and the digits.
    pub form: &'b [(&'b str, &'b str)],
    /// What to run when the code has ended.
    pub again: &'static str,
}

impl Poll<'_, '_> {
    /// When the code ends it says so and never asks for another by itself (RFC 8628 §3.1).
    pub async fn wait<T>(
        &mut self,
        io: &mut Io,
        asked: &Asked,
        waiter: &mut impl Waiter,
        read: impl Fn(&Answer, Timestamp) -> Result<Polled<T>, Failure>,
    ) -> Result<T, Failure> {
        let mut digits: Option<String> = None;
        let mut next = Waiting::new(Some(asked.interval), asked.expires_at).first(io.now());
        loop {
            let (at, then) = match next {
                Next::Poll { at, then } => (at, Some(then)),
                Next::Expire { at } => (at, None),
                Next::Stop => return Err(self.expired()),
            };
            waiter.pause(io, at).await?;
            let Some(waiting) = then else {
                return Err(self.expired());
            };
            let polled = self.poll(io, asked, digits.as_deref(), &read).await?;
            next = waiting.after(heard(&polled), io.now());
            match (&next, polled) {
                (Next::Stop, Polled::Given(given)) => return Ok(given),
                (Next::Stop, Polled::Refused(_)) if digits.is_some() => return Err(self.wrong_digits()),
                (Next::Stop, Polled::Refused(body)) => return Err(self.refused(&body)),
                (_, Polled::Refused(body)) => {
                    digits = match body.confirmation_tries {
                        Some(tries) => waiter.digits(io, tries).await?,
                        None => None,
                    };
                }
                // Not answered: the same digits are sent again.
                _ => {}
            }
        }
    }

    async fn poll<T>(
        &mut self,
        io: &mut Io,
        asked: &Asked,
        digits: Option<&str>,
        read: impl Fn(&Answer, Timestamp) -> Result<Polled<T>, Failure>,
    ) -> Result<Polled<T>, Failure> {
        let mut form = self.form.to_vec();
        form.push(("device_code", asked.device_code.reveal()));
        form.extend(digits.map(|digits| ("confirmation", digits)));
        let asked_at = io.now();
        match self.caller.form(io, self.url, &form).await {
            Ok(answer) if answer.is_busy() => Ok(Polled::Busy),
            Ok(answer) => read(&answer, asked_at),
            Err(Unanswered::TimedOut | Unanswered::Unreachable(_)) => Ok(Polled::Busy),
            Err(other) => Err(other.failure(self.url)),
        }
    }

    fn expired(&self) -> Failure {
        Failure::new(
            Exit::UnknownCode,
            "expired_token",
            "the code has expired and nobody has decided",
        )
        .hint(format!("run {} again when somebody is there to approve", self.again))
    }

    fn wrong_digits(&self) -> Failure {
        Failure::new(
            Exit::Refused,
            "access_denied",
            "these are not the digits of the approver's page, and there are no more tries",
        )
        .hint(format!(
            "run {} again, and let the approver read them once more",
            self.again
        ))
    }

    fn refused(&self, body: &ErrorBody) -> Failure {
        match body.error.as_str() {
            "access_denied" => Failure::new(Exit::Refused, "access_denied", "the request was declined"),
            "expired_token" => self.expired(),
            _ => Failure::refusal("the server refused", body),
        }
    }
}

fn heard<T>(polled: &Polled<T>) -> Heard {
    match polled {
        Polled::Given(_) => Heard::Given,
        Polled::Busy => Heard::Nothing,
        Polled::Refused(body) => match body.error.as_str() {
            // RFC 10027 §6.1.16: other digits may be sent, as long as the server says so.
            "invalid_confirmation" if body.confirmation_tries.is_some() => Heard::Pending,
            "authorization_pending" => Heard::Pending,
            "slow_down" => Heard::SlowDown(body.interval),
            "access_denied" => Heard::Denied,
            "expired_token" => Heard::Expired,
            _ => Heard::Refused,
        },
    }
}
