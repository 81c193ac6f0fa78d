//! What an approver is shown, as data: one source for the page and the terminal. Texts from elsewhere
//! stand here as they were sent: whoever shows them to a person escapes them, once.

use std::net::IpAddr;

use protocol::approval;
use protocol::authorization_request::AuthorizationRequest;
use protocol::client::Client;
use protocol::fact::{Fact, Source};
use protocol::key_words;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::scope::Scope;
use protocol::wire::approver::{Permission, RequestView, ShownFact};

/// Who looks: the other side of the comparison.
pub struct Onlooker<'a> {
    pub approver_id: &'a str,
    pub address: Option<IpAddr>,
    /// Of the decision that this onlooker may sign.
    pub nonce: &'a str,
}

pub fn view(
    request: &AuthorizationRequest,
    client: &Client,
    profile: &Profile,
    onlooker: &Onlooker<'_>,
) -> Result<RequestView, Refusal> {
    let content = &request.content;
    let registration = &client.registration;
    let decision = approval::decision_on(request, onlooker.approver_id, onlooker.nonce)?;
    Ok(RequestView {
        request_id: content.id.clone(),
        request_digest: request.digest.as_str().to_owned(),
        client_id: content.client_id.clone(),
        client_name: registration.name.clone(),
        client_owner: registration.owner.clone(),
        client_verified: registration.verified,
        purpose: registration.purpose.clone(),
        profile: profile.name.to_owned(),
        warnings: profile.warning.map(str::to_owned).into_iter().collect(),
        permissions: permissions(content.scope.as_str(), &content.resource)?,
        facts: facts(request, onlooker),
        key_words: content.jkt.as_deref().map(key_words::of),
        requested_at: content.requested_at.millis(),
        expires_at: content.expires_at.millis(),
        grant_expires_at: content.grant_expires_at.millis(),
        consequences: consequences(content.scope.as_str(), content.jkt.is_some())?,
        decision: decision.to_value(),
    })
}

fn permissions(scope: &str, resource: &[String]) -> Result<Vec<Permission>, Refusal> {
    let scopes = Scope::parse(scope)?;
    let scopes = scopes.iter().map(|name| Permission {
        kind: "scope".to_owned(),
        name: name.to_owned(),
        sentence: sentence(name),
    });
    let resources = resource.iter().map(|name| Permission {
        kind: "resource".to_owned(),
        name: name.clone(),
        sentence: "Use it at this address".to_owned(),
    });
    Ok(scopes.chain(resources).collect())
}

fn sentence(scope: &str) -> String {
    match scope {
        "openid" => "Know who you are here (a pseudonymous identifier)".to_owned(),
        "profile" => "See your name".to_owned(),
        "offline_access" => "Go on without asking again until the time below has passed".to_owned(),
        other => format!("Act with the permission \u{201c}{other}\u{201d}"),
    }
}

fn facts(request: &AuthorizationRequest, onlooker: &Onlooker<'_>) -> Vec<ShownFact> {
    let own = request.content.facts.iter().map(|fact| ShownFact {
        name: fact.name.clone(),
        label: label(&fact.name).to_owned(),
        value: fact.value.clone(),
        source: fact.source.as_str().to_owned(),
    });
    own.chain([network_match(request, onlooker)]).collect()
}

fn label(name: &str) -> &'static str {
    match name {
        Fact::REQUESTER_ADDRESS => "Asked from the address",
        Fact::REQUESTER_USER_AGENT => "Calls itself",
        Fact::KEY_THUMBPRINT => "Holds the key",
        _ => "Other",
    }
}

/// Both sides compared. Equal is weak evidence (a NAT has many behind it), different is a signal.
fn network_match(request: &AuthorizationRequest, onlooker: &Onlooker<'_>) -> ShownFact {
    let requester = request
        .content
        .fact(Fact::REQUESTER_ADDRESS)
        .map(|fact| fact.value.as_str());
    let value = match (requester, onlooker.address.map(|address| address.to_string())) {
        (Some(requester), Some(own)) if requester == own => "The same address as yours".to_owned(),
        (Some(_), Some(own)) => format!("Another address than yours ({own})"),
        _ => "Cannot be compared: an address is not known".to_owned(),
    };
    ShownFact {
        name: "network.match".to_owned(),
        label: "Compared with you".to_owned(),
        value,
        source: Source::Derived.as_str().to_owned(),
    }
}

fn consequences(scope: &str, is_bound: bool) -> Result<Vec<String>, Refusal> {
    let mut consequences = vec!["The program gets access in your name at once, without asking again.".to_owned()];
    if Scope::parse(scope)?.contains("offline_access") {
        consequences.push("It can renew its access by itself until the end.".to_owned());
    }
    consequences.push(if is_bound {
        "Its access works only with the key whose words are shown.".to_owned()
    } else {
        "Its access is not tied to a key: whoever copies it can use it.".to_owned()
    });
    consequences.push("You can end it at any time under Your account.".to_owned());
    Ok(consequences)
}
