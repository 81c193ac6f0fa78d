//! The local API: JSON over the Unix socket `DIR/waypass.sock` (mode 0600), for whoever may read the
//! data folder. Paths are below `/local/`; the verb is the HTTP method. Errors are [`super::ErrorBody`]
//! with `error` one of `invalid`, `exists`, `not_found`, `refused`.

mod posture;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::details::Details;
use crate::fact::Fact;
use crate::instance::WayIn;

pub use self::posture::{ClientPosture, InstanceCounts, MitigationView, PermissionPosture, PostureView, ProfileView};

/// `POST /local/clients`.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire form of a command line: each flag is one"
)]
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddClient {
    pub client_id: String,
    #[serde(default)]
    pub name: Option<String>,
    /// `cli`, `agent`, `workload` or `service`.
    #[serde(default)]
    pub kind: Option<String>,
    #[serde(default)]
    pub environment: Option<String>,
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub purpose: Option<String>,
    #[serde(default)]
    pub verified: bool,
    /// Unix milliseconds.
    #[serde(default)]
    pub expires_at: Option<i64>,
    #[serde(default)]
    pub scope: String,
    #[serde(default)]
    pub resource: Vec<String>,
    /// The ceiling: an array of details, each of which may leave out what it does not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Value>,
    #[serde(default)]
    pub profile: Option<String>,
    /// Exactly one of `public`, `secret`, `jwks`, `instance_key`, `attested`, `tls_client_auth`,
    /// `self_signed_certificates`.
    #[serde(default)]
    pub public: bool,
    #[serde(default)]
    pub secret: Option<String>,
    #[serde(default)]
    pub jwks: Option<Value>,
    /// `issuer` (RFC 10070, default) or `legacy`: also the token endpoint's URL.
    #[serde(default)]
    pub assertion_audience: Option<String>,
    #[serde(default)]
    pub require_dpop: bool,
    /// Unknown parameters are `invalid_request` instead of ignored (design decision G2).
    #[serde(default)]
    pub strict: bool,
    /// Seconds.
    #[serde(default)]
    pub code_lifetime: Option<i64>,
    /// `ES256` (default), `RS256` or `EdDSA`.
    #[serde(default)]
    pub signing_alg: Option<String>,
    #[serde(default)]
    pub introspect: bool,
    /// It authenticates by private_key_jwt with the key of an enrolled instance.
    #[serde(default)]
    pub instance_key: bool,
    /// It authenticates by what its admissions take: a client attestation, or an SVID.
    #[serde(default)]
    pub attested: bool,
    /// It may report codes that were seen in messages.
    #[serde(default)]
    pub report_codes: bool,
    /// How it may come to tokens under its profile: `device_code`, which alone is meant where none is named, and
    /// `client_credentials`.
    #[serde(default)]
    pub grants: Vec<String>,
    #[serde(default)]
    pub tls_client_auth: Option<TlsClientAuth>,
    /// Each as `x5c` has it: base64 of DER.
    #[serde(default)]
    pub self_signed_certificates: Option<Vec<String>>,
    /// Its codes and tokens are bound to the certificate of its connection (RFC 8705 §3).
    #[serde(default)]
    pub certificate_bound: bool,
}

/// A certificate with this name, by one of these authorities (RFC 8705 §2.1).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsClientAuth {
    /// Each as `x5c` has it: base64 of DER.
    pub authorities: Vec<String>,
    /// `subject_dn`, `san_dns`, `san_uri`, `san_ip` or `san_email`.
    pub kind: String,
    pub name: String,
}

/// `POST /local/clients/{client_id}/change`: what is absent stays. Any change voids the client's open requests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeClient {
    /// Giving a profile, the same one too, brings a device grant back that went off unused; empty takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Vec<String>>,
    /// As in [`AddClient`]; an empty array takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_details: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// All of them, as in [`AddClient`]. One that is named again comes back if it went off unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// Its own, or the authorities of its own; each as `x5c` has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Vec<String>>,
    /// RFC 8705 §3.4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_bound: Option<bool>,
}

/// One client as `client list|show` print it; also the answer to adding one.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the wire form of a command line: each flag is one"
)]
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientView {
    pub client_id: String,
    pub name: String,
    pub kind: String,
    pub environment: Option<String>,
    pub owner: Option<String>,
    pub purpose: Option<String>,
    pub verified: bool,
    pub expires_at: Option<i64>,
    pub scope: String,
    pub resource: Vec<String>,
    /// The ceiling, and its types (RFC 9396 §10).
    #[serde(default)]
    pub authorization_details: Details,
    #[serde(default)]
    pub authorization_details_types: Vec<String>,
    pub profile: Option<String>,
    /// `none`, `client_secret`, `private_key_jwt`, `instance_key`, `attested`, `tls_client_auth` or
    /// `self_signed_tls_client_auth`.
    pub authentication: String,
    /// Whose certificate that is: a kind and a name, or a thumbprint.
    #[serde(default)]
    pub certificate: Option<String>,
    #[serde(default)]
    pub certificate_bound: bool,
    pub assertion_audience: Option<String>,
    pub require_dpop: bool,
    pub strict: bool,
    pub code_lifetime: Option<i64>,
    pub signing_alg: String,
    pub introspect: bool,
    pub report_codes: bool,
    /// `withheld`, `on`, `report` or `off`: a permission that nobody uses goes, by steps.
    pub device_grant: String,
    /// Unix milliseconds: since when it is not `on`.
    pub device_grant_since: Option<i64>,
    /// The same, for tokens without a person.
    #[serde(default)]
    pub client_credentials: String,
    #[serde(default)]
    pub client_credentials_since: Option<i64>,
    pub created_at: i64,
    pub disabled_at: Option<i64>,
    /// What an administrator should know, for instance that `open` takes any stock client.
    pub warnings: Vec<String>,
}

/// `POST /local/admissions`. Exactly one of `attester`, `issuer`, `spiffe_id`, each with what belongs to it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddAdmission {
    pub client_id: String,
    /// The name of the approver who answers for the instances.
    pub owner: String,
    #[serde(default)]
    pub environment: Option<String>,
    /// Seconds that an instance lives.
    pub lifetime: i64,
    /// With `jwks`.
    #[serde(default)]
    pub attester: Option<String>,
    /// With `subject`, and `audience` (the issuer of this server, where it is missing); with `jwks` its keys are
    /// never fetched.
    #[serde(default)]
    pub issuer: Option<String>,
    #[serde(default)]
    pub audience: Option<String>,
    #[serde(default)]
    pub subject: Option<String>,
    /// With `bundle`, a SPIFFE bundle.
    #[serde(default)]
    pub spiffe_id: Option<String>,
    #[serde(default)]
    pub jwks: Option<Value>,
    #[serde(default)]
    pub bundle: Option<Value>,
}

/// One admission as `admission list` prints it; also the answer to adding and removing one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AdmissionView {
    pub id: String,
    pub client_id: String,
    /// `attester`, `oidc` or `spiffe`.
    pub kind: String,
    /// The attester, the issuer, or the trust domain.
    pub by: String,
    /// Who is let in; an attester says that itself.
    pub subject: Option<String>,
    pub audience: Option<String>,
    /// The name of the approver who answers for the instances.
    pub owner: String,
    pub environment: Option<String>,
    /// Seconds.
    pub lifetime: i64,
    pub created_at: i64,
    pub removed_at: Option<i64>,
}

/// `POST /local/approvers`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddApprover {
    pub name: String,
}

/// Answer to adding or relinking an approver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnrollmentLink {
    pub approver: String,
    pub enrollment_link: String,
    /// Unix milliseconds.
    pub expires_at: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApproverView {
    pub id: String,
    pub name: String,
    pub passkeys: i64,
    pub software_keys: i64,
    pub created_at: i64,
    pub disabled_at: Option<i64>,
}

/// `POST /local/instances`: registers the key of an instance before it ever asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddInstance {
    pub client_id: String,
    /// The public key.
    pub jwk: Value,
    /// The name of the approver who answers for it.
    pub owner: String,
    pub name: String,
    #[serde(default)]
    pub environment: Option<String>,
    /// Unix milliseconds.
    pub expires_at: i64,
}

/// `POST /local/instances/{id}/rename`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenameInstance {
    pub name: String,
}

/// `POST /local/instances/{id}/hand-over`: takes effect at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOverInstance {
    /// The name of the approver who answers for it from now on.
    pub to: String,
}

/// One instance as `instance list|show` print it; also the answer to every act on one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceView {
    pub instance_id: String,
    pub client_id: String,
    /// The name of the approver who answers for it.
    pub owner: String,
    pub name: String,
    pub environment: Option<String>,
    /// `active`, `orphaned` (its owner is disabled), `suspended`, `expired` or `removed`.
    pub standing: String,
    pub way_in: WayIn,
    /// About its device, each with its source.
    pub facts: Vec<Fact>,
    /// The newest last; a key with `retires_at` has been replaced.
    pub keys: Vec<InstanceKeyView>,
    /// Unix milliseconds, as all below.
    pub created_at: i64,
    pub expires_at: i64,
    pub last_seen_at: Option<i64>,
    pub suspended_at: Option<i64>,
    pub removed_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceKeyView {
    /// RFC 7638.
    pub thumbprint: String,
    pub key_words: String,
    pub added_at: i64,
    pub retires_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestSummary {
    pub request_id: String,
    pub client_id: String,
    /// `pending`, `viewed`, `approved`, `denied`, `redeemed`, `cancelled`, or `expired` (asked of the clock).
    pub state: String,
    pub scope: String,
    pub requester_address: Option<String>,
    pub requested_at: i64,
    pub expires_at: i64,
    pub approver: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrantView {
    pub grant_id: String,
    /// `device_code` or `client_credentials`.
    pub origin: String,
    /// None where nobody was asked.
    pub request_id: Option<String>,
    pub client_id: String,
    /// None where the client was deleted, as its kind.
    #[serde(default)]
    pub client_name: Option<String>,
    /// `cli`, `agent`, `workload` or `service`.
    #[serde(default)]
    pub client_kind: Option<String>,
    /// Which running copy of it has the grant; None where its key is nobody's.
    #[serde(default)]
    pub instance_id: Option<String>,
    /// Who answers for it: the approver, or the owner of the instance.
    pub approver: String,
    pub scope: String,
    pub resource: Vec<String>,
    /// RFC 9396.
    #[serde(default)]
    pub authorization_details: Details,
    /// RFC 7638 thumbprint of the key that its tokens are bound to.
    pub jkt: Option<String>,
    /// RFC 8705 thumbprint of the certificate that they are bound to.
    #[serde(default)]
    pub x5t: Option<String>,
    pub created_at: i64,
    pub expires_at: i64,
    pub ended_at: Option<i64>,
    pub ended_because: Option<String>,
    /// Of a command that may be run several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_left: Option<i64>,
    /// With `grant show`: the signed decision and all that is needed to check it offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyView {
    pub kid: String,
    pub alg: String,
    /// `next`, `active`, `retiring`.
    pub state: String,
    pub created_at: i64,
    pub retires_at: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventView {
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    pub action: String,
    pub outcome: String,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub client_id: Option<String>,
    pub approver_id: Option<String>,
    pub detail: Value,
}

/// `POST /local/codes/report`: a code was seen in a message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportCode {
    pub user_code: String,
    /// `mail`, `chat`, `text_message`, `call`, `web_page` or `other`.
    #[serde(default = "other")]
    pub seen_in: String,
}

fn other() -> String {
    "other".to_owned()
}

#[derive(Serialize, Deserialize)]
pub struct CodeReported {
    /// None: there is no such code.
    pub request_id: Option<String>,
    /// What it was that ended: `request`, `grant`, `instance` or `nothing`.
    pub ended: String,
}

/// One group, as `group list` prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupView {
    pub name: String,
    pub members: Vec<GroupMemberView>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GroupMemberView {
    /// The approver's name.
    pub approver: String,
    /// `local`: added by an administrator. `upstream`: by the claims of the last upstream sign-in.
    pub source: String,
    /// When added, or when the claims came.
    pub since: i64,
    /// When the claims stop counting, unless they come again; null for a local member.
    pub until: Option<i64>,
}

/// `POST /local/groups/{name}/members`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AddGroupMember {
    pub approver: String,
}

/// `POST /local/webhooks`: of an approver, of a group, or of all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddWebhook {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// One webhook; its address may be somebody's secret, and only the host is told.
#[derive(Serialize, Deserialize)]
pub struct WebhookView {
    pub id: String,
    /// The approver's name.
    pub approver: Option<String>,
    pub group: Option<String>,
    pub host: String,
    pub created_at: i64,
    /// When its approver turned it off.
    pub off_at: Option<i64>,
    /// Told once, when it is added: `whsec_` and base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// `POST /local/webhooks/{id}/test`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WebhookTested {
    pub delivered: bool,
    /// `address_not_allowed`, `gone`, `refused`, `unreachable`, `unusable`.
    pub because: Option<String>,
}

/// `POST /local/approvers/{name}/mail`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetMail {
    /// None takes it away.
    pub address: Option<String>,
}
