//! `waypass show`, `approve` and `deny`: a decision in a terminal, by a software key. Nothing is signed
//! that was not checked here first: the server prepares a decision, this program reads it again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::authorization_request::Purpose;
use protocol::client::Kind;
use protocol::decision::{Decision, Granted};
use protocol::details::{self, Part, Types};
use protocol::narrowing;
use protocol::scope::Scope;
use protocol::time::Timestamp;
use protocol::user_code::UserCode;
use protocol::wire::approver::{ApproveRequest, DecidedResponse, DenyRequest, RequestView, ShownDetail, ViewRequest};
use serde_json::json;

use crate::approver_key::{KeyFile, post};
use crate::date;
use crate::dpop::Caller;
use crate::failure::{Exit, Failure};
use crate::http::Http;
use crate::io::Io;
use crate::keys::Key;
use crate::metadata::Issuer;
use crate::print::{Printer, say};

/// What all three commands take.
#[derive(Clone, Debug, clap::Args)]
pub struct DecideArgs {
    /// The code that the requesting device shows (case and dashes do not matter), or a request of `waypass inbox`
    #[arg(value_name = "CODE")]
    pub user_code: String,
    /// The authorization server
    #[arg(long, value_name = "URL")]
    pub server: String,
    /// The software key, as `waypass approver enroll` has made it
    #[arg(long, value_name = "FILE")]
    pub key_file: PathBuf,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print each of the authorization_details also as the exact JSON that is signed
    #[arg(long)]
    pub raw: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Approve a request: shows it and asks; without a terminal it decides at once
///
/// Options take away part of what is asked for: what is left is shown, signed, and all that is granted.
///
///   waypass approve WDJB-MJHT --server https://login.example.com --key-file alice.key
///   waypass approve WDJB-MJHT --server https://login.example.com --key-file alice.key --scope read --until 30m
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct ApproveArgs {
    #[command(flatten)]
    pub decide: DecideArgs,
    #[command(flatten)]
    pub less: LessArgs,
}

/// What to give, where that is less than all.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LessArgs {
    /// Give only these scopes, separated by spaces
    #[arg(long)]
    scope: Option<String>,
    /// Give it only for this address; may be repeated
    #[arg(long, value_name = "URI")]
    resource: Vec<String>,
    /// Give only the detail with this number, counted from 1 as shown; may be repeated
    #[arg(long, value_name = "NUMBER")]
    detail: Vec<usize>,
    /// Give it only until then: `30m`, `2h`, or a day such as 2027-01-31
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl LessArgs {
    /// The part of `all` that is meant.
    fn of(&self, all: &Granted, now: Timestamp) -> Result<Granted, Failure> {
        let mut choice = all.clone();
        if let Some(scope) = &self.scope {
            choice.scope = Scope::parse(scope).map_err(|refusal| Failure::usage(refusal.sentence()))?;
        }
        if !self.resource.is_empty() {
            choice.resource.clone_from(&self.resource);
        }
        if !self.detail.is_empty() {
            let places: Vec<usize> = self.detail.iter().map(|number| number.wrapping_sub(1)).collect();
            let details = all.authorization_details.only(&places);
            choice.authorization_details =
                details.ok_or_else(|| Failure::usage("there is no detail of this number"))?;
        }
        if let Some(until) = &self.until {
            choice.expires_at = date::end(until, now)?.seconds();
        }
        narrowing::given(&Purpose::Access, &choice, all, now).map_err(|refusal| Failure::usage(refusal.sentence()))
    }
}

/// Decline a request
///
///   waypass deny WDJB-MJHT --server https://login.example.com --key-file alice.key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct DenyArgs {
    #[command(flatten)]
    pub decide: DecideArgs,
    /// Say also that you did not start this: it is recorded and reported
    #[arg(long)]
    pub report: bool,
}

impl DecideArgs {
    pub fn json(&self) -> bool {
        self.json
    }
}

impl ApproveArgs {
    pub fn json(&self) -> bool {
        self.decide.json
    }
}

impl DenyArgs {
    pub fn json(&self) -> bool {
        self.decide.json
    }
}

/// The key and the way to its server.
pub struct Approver {
    file: KeyFile,
    pub key: Key,
    pub issuer: Issuer,
    pub http: Http,
}

impl Approver {
    fn of(args: &DecideArgs, io: &Io) -> Result<Self, Failure> {
        Self::open(io, &args.server, &args.key_file, args.ca_file.as_deref())
    }

    pub fn open(io: &Io, server: &str, key_file: &Path, ca_file: Option<&Path>) -> Result<Self, Failure> {
        let issuer = Issuer::parse(server)?;
        let file = KeyFile::read(key_file)?;
        file.must_be_for(&issuer)?;
        let key = file.key()?;
        let http = Http::for_server(io, issuer.url(), ca_file)?;
        Ok(Self {
            file,
            key,
            issuer,
            http,
        })
    }

    /// Looks at the request. It is bound to this key from now on, as it would be to a browser.
    async fn view(&self, args: &DecideArgs, io: &mut Io, caller: &mut Caller<'_>) -> Result<RequestView, Failure> {
        let user_code = UserCode::parse(&args.user_code).map(|code| code.reveal());
        let request_id = Some(&args.user_code).filter(|text| is_request_id(text)).cloned();
        // What cannot be a code is not worth one of the few guesses.
        if user_code.is_none() && request_id.is_none() {
            return Err(
                Failure::new(Exit::UnknownCode, "unknown_code", "this is no code of ours")
                    .hint("it is eight letters, as in WDJB-MJHT, or an id that `waypass inbox` prints"),
            );
        }
        let asked = ViewRequest {
            user_code,
            request_id,
            granted: None,
        };
        post(io, caller, (&self.issuer, "view"), &asked).await
    }

    /// The same request with only so much of it given.
    async fn view_of(
        &self,
        request_id: String,
        granted: &Granted,
        io: &mut Io,
        caller: &mut Caller<'_>,
    ) -> Result<RequestView, Failure> {
        let asked = ViewRequest {
            user_code: None,
            request_id: Some(request_id),
            granted: Some(granted.to_value()),
        };
        post(io, caller, (&self.issuer, "view"), &asked).await
    }
}

/// As the server writes them: 32 hexadecimal digits in five groups.
fn is_request_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

pub async fn show(args: &DecideArgs, io: &mut Io) -> Result<(), Failure> {
    let approver = Approver::of(args, io)?;
    let mut caller = Caller::new(&approver.http, &approver.key);
    let view = approver.view(args, io, &mut caller).await?;
    if args.json {
        io.output
            .json(&serde_json::to_value(&view).map_err(|error| Failure::failed(error.to_string()))?);
    } else {
        let now = io.now();
        print(&mut io.output, &view, args.raw, now);
    }
    Ok(())
}

pub async fn approve(args: &DecideArgs, less: &LessArgs, io: &mut Io) -> Result<(), Failure> {
    let wanted = async |io: &mut Io, view: &RequestView| !io.input_is_terminal || is_wanted(io, view, args.raw).await;
    approve_if(args, less, io, wanted).await
}

pub async fn approve_if(
    args: &DecideArgs,
    less: &LessArgs,
    io: &mut Io,
    wanted: impl AsyncFnOnce(&mut Io, &RequestView) -> bool,
) -> Result<(), Failure> {
    let approver = Approver::of(args, io)?;
    let mut caller = Caller::new(&approver.http, &approver.key);
    let mut view = approver.view(args, io, &mut caller).await?;
    let mut decision = checked(&view, &approver.file)?;
    let granted = less.of(&decision.granted, io.now())?;
    if granted != decision.granted {
        view = approver.view_of(view.request_id, &granted, io, &mut caller).await?;
        decision = checked(&view, &approver.file)?;
        if decision.granted != granted {
            return Err(mismatch("it does not grant what was chosen"));
        }
    }
    if !wanted(io, &view).await {
        return Err(
            Failure::new(Exit::Failed, "not_approved", "nothing was decided").hint(format!(
                "to decline it: waypass deny {} with the same options",
                args.user_code
            )),
        );
    }
    let binding_data = if view.asks_binding_data {
        Some(io.ask("What was typed where this was started: ").await)
    } else {
        None
    };
    let canonical = decision
        .canonical()
        .map_err(|_| Failure::failed("the decision has no canonical form"))?;
    let signature = approver
        .key
        .sign(canonical.as_bytes())
        .ok_or_else(|| Failure::failed("signing failed"))?;
    let body = ApproveRequest {
        request_id: view.request_id,
        decision: view.decision,
        signature,
        binding_data,
    };
    let decided: DecidedResponse = post(io, &mut caller, (&approver.issuer, "approve"), &body).await?;
    tell(args, io, &decided);
    Ok(())
}

pub async fn deny(args: &DenyArgs, io: &mut Io) -> Result<(), Failure> {
    let approver = Approver::of(&args.decide, io)?;
    let mut caller = Caller::new(&approver.http, &approver.key);
    let view = approver.view(&args.decide, io, &mut caller).await?;
    let body = DenyRequest {
        request_id: view.request_id,
        report: args.report,
    };
    let decided: DecidedResponse = post(io, &mut caller, (&approver.issuer, "deny"), &body).await?;
    tell(&args.decide, io, &decided);
    Ok(())
}

fn tell(args: &DecideArgs, io: &mut Io, decided: &DecidedResponse) {
    if args.json {
        io.output.json(&json!(decided));
        return;
    }
    say!(io.output, "Request {}: {}.", decided.request_id, decided.state);
    if let Some(digits) = &decided.confirmation {
        say!(io.output, "");
        say!(io.output, "    {digits}");
        say!(io.output, "");
        say!(
            io.output,
            "Type these digits where you started the request yourself. Tell them to nobody: whoever has them gets the access."
        );
    }
}

/// Enter alone never approves.
async fn is_wanted(io: &mut Io, view: &RequestView, raw: bool) -> bool {
    let now = io.now();
    print(&mut io.errors, view, raw, now);
    let answer = io.ask("Approve this? [y/N] ").await;
    matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes")
}

fn checked(view: &RequestView, file: &KeyFile) -> Result<Decision, Failure> {
    check(view, file).map_err(mismatch)
}

fn mismatch(why: &str) -> Failure {
    Failure::new(Exit::Refused, "decision_mismatch", format!("nothing was signed: {why}"))
        .hint("what the server wants signed is not what it shows: do not approve this")
}

/// Whether the decision says what the view shows, and no more.
fn check(view: &RequestView, file: &KeyFile) -> Result<Decision, &'static str> {
    // It reads the type and `approve` too, and takes no member that it does not know.
    let decision = Decision::from_value(&view.decision).map_err(|_| "it is no decision in a form known here")?;
    if decision.request_digest.as_str() != view.request_digest {
        return Err("it is for another request");
    }
    if file.approver_id.as_ref().is_some_and(|id| *id != decision.approver) {
        return Err("it is in the name of another approver");
    }
    let shown = |kind: &str| -> BTreeSet<&str> {
        let of_kind = view.permissions.iter().filter(|permission| permission.kind == kind);
        of_kind.map(|permission| permission.name.as_str()).collect()
    };
    let granted = &decision.granted;
    if granted.scope.iter().collect::<BTreeSet<_>>() != shown("scope") {
        return Err("it grants other scopes than are shown");
    }
    // Where no resource is asked for it is the server itself, which needs no line of its own.
    let resources = shown("resource");
    if !granted
        .resource
        .iter()
        .all(|name| resources.contains(name.as_str()) || *name == file.server)
    {
        return Err("it grants a resource that is not shown");
    }
    let details = view
        .authorization_details
        .iter()
        .map(|detail| detail.canonical.as_str());
    if !granted.authorization_details.iter().map(details::canonical).eq(details) {
        return Err("it grants details that are not shown");
    }
    if granted.expires_at != Timestamp::from_millis(view.grant_expires_at).seconds() {
        return Err("it grants until another time than is shown");
    }
    Ok(decision)
}

/// In our own words where this program knows the type, whatever the server says.
fn said(detail: &ShownDetail) -> String {
    let own = Types::built_in().own_sentence(&detail.canonical);
    let sentence = own.as_ref().unwrap_or(&detail.sentence);
    sentence.iter().map(Part::shown).collect()
}

pub fn print(printer: &mut Printer, view: &RequestView, raw: bool, now: Timestamp) {
    let verified = if view.client_verified {
        "verified"
    } else {
        "NOT verified"
    };
    let who = format!("{} (client {}, {verified})", view.client_name, view.client_id);
    let nobody = || "nobody is named".to_owned();
    let mut fields = vec![
        ("Who", who),
        ("Owner", view.client_owner.clone().unwrap_or_else(nobody)),
    ];
    let mut add = |name, text: String| fields.push((name, text));
    if view.client_kind == Kind::Agent.as_str() {
        add(
            "Kind",
            "an AI AGENT asks: what made it ask may be a text of somebody else".to_owned(),
        );
    }
    view.purpose.iter().for_each(|purpose| add("Purpose", purpose.clone()));
    if let Some(asked) = &view.enrollment {
        let environment = asked.environment.as_deref().unwrap_or("no environment named");
        let end = date::moment(asked.expires_at);
        add(
            "ENROLLS",
            format!("{} ({environment}), known as yours until {end}", asked.name),
        );
    }
    for permission in &view.permissions {
        add("Asks for", format!("{}: {}", permission.name, permission.sentence));
    }
    for (number, detail) in (1..).zip(&view.authorization_details) {
        // By this number `approve --detail` takes it.
        let number = format!("({number}) ");
        let number = if view.authorization_details.len() > 1 {
            &number
        } else {
            ""
        };
        add("Asks for", format!("{number}{}", said(detail)));
        if raw {
            add("Exactly", detail.canonical.clone());
        }
    }
    for fact in &view.facts {
        add(&fact.label, format!("{} [{}]", fact.value, fact.source));
    }
    let claimed = view.binding_message.iter().map(|words| format!("{words} [claimed]"));
    claimed.for_each(|words| add("It shows", words));
    view.key_words.iter().for_each(|words| add("Key words", words.clone()));
    add("Asked at", date::moment(view.requested_at));
    let left = Timestamp::from_millis(view.expires_at) - now;
    add("Decide in", date::countdown(left));
    add("Good until", date::moment(view.grant_expires_at));
    if let Some(quorum) = &view.quorum {
        add(
            "Approvals",
            format!("{} of {} that are needed", quorum.have, quorum.needed),
        );
    }
    for consequence in &view.consequences {
        add("If approved", consequence.clone());
    }
    view.education.iter().for_each(|text| add("Remember", text.clone()));
    for warning in &view.warnings {
        add("WARNING", warning.clone());
    }
    printer.record(&fields);
    say!(printer, "");
}
