//! `waypass whoami`: whom the token speaks for. OpenID Connect Core 1.0 §5.3; without that endpoint or
//! scope, what the token says about itself.

use http::Method;
use protocol::base64url;
use serde_json::{Map, Value, json};

use crate::dpop::{Call, Caller};
use crate::failure::{Exit, Failure};
use crate::io::Io;
use crate::metadata::discover;
use crate::refresh::Session;

/// Show whom the token speaks for
#[derive(Debug, clap::Args)]
pub struct WhoamiArgs {
    /// The profile that has logged in
    #[arg(long, value_name = "NAME", default_value = "default")]
    profile: String,
    /// Print the claims as one JSON object
    #[arg(long)]
    json: bool,
}

impl WhoamiArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

pub async fn run(args: &WhoamiArgs, io: &mut Io) -> Result<(), Failure> {
    let session = Session::fresh(io, &args.profile).await?;
    let tokens = session.tokens(&args.profile)?;
    let claims = if tokens.scope.split(' ').any(|scope| scope == "openid") {
        userinfo(io, &session, &tokens.access_token).await?
    } else {
        None
    };
    let mut claims = claims.or_else(|| claims_of(&tokens.access_token)).ok_or_else(|| {
        Failure::new(Exit::Failed, "no_claims", "the token says nothing that could be shown")
            .hint("log in with the scope openid, and the server tells")
    })?;
    if !tokens.authorization_details.is_empty() {
        claims.insert("authorization_details".to_owned(), json!(tokens.authorization_details));
    }
    if args.json {
        io.output.json(&Value::Object(claims));
        return Ok(());
    }
    let fields = claims.iter().map(|(name, value)| (name.as_str(), plain(value)));
    io.output.fields(fields);
    Ok(())
}

async fn userinfo(io: &mut Io, session: &Session, token: &str) -> Result<Option<Map<String, Value>>, Failure> {
    let metadata = discover(io, &session.http, &session.issuer).await?;
    let Some(url) = &metadata.userinfo_endpoint else {
        return Ok(None);
    };
    let key = session.kept.credentials.signing_key(io)?;
    let call = Call {
        access_token: Some(token),
        ..Call::new(Method::GET, url)
    };
    let answer = Caller::new(&session.http, &key).call(io, &call).await;
    let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
    if !answer.is_success() {
        return Err(answer.failure("the server does not say who this is"));
    }
    answer
        .json()
        .map(Some)
        .ok_or_else(|| answer.unreadable("the claims cannot be read"))
}

/// The claims of a JWT, not verified: they came from the server with the token.
pub fn claims_of(token: &str) -> Option<Map<String, Value>> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&base64url::decode(payload)?).ok()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
