//! What an approver is shown, as data: one source for the page and the terminal. Texts from elsewhere
//! stand here as they were sent: whoever shows them to a person escapes them, once.

use protocol::approval;
use protocol::authentication::{Demands, Strength};
use protocol::authorization_request::{Content, Purpose};
use protocol::decision::Granted;
use protocol::details::{self, Part, Types};
use protocol::eligibility::Eligible;
use protocol::fact::{Fact, Source};
use protocol::key_words;
use protocol::network::NetworkMatch;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use protocol::wire::approver::{
    EnrollmentAsked, Permission, Quorum, RequestView, ShownDetail, ShownFact, Waiting, WaitingResponse,
};

use crate::binding;
use crate::deciding::Opened;
use crate::ends::End;
use crate::inbox::Listed;
use crate::pages::moment::span;

/// Who looks: the other side of the comparison.
pub struct Onlooker<'a> {
    pub approver_id: &'a str,
    pub end: &'a End,
    pub offer: &'a Offer<'a>,
    pub details: &'a Types,
}

/// The decision that an onlooker may sign.
pub struct Offer<'a> {
    pub granted: &'a Granted,
    pub nonce: &'a str,
    /// Of the keys that they have.
    pub strengths: &'a [Strength],
}

pub fn view(opened: &Opened, onlooker: &Onlooker<'_>) -> Result<RequestView, Refusal> {
    let Opened {
        request,
        client,
        profile,
        eligible,
        quorum,
        ..
    } = opened;
    let content = &request.content;
    let registration = &client.registration;
    let first = quorum.as_ref().and_then(|quorum| quorum.approved_by.first());
    let Offer { granted, nonce, .. } = onlooker.offer;
    let decision = approval::decision_on(request, granted, onlooker.approver_id, nonce)?;
    Ok(RequestView {
        request_id: content.id.clone(),
        request_digest: request.digest.as_str().to_owned(),
        client_id: content.client_id.clone(),
        client_name: registration.name.clone(),
        client_kind: registration.kind.as_str().to_owned(),
        client_owner: registration.owner.clone(),
        client_verified: registration.verified,
        purpose: registration.purpose.clone(),
        profile: profile.name.clone(),
        education: profile.education.clone(),
        enrollment: enrollment(content),
        asks_binding_data: binding::is_wanted(request),
        binding_message: content.binding_message.clone(),
        quorum: quorum.clone(),
        authorization_details: details(granted, onlooker.details),
        warnings: warnings(profile, eligible)
            .into_iter()
            .chain(unmet(opened, onlooker.offer))
            .collect(),
        permissions: permissions(granted, first.map(String::as_str)),
        network_match: eligible.network(),
        facts: facts(opened, onlooker),
        key_words: content.jkt.as_deref().map(key_words::of),
        requested_at: content.requested_at.millis(),
        expires_at: content.expires_at.millis(),
        grant_expires_at: Timestamp::from_seconds(granted.expires_at).millis(),
        consequences: match content.purpose {
            Purpose::Access => consequences(content, granted, quorum.as_ref()),
            Purpose::Enrollment(_) => OF_ENROLLMENT.map(str::to_owned).to_vec(),
        },
        decision: decision.to_value(),
    })
}

fn warnings(profile: &Profile, eligible: &Eligible) -> Vec<String> {
    let far = (!eligible.is_near_enough()).then_some(FAR);
    let same = eligible.is_same_device().then_some(SAME_DEVICE);
    let own = [far, same].into_iter().flatten().map(str::to_owned);
    profile.warning.iter().cloned().chain(own).collect()
}

/// Said before the click: the server would refuse it.
fn unmet(opened: &Opened, offer: &Offer<'_>) -> Option<String> {
    let mut strengths = offer.strengths.iter();
    let is_met = strengths.any(|strength| is_enough(opened, *strength));
    (!is_met && !offer.strengths.is_empty()).then(|| TOO_WEAK.to_owned())
}

/// Whether a decision by such a key would be what the request and its profile demand.
pub fn is_enough(opened: &Opened, strength: Strength) -> bool {
    let demands = Demands::of(&opened.request.content);
    demands.acr(strength, opened.profile.approval.acr.as_deref()).is_ok()
}

const TOO_WEAK: &str = "This asks for a stronger key than you have here. You can decline it, but not approve it.";
const FAR: &str = "This was asked for from far away from you, or from nobody knows where. If you are not just using a machine elsewhere, decline.";
const SAME_DEVICE: &str = "The device that asks looks like the one you decide on. A code is for another device: whoever told you to type it here may be using you.";

fn enrollment(content: &Content) -> Option<EnrollmentAsked> {
    match &content.purpose {
        Purpose::Access => None,
        Purpose::Enrollment(enrollment) => Some(EnrollmentAsked {
            name: enrollment.name.clone(),
            environment: enrollment.environment.clone(),
            expires_at: enrollment.expires_at.millis(),
        }),
    }
}

/// `whose`: the first of a quorum, in whose name it would be.
pub fn permissions(granted: &Granted, whose: Option<&str>) -> Vec<Permission> {
    let scopes = granted.scope.iter().map(|name| Permission {
        kind: "scope".to_owned(),
        name: name.to_owned(),
        sentence: sentence(name, whose),
    });
    let resources = granted.resource.iter().map(|name| Permission {
        kind: "resource".to_owned(),
        name: name.clone(),
        sentence: "Use it at this address".to_owned(),
    });
    scopes.chain(resources).collect()
}

/// An inbox.
pub fn listed(listed: &Listed, types: &Types) -> WaitingResponse {
    let requests = listed.requests.iter();
    WaitingResponse {
        requests: requests.map(|opened| waiting(opened, types)).collect(),
        more: listed.more,
    }
}

/// A request as a line of it.
fn waiting(opened: &Opened, types: &Types) -> Waiting {
    let content = &opened.request.content;
    let details = details(&opened.left, types);
    let details = details.iter().map(|detail| {
        let parts: Vec<String> = detail.sentence.iter().map(Part::shown).collect();
        parts.concat()
    });
    let whose = opened.quorum.as_ref().and_then(|quorum| quorum.approved_by.first());
    let permissions = permissions(&opened.left, whose.map(String::as_str));
    Waiting {
        request_id: content.id.clone(),
        client_id: content.client_id.clone(),
        client_name: opened.client.registration.name.clone(),
        client_kind: opened.client.registration.kind.as_str().to_owned(),
        instance_name: content.fact(Fact::INSTANCE_NAME).map(|fact| fact.value.clone()),
        binding_message: content.binding_message.clone(),
        asks: details.chain(permissions.iter().map(in_a_line)).collect(),
        quorum: opened.quorum.clone(),
        requested_at: content.requested_at.millis(),
        expires_at: content.expires_at.millis(),
    }
}

fn in_a_line(permission: &Permission) -> String {
    match permission.kind.as_str() {
        "resource" => format!("{}: {}", permission.sentence, permission.name),
        _ => permission.sentence.clone(),
    }
}

fn details(granted: &Granted, types: &Types) -> Vec<ShownDetail> {
    let details = granted.authorization_details.iter();
    let shown = details.map(|detail| ShownDetail {
        sentence: types.sentence(detail),
        canonical: details::canonical(detail),
    });
    shown.collect()
}

fn sentence(scope: &str, whose: Option<&str>) -> String {
    match (scope, whose) {
        ("openid", None) => "Know who you are here (a pseudonymous identifier)".to_owned(),
        ("openid", Some(first)) => format!("Know who {first} is here (a pseudonymous identifier)"),
        ("profile", None) => "See your name".to_owned(),
        ("profile", Some(first)) => format!("See the name of {first}"),
        ("offline_access", _) => "Go on without asking again until the time below has passed".to_owned(),
        (other, _) => format!("Act with the permission \u{201c}{other}\u{201d}"),
    }
}

/// Those that the request was made with, this approver's own, and what both make together.
fn facts(opened: &Opened, onlooker: &Onlooker<'_>) -> Vec<ShownFact> {
    let content = &opened.request.content;
    let own = onlooker.end.facts();
    let own = own
        .iter()
        .filter(|fact| !IS_KNOWN_TO_ITSELF.contains(&fact.name.as_str()));
    let compared = Fact::new("network.match", nearness(opened.eligible.network()), Source::Derived);
    let first_seen = opened.first_seen.facts();
    let facts = content.facts.iter().chain(own).chain([&compared]).chain(&first_seen);
    let facts = facts.chain(&opened.since);
    facts.map(shown_fact).collect()
}

/// Nobody is told what browser they use.
const IS_KNOWN_TO_ITSELF: [&str; 2] = ["approver.ip_source", "approver.user_agent"];

pub fn shown_fact(fact: &Fact) -> ShownFact {
    ShownFact {
        name: fact.name.clone(),
        label: label(&fact.name).to_owned(),
        value: match fact.name.as_str() {
            Fact::REQUESTER_IP_SOURCE => ip_source(&fact.value).to_owned(),
            _ => fact.value.clone(),
        },
        source: fact.source.as_str().to_owned(),
    }
}

fn label(name: &str) -> &'static str {
    match name {
        Fact::REQUESTER_ADDRESS => "Asked from the address",
        Fact::REQUESTER_IP_SOURCE => "Known by",
        "requester.operator" => "Its network operator",
        "requester.country" => "Its country",
        Fact::REQUESTER_USER_AGENT => "Calls itself",
        "approver.address" => "Your address",
        "approver.operator" => "Your network operator",
        "approver.country" => "Your country",
        "network.match" => "Compared with you",
        Fact::KEY_THUMBPRINT => "Holds the key",
        Fact::DEVICE_HOST => "Its name in the network",
        Fact::DEVICE_KEY_STORAGE => "Keeps its key in",
        Fact::DEVICE_SYSTEM => "Its system",
        Fact::DEVICE_USER => "Its user",
        Fact::DEVICE_VERSION => "Version of the program",
        Fact::INITIATOR => "Started by",
        Fact::INSTANCE_NAME => "Enrolled as",
        Fact::INSTANCE_WAY_IN => "Became known by",
        "posture.os" => "Its operating system",
        "posture.os_version" => "Of the version",
        "posture.disk_encrypted" => "Its disk is encrypted",
        "posture.screen_lock" => "Its screen locks",
        "posture.root" => "Runs as root",
        "posture.uptime_s" => "Seconds since its start",
        "posture.binary_sha256" => "Digest of the program",
        Fact::SINCE_LAST => "Since the last time",
        name if name.starts_with("first_seen.") => "For the first time",
        _ => "Other",
    }
}

fn ip_source(name: &str) -> &str {
    match name {
        "direct" => "the connection itself",
        "trusted_proxy" => "a proxy that this server trusts",
        "untrusted_headers" => "nothing: headers of a proxy that this server does not trust",
        "browser" => "nothing: a web page asked, where programs do",
        other => other,
    }
}

/// Equal is weak evidence (a NAT has many behind it), different is a signal.
fn nearness(network: NetworkMatch) -> &'static str {
    match network {
        NetworkMatch::Unknown => "Cannot be compared: too little is known of one side",
        NetworkMatch::Different => "Another network than yours",
        NetworkMatch::SameCountry => "Your country, another network",
        NetworkMatch::SameOperator => "Your network operator, another address",
        NetworkMatch::SamePrefix => "An address beside yours",
        NetworkMatch::SameAddress => "The same address as yours",
    }
}

const OF_ENROLLMENT: [&str; 3] = [
    "The device becomes known as yours, and you answer for it. It gets no access to anything yet.",
    "From then on it may ask for access, and nobody but you can give it. Each time you decide.",
    "You can suspend it, remove it or hand it over at any time, under Your devices.",
];

const BESIDE_IT: &str =
    "The command, and whatever runs as the same user there, can read a key that is kept in a file, and ask with it.";

fn consequences(content: &Content, granted: &Granted, quorum: Option<&Quorum>) -> Vec<String> {
    let first = quorum.and_then(|quorum| quorum.approved_by.first());
    let name = first.map_or("your name".to_owned(), |name| format!("the name of {name}"));
    let others = quorum.map_or(0, |quorum| quorum.needed.saturating_sub(quorum.have + 1));
    let when = match others {
        0 => "at once, without asking again.".to_owned(),
        1 => "as soon as one more person has approved.".to_owned(),
        others => format!("as soon as {others} more people have approved."),
    };
    let mut consequences = vec![format!("The program gets access in {name} {when}")];
    if granted.scope.contains("offline_access") {
        consequences.push("It can renew its access by itself until the end.".to_owned());
    }
    let is_bound = content.jkt.is_some() && !granted.authorization_details.wants_the_token();
    consequences.push(if is_bound {
        "Its access works only with the key whose words are shown.".to_owned()
    } else {
        "Its access is not tied to a key: whoever copies it can use it.".to_owned()
    });
    if granted.authorization_details.has_command() {
        consequences.push(BESIDE_IT.to_owned());
    }
    if let Some(max_age) = content.max_age {
        let max_age = span(max_age);
        consequences.push(format!(
            "Your decision counts as fresh for {max_age}, and is asked for again after that."
        ));
    }
    if first.is_none() {
        consequences.push("You can end it at any time under Your account.".to_owned());
    }
    consequences
}
