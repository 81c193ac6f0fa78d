//! The others of a quorum: after the first approval a request waits in their inboxes (`inbox.rs`). How many have to approve, and that they are
//! distinct people, is in `protocol/authorization_request.rs`; who they are in `protocol/eligibility.rs`.

use protocol::approver::Approver;
use protocol::authentication::Demands;
use protocol::authorization_request::{AuthorizationRequest, State};
use protocol::client::Client;
use protocol::decision::{Decision, Evidence, Granted};
use protocol::eligibility::{self, Decider};
use protocol::grant::{AuthenticationContext, Grant};
use protocol::network::Place;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::wire::approver::Quorum;
use serde_json::from_value;
use store::authorization_requests::StoredApproval;

use crate::app::App;
use crate::failure::Failure;

/// How many have to approve and who has, where it takes more than one.
pub async fn of(app: &App, request: &AuthorizationRequest, profile: &Profile) -> Result<Option<Quorum>, Failure> {
    let needed = profile.approval.quorum;
    if needed < 2 {
        return Ok(None);
    }
    let mut approved_by = Vec::new();
    for id in approvers(&request.state) {
        let approver = app.store.approver(id).await?.ok_or(Refusal::UserCodeUnusable)?;
        approved_by.push(approver.name);
    }
    Ok(Some(Quorum {
        needed,
        have: u32::try_from(approved_by.len()).unwrap_or(u32::MAX),
        approved_by,
    }))
}

/// What is there to give still: all that is asked for, less what those who have approved took away.
pub async fn left(app: &App, request: &AuthorizationRequest) -> Result<Granted, Failure> {
    if matches!(request.state, State::Pending | State::Viewed { .. }) {
        return Ok(Granted::all_of(&request.content)?);
    }
    granted(request, &app.store.approvals(&request.content.id).await?)
}

fn granted(request: &AuthorizationRequest, approvals: &[StoredApproval]) -> Result<Granted, Failure> {
    let mut granted = Granted::all_of(&request.content)?;
    for approval in approvals {
        granted = granted.common(&Decision::from_value(&approval.decision)?.granted);
    }
    Ok(granted)
}

/// What stands behind an approved request.
pub struct Approved {
    /// All who approved, each still active. They come first who opened it, since access is in their name.
    pub approvers: Vec<Approver>,
    /// What all of them granted.
    pub granted: Granted,
    /// How the first was authenticated.
    pub context: AuthenticationContext,
}

/// Asked again before anything comes of it: whoever approved is still one who may, an owner, a member of the group, and did
/// so not too long ago; so is whoever started it (X15), and the keys that signed are theirs still: one may have been
/// removed because somebody else had it.
pub async fn approved_by(app: &App, request: &AuthorizationRequest, client: &Client) -> Result<Approved, Failure> {
    let State::Approved { viewer, .. } = &request.state else {
        return Err(Refusal::DeviceCodeUnknown.into());
    };
    let (approvals, approvers) = signed(app, &request.content.id, &viewer.approver_id).await?;
    let demands = Demands::of(&request.content);
    for approval in &approvals {
        demands.must_be_recent(approval.context.auth_time, app.now())?;
    }
    if let Some(id) = &request.content.initiator {
        let initiator = app.store.approver(id).await?;
        initiator.ok_or(Refusal::ApproverDisabled)?.must_be_active()?;
    }
    for approval in &approvals {
        must_have_its_key(app, approval).await?;
    }
    must_be_theirs_still(app, request, client, &approvers).await?;
    let granted = granted(request, &approvals)?;
    let first = approvals.into_iter().next().ok_or(Refusal::GrantEnded)?;
    Ok(Approved {
        approvers,
        granted,
        context: first.context,
    })
}

/// The same of a grant, at every refresh, and who they are. Which key signed is asked no more: whoever removes a key
/// sees what it has approved, and can end that.
pub async fn of_grant(app: &App, grant: &Grant, client: &Client) -> Result<Vec<Approver>, Failure> {
    let Some(id) = &grant.request_id else {
        return Ok(Vec::new());
    };
    let request = app.store.request(id).await?.ok_or(Refusal::GrantEnded)?;
    let (_, approvers) = signed(app, id, &grant.subject).await?;
    let profile = app.profiles().under(client, grant.origin)?;
    if u32::try_from(approvers.len()).unwrap_or(u32::MAX) < profile.approval.quorum {
        return Err(Refusal::GrantEnded.into());
    }
    must_be_theirs_still(app, &request, client, &approvers).await?;
    Ok(approvers)
}

/// Each approval of a request and, in the same order, who gave it: this one first, each still active.
async fn signed(app: &App, request_id: &str, first: &str) -> Result<(Vec<StoredApproval>, Vec<Approver>), Failure> {
    let mut approvals = app.store.approvals(request_id).await?;
    approvals.sort_by_key(|approval| approval.approver_id != first);
    let mut approvers = Vec::with_capacity(approvals.len());
    for approval in &approvals {
        let approver = app.store.approver(&approval.approver_id).await?;
        let approver = approver.ok_or(Refusal::ApproverDisabled)?;
        approver.must_be_active()?;
        approvers.push(approver);
    }
    Ok((approvals, approvers))
}

async fn must_have_its_key(app: &App, approval: &StoredApproval) -> Result<(), Failure> {
    let owner = match from_value(approval.evidence.clone()) {
        Ok(Evidence::Passkey { credential_id, .. }) => {
            let passkey = app.store.passkey(&credential_id).await?;
            passkey.map(|passkey| passkey.approver_id)
        }
        Ok(Evidence::SoftwareKey { thumbprint, .. }) => {
            let found = app.store.approver_of_software_key(&thumbprint).await?;
            found.map(|(approver, _)| approver.id)
        }
        Err(_) => None,
    };
    if owner.as_ref() == Some(&approval.approver_id) {
        Ok(())
    } else {
        Err(Refusal::GrantEnded.into())
    }
}

async fn must_be_theirs_still(
    app: &App,
    request: &AuthorizationRequest,
    client: &Client,
    approvers: &[Approver],
) -> Result<(), Failure> {
    let profile = app.profile_of(client)?;
    for (position, approver) in approvers.iter().enumerate() {
        let groups = app.groups_of(&approver.id, profile).await?;
        let decider = Decider {
            approver_id: &approver.id,
            groups: &groups,
            place: &Place::default(),
            now: app.now(),
        };
        eligibility::must_be_theirs(request, &decider, profile, position > 0).map_err(|_| Refusal::GrantEnded)?;
    }
    Ok(())
}

/// How many more have to approve.
pub fn missing(request: &AuthorizationRequest, profile: &Profile) -> u32 {
    let have = u32::try_from(approvers(&request.state).len()).unwrap_or(u32::MAX);
    profile.approval.quorum.saturating_sub(have)
}

/// Whether this approver is one of those who approved.
pub fn is_of(request: &AuthorizationRequest, approver_id: &str) -> bool {
    approvers(&request.state).iter().any(|id| id == approver_id)
}

fn approvers(state: &State) -> &[String] {
    match state {
        State::Endorsed { by, .. } | State::Approved { by, .. } => by,
        _ => &[],
    }
}
