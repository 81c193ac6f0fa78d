//! What an audit record can say. An event is written in the batch of the change that it records. It
//! never holds a code, a token, a secret, or a digest of a code short enough to be guessed back.

use serde_json::{Map, Value, json};

use crate::authorization_request::{AuthorizationRequest, Content};
use crate::client::{Client, Kind};
use crate::decision::Granted;
use crate::fact::Fact;
use crate::grant::Grant;
use crate::instance::Instance;
use crate::time::{Lifetime, Timestamp};

/// A closed list: rules are written against these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    AdmissionAdded,
    AdmissionRemoved,
    ApproverAdded,
    ApproverDisabled,
    ApproverEnabled,
    ApproverKeyAdded,
    ApproverKeyRemoved,
    ApproverRelinked,
    ApproverSignedIn,
    ApproverSignedOut,
    ApproverUpstreamLinked,
    ApproverUpstreamUnlinked,
    ClientAdded,
    ClientChanged,
    ClientDeleted,
    ClientDisabled,
    ClientEnabled,
    ClientUnused,
    DeviceApproved,
    DeviceCancelled,
    DeviceCodeChecked,
    DeviceCodeRepeated,
    DeviceCodeReported,
    DeviceConfirmed,
    DeviceDenied,
    DeviceEndorsed,
    DevicePolledEarly,
    DeviceRedeemed,
    DeviceRefused,
    DeviceReplayed,
    DeviceReported,
    DeviceRequested,
    DeviceViewed,
    GrantEnded,
    GroupMemberAdded,
    GroupMemberRemoved,
    InstanceEnrolled,
    InstanceHandedOver,
    InstanceKeyRotated,
    InstanceOffered,
    InstanceRemoved,
    InstanceRenamed,
    InstanceResumed,
    InstanceSuspended,
    KeyRotated,
    NoticeChannelAdded,
    NoticeChannelOff,
    NoticeChannelOn,
    NoticeChannelRemoved,
    NoticeSent,
    PolicyLoaded,
    TokenIssued,
    TokenRefreshed,
    TokenRefused,
    TokenReused,
    TokenRevoked,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdmissionAdded => "admission.added",
            Self::AdmissionRemoved => "admission.removed",
            Self::ApproverAdded => "approver.added",
            Self::ApproverDisabled => "approver.disabled",
            Self::ApproverEnabled => "approver.enabled",
            Self::ApproverKeyAdded => "approver.key_added",
            Self::ApproverKeyRemoved => "approver.key_removed",
            Self::ApproverRelinked => "approver.relinked",
            Self::ApproverSignedIn => "approver.signed_in",
            Self::ApproverSignedOut => "approver.signed_out",
            Self::ApproverUpstreamLinked => "approver.upstream_linked",
            Self::ApproverUpstreamUnlinked => "approver.upstream_unlinked",
            Self::ClientAdded => "client.added",
            Self::ClientChanged => "client.changed",
            Self::ClientDeleted => "client.deleted",
            Self::ClientDisabled => "client.disabled",
            Self::ClientEnabled => "client.enabled",
            Self::ClientUnused => "client.unused",
            Self::DeviceApproved => "device.approved",
            Self::DeviceCancelled => "device.cancelled",
            Self::DeviceCodeChecked => "device.code_checked",
            Self::DeviceCodeRepeated => "device.code_repeated",
            Self::DeviceCodeReported => "device.code_reported",
            Self::DeviceConfirmed => "device.confirmed",
            Self::DeviceDenied => "device.denied",
            Self::DeviceEndorsed => "device.endorsed",
            Self::DevicePolledEarly => "device.polled_early",
            Self::DeviceRedeemed => "device.redeemed",
            Self::DeviceRefused => "device.refused",
            Self::DeviceReplayed => "device.replayed",
            Self::DeviceReported => "device.reported",
            Self::DeviceRequested => "device.requested",
            Self::DeviceViewed => "device.viewed",
            Self::GrantEnded => "grant.ended",
            Self::GroupMemberAdded => "group.member_added",
            Self::GroupMemberRemoved => "group.member_removed",
            Self::InstanceEnrolled => "instance.enrolled",
            Self::InstanceHandedOver => "instance.handed_over",
            Self::InstanceKeyRotated => "instance.key_rotated",
            Self::InstanceOffered => "instance.offered",
            Self::InstanceRemoved => "instance.removed",
            Self::InstanceRenamed => "instance.renamed",
            Self::InstanceResumed => "instance.resumed",
            Self::InstanceSuspended => "instance.suspended",
            Self::KeyRotated => "key.rotated",
            Self::NoticeChannelAdded => "notice.channel_added",
            Self::NoticeChannelOff => "notice.channel_off",
            Self::NoticeChannelOn => "notice.channel_on",
            Self::NoticeChannelRemoved => "notice.channel_removed",
            Self::NoticeSent => "notice.sent",
            Self::PolicyLoaded => "policy.loaded",
            Self::TokenIssued => "token.issued",
            Self::TokenRefreshed => "token.refreshed",
            Self::TokenRefused => "token.refused",
            Self::TokenReused => "token.reused",
            Self::TokenRevoked => "token.revoked",
        }
    }
}

/// One audit record. Its id is time-ordered and random.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub at: Timestamp,
    pub action: Action,
    /// `success` or `failure`: of the act, not of the writing.
    pub outcome: &'static str,
    pub request_id: Option<String>,
    pub grant_id: Option<String>,
    pub client_id: Option<String>,
    pub approver_id: Option<String>,
    pub detail: Map<String, Value>,
}

impl Event {
    pub fn new(id: String, at: Timestamp, action: Action) -> Self {
        Self {
            id,
            at,
            action,
            outcome: "success",
            request_id: None,
            grant_id: None,
            client_id: None,
            approver_id: None,
            detail: Map::new(),
        }
    }

    pub fn failed(mut self, error_code: &str) -> Self {
        self.outcome = "failure";
        self.with("error.code", error_code)
    }

    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }

    pub fn client(mut self, client_id: &str) -> Self {
        self.client_id = Some(client_id.to_owned());
        self
    }

    pub fn approver(mut self, approver_id: &str) -> Self {
        self.approver_id = Some(approver_id.to_owned());
        self
    }

    /// Everything about an instance that rules are written on; its owner is the approver of the event.
    pub fn instance(mut self, instance: &Instance) -> Self {
        self.client_id = Some(instance.client_id.clone());
        self.approver_id = Some(instance.owner.clone());
        let facts: Vec<Value> = instance.about.facts.iter().map(fact_value).collect();
        self.with("instance.id", instance.id.clone())
            .with("instance.name", instance.about.name.clone())
            .with("instance.environment", instance.about.environment.clone())
            .with("instance.way_in", json!(instance.about.way_in))
            .with("instance.expires_at", instance.expires_at.millis())
            .with("facts", facts)
    }

    pub fn request(self, request: &AuthorizationRequest) -> Self {
        self.content(&request.content)
    }

    /// Everything about the asking side that rules are written on, each fact with its source.
    pub fn content(mut self, content: &Content) -> Self {
        self.request_id = Some(content.id.clone());
        self.client_id = Some(content.client_id.clone());
        let facts: Vec<Value> = content.facts.iter().map(fact_value).collect();
        let way_in = content.fact(Fact::INSTANCE_WAY_IN).map(|fact| fact.value.as_str());
        self.with("scope", content.scope.clone())
            .with("resource", content.resource.clone())
            .with("authorization_details", json!(content.authorization_details))
            .with("profile", content.profile.clone())
            .with("acr_values", content.acr_values.clone())
            .with("max_age", content.max_age.map(Lifetime::seconds))
            .with("key.jkt", content.jkt.clone())
            .with("key.registered", content.instance.is_some())
            .with("key.attested", way_in == Some("attested"))
            .with("instance.id", content.instance.clone())
            .with("owner.id", content.owner.clone())
            .with("facts", facts)
    }

    /// In the words of OCSF's object of that name: which agent, and which running copy of it, as far as the event names
    /// one. Nothing of other software.
    pub fn ai_agent(self, client: &Client) -> Self {
        if client.registration.kind != Kind::Agent {
            return self;
        }
        let instance = self.detail.get("instance.id").cloned();
        self.with("ai_agent.uid", client.client_id.clone())
            .with("ai_agent.instance_uid", instance)
    }

    /// What was stated of the machine for a token, each fact with its source; nothing where nothing was.
    pub fn posture(self, facts: &[Fact]) -> Self {
        if facts.is_empty() {
            return self;
        }
        let facts: Vec<Value> = facts.iter().map(fact_value).collect();
        self.with("posture", facts)
    }

    /// What an approver gave, and whether that is less than was asked for.
    pub fn granted(self, granted: &Granted, content: &Content) -> Self {
        let is_all = Granted::all_of(content).is_ok_and(|all| all == *granted);
        self.with("granted.scope", granted.scope.to_string())
            .with("granted.resource", granted.resource.clone())
            .with("granted.authorization_details", json!(granted.authorization_details))
            .with("granted.expires_at", granted.expires_at)
            .with("narrowed", !is_all)
    }

    /// `grant.origin` stands on every descendant's event, so that a hunt weeks later still finds it.
    pub fn grant(mut self, grant: &Grant) -> Self {
        self.grant_id = Some(grant.id.clone());
        self.request_id.clone_from(&grant.request_id);
        self.client_id = Some(grant.client_id.clone());
        self.approver_id = Some(grant.subject.clone());
        self.with("grant.origin", grant.origin.as_str())
            .with("instance.id", grant.instance_id.clone())
            .with("scope", grant.scope.clone())
            .with("resource", grant.resource.clone())
            .with("authorization_details", json!(grant.authorization_details))
            .with("key.jkt", grant.jkt.clone())
            .with("token.binding", if grant.jkt.is_some() { "dpop" } else { "none" })
    }
}

fn fact_value(fact: &Fact) -> Value {
    json!({ "name": fact.name, "value": fact.value, "source": fact.source.as_str() })
}
