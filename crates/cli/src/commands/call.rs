//! `waypass call`: one request to a resource, with the profile's token and a proof by its key (RFC 9449 §7). Where
//! the resource wants more of the person (RFC 9470 §3), approval is asked for by itself: once, and whatever the
//! resource says then.

use http::Method;
use protocol::authentication::Demands;
use protocol::challenge;
use protocol::time::Lifetime;
use serde_json::json;
use url::Url;

use crate::commands::login::{self, LoginArgs};
use crate::dpop::{Body, Call, Caller};
use crate::failure::{Exit, Failure};
use crate::http::{Answer, Http, is_safe_address};
use crate::io::Io;
use crate::print::say;
use crate::refresh::Session;
use crate::screen::ScreenArgs;
use crate::settings::Settings;

/// Send one request with the profile's token and print the answer
///
/// When the resource asks for a stronger or fresher approval, it is asked for at once, and the request is sent again.
///
///   waypass call https://api.example.com/me
///   waypass call -X POST https://api.example.com/deploys --data '{"version":"1.4"}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct CallArgs {
    /// Where to: https, or http on this machine
    url: String,
    /// The method of the request [default: GET, with --data POST]
    #[arg(short = 'X', long)]
    method: Option<String>,
    /// The body of the request
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    data: Option<String>,
    /// What kind of text that is
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// The profile that has logged in
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Fail where a stronger or fresher approval is wanted
    #[arg(long)]
    no_step_up: bool,
    #[command(flatten)]
    screen: ScreenArgs,
}

/// What is sent, checked.
struct Outgoing<'a> {
    args: &'a CallArgs,
    method: Method,
    url: Url,
    http: Http,
}

impl CallArgs {
    pub fn json(&self) -> bool {
        self.screen.json
    }

    fn outgoing(&self, io: &Io) -> Result<Outgoing<'_>, Failure> {
        let url = Url::parse(&self.url).map_err(|_| Failure::usage(format!("{:?} is no URL", self.url)))?;
        if !is_safe_address(&url) {
            return Err(Failure::usage(
                "a token is sent over https only, or within this machine",
            ));
        }
        let default = if self.data.is_some() { "POST" } else { "GET" };
        let method = self.method.as_deref().unwrap_or(default);
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Failure::usage(format!("{method:?} is no HTTP method")))?;
        let settings = Settings::load(io)?;
        let http = Http::for_profile(io, &url, settings.profile(&self.profile))?;
        Ok(Outgoing {
            args: self,
            method,
            url,
            http,
        })
    }
}

pub async fn run(args: &CallArgs, io: &mut Io) -> Result<(), Failure> {
    args.screen.check(io)?;
    let outgoing = args.outgoing(io)?;
    let mut answer = outgoing.send(io).await?;
    if let Some(demands) = demanded(&answer) {
        if args.no_step_up {
            return Err(outgoing.more_is_wanted(&demands));
        }
        say!(io.errors, "{} {}", outgoing.origin(), told(&demands));
        let again = LoginArgs::step_up(&args.profile, &demands, &args.screen);
        login::login(&again, io).await?;
        answer = outgoing.send(io).await?;
        if let Some(demands) = demanded(&answer) {
            return Err(outgoing.more_is_wanted(&demands));
        }
    }
    outgoing.print(io, &answer)
}

fn demanded(answer: &Answer) -> Option<Demands> {
    let lines = answer.challenges.iter().map(String::as_str);
    (answer.status == 401).then(|| challenge::step_up(lines)).flatten()
}

/// The resource's own words only where they are of the grammar.
fn told(demands: &Demands) -> String {
    let strong = (!demands.acr_values.is_empty()).then(|| format!(" by {}", demands.acr_values.join(" or ")));
    let fresh = demands.max_age.map(Lifetime::seconds);
    let fresh = fresh.map(|seconds| format!(" not older than {seconds} seconds"));
    format!(
        "wants an approval{}{}.",
        strong.unwrap_or_default(),
        fresh.unwrap_or_default()
    )
}

impl Outgoing<'_> {
    async fn send(&self, io: &mut Io) -> Result<Answer, Failure> {
        let session = Session::fresh(io, &self.args.profile).await?;
        let key = session.kept.credentials.signing_key(io)?;
        let tokens = session.tokens(&self.args.profile)?;
        let is_bearer = tokens.token_type.eq_ignore_ascii_case("Bearer");
        let body = self.args.data.as_deref();
        let call = Call {
            access_token: Some(&tokens.access_token),
            scheme: if is_bearer { "Bearer" } else { "DPoP" },
            body: body.map_or(Body::None, |text| Body::Text(&self.args.content_type, text)),
            ..Call::new(self.method.clone(), &self.url)
        };
        let answer = Caller::new(&self.http, &key).call(io, &call).await;
        answer.map_err(|unanswered| unanswered.failure(&self.url))
    }

    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    fn more_is_wanted(&self, demands: &Demands) -> Failure {
        let what = format!("{} {}", self.origin(), told(demands));
        Failure::new(Exit::Refused, "insufficient_user_authentication", what)
            .hint("waypass login with --acr-values and --max-age asks for it")
    }

    /// The answer is the command's own, also where it is no success.
    fn print(&self, io: &mut Io, answer: &Answer) -> Result<(), Failure> {
        if self.args.screen.json {
            let body = String::from_utf8_lossy(answer.body());
            io.output
                .json(&json!({ "event": "answer", "status": answer.status, "body": body }));
        } else {
            io.output.document(answer.body());
        }
        match answer.status {
            200..=299 => Ok(()),
            status => {
                let exit = if matches!(status, 401 | 403) {
                    Exit::Refused
                } else {
                    Exit::Failed
                };
                let what = format!("{} answered {status}", self.origin());
                Err(Failure::new(exit, "resource_refused", what))
            }
        }
    }
}
