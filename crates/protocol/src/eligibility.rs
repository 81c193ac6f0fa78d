//! Whether this approver may decide this request, and what proves that its starter is theirs. An approve
//! click proves nothing of the kind (RFC 10027 §6.3): under every profile but `open` something else has to.
//! Pure; asked when a request is opened, and again in the batch that approves it.

use ipnet::IpNet;

use crate::authorization_request::{AuthorizationRequest, Content, Purpose, Route, State};
use crate::network::{self, NetworkMatch, Place};
use crate::profile::{ApprovedBy, Ceremony, Otherwise, Profile, SameDevice, StarterProof};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// An approver, and from where.
pub struct Decider<'a> {
    pub approver_id: &'a str,
    pub groups: &'a [String],
    pub place: &'a Place,
    pub now: Timestamp,
}

/// What the server knows beside the request.
pub struct Circumstances<'a> {
    pub profile: &'a Profile,
    /// Where the request came from.
    pub requester: &'a Place,
    /// Networks that an administrator has listed.
    pub listed: &'a [IpNet],
    /// Networks in which strangers share an address.
    pub shared: &'a [IpNet],
    /// Both ends claim the same kind of system (X25).
    pub is_same_platform: bool,
}

/// That an approver may decide. Private fields: [`eligible`] is the one maker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eligible {
    network: NetworkMatch,
    proofs: Vec<StarterProof>,
    is_near_enough: bool,
    is_same_device: bool,
}

impl Eligible {
    pub fn network(&self) -> NetworkMatch {
        self.network
    }

    /// Everything that holds, for the page and the event; that one of them was demanded has been checked.
    pub fn proofs(&self) -> impl Iterator<Item = &'static str> {
        self.proofs.iter().map(|proof| proof.as_str())
    }

    /// Whether the page has to warn (X01).
    pub fn is_near_enough(&self) -> bool {
        self.is_near_enough
    }

    /// Whether the page has to warn that both ends look like one device (X25).
    pub fn is_same_device(&self) -> bool {
        self.is_same_device
    }
}

impl StarterProof {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnInstance => "own_instance",
            Self::GroupInstance => "group_instance",
            Self::SameAddress => "same_address",
            Self::ListedNetwork => "listed_network",
            Self::CarriedBack => "carried_back",
        }
    }
}

pub fn eligible(
    request: &AuthorizationRequest,
    decider: &Decider<'_>,
    around: &Circumstances<'_>,
) -> Result<Eligible, Refusal> {
    if around
        .profile
        .limits
        .quiet_hours
        .is_some_and(|quiet| quiet.hold(decider.now))
    {
        return Err(Refusal::QuietHours);
    }
    let network = network::compare(around.requester, decider.place, around.shared);
    let proofs = proofs(request, decider, around, network);
    let is_second = matches!(request.state, State::Endorsed { .. });
    match request.content.purpose {
        Purpose::Enrollment(_) if !is_second => {
            ceremony_holds(around.profile, &proofs)?;
            must_be_theirs(request, decider, around.profile, is_second)?;
        }
        Purpose::Access | Purpose::Enrollment(_) => {
            must_be_theirs(request, decider, around.profile, is_second)?;
            let demanded = &around.profile.approval.starter;
            // What the first of a quorum proved, the others need not prove again.
            if !demanded.is_empty() && !is_second && !demanded.iter().any(|proof| proofs.contains(proof)) {
                return Err(Refusal::StarterUnproven);
            }
        }
    }
    let proximity = around.profile.proximity;
    let is_near_enough = proximity.is_none_or(|proximity| network >= proximity.at_least);
    if !is_near_enough && proximity.is_some_and(|proximity| proximity.otherwise == Otherwise::Refuse) {
        return Err(Refusal::TooFarAway);
    }
    // The address alone never says so: a NAT puts a household behind one.
    let is_same_device = around.is_same_platform && network == NetworkMatch::SameAddress;
    if is_same_device && around.profile.same_device == SameDevice::Refuse {
        return Err(Refusal::SameDevice);
    }
    Ok(Eligible {
        network,
        proofs,
        is_near_enough,
        // An instance that asks its owner by inbox has no code that somebody could have passed on.
        is_same_device: is_same_device
            && request.content.route.is_none()
            && around.profile.same_device == SameDevice::Warn,
    })
}

/// Who: the owner, a member, anyone. Whoever else presents the code learns nothing about it. For declining this is all.
pub fn must_be_theirs(
    request: &AuthorizationRequest,
    decider: &Decider<'_>,
    profile: &Profile,
    is_second: bool,
) -> Result<(), Refusal> {
    let approval = &profile.approval;
    let is_owner = request.content.owner.as_deref() == Some(decider.approver_id);
    let is_member = is_member(decider, profile);
    let stands_in = is_member && has_escalated(&request.content, profile, decider.now);
    let may = match approval.by {
        _ if is_second => is_member || is_owner,
        ApprovedBy::Anyone => true,
        // Nobody owns it yet: whoever approves it will.
        ApprovedBy::Owner => is_owner || stands_in || request.content.purpose.is_enrollment(),
        ApprovedBy::Group => is_member,
    };
    let may = may && (is_second || stands_in || is_asked(&request.content, decider));
    // X15: whoever started it decides first; a group may be given another's request.
    let initiator = request.content.initiator.as_deref();
    let is_other = initiator.is_some_and(|initiator| initiator != decider.approver_id);
    if !may || (is_other && !is_second && approval.by != ApprovedBy::Group) {
        return Err(Refusal::NotYoursToDecide);
    }
    Ok(())
}

/// A user code asks whoever types it; an inbox asks whose it is.
fn is_asked(content: &Content, decider: &Decider<'_>) -> bool {
    match &content.route {
        None => true,
        Some(Route::Owner) => content.owner.as_deref() == Some(decider.approver_id),
        Some(Route::Approver(id)) => id == decider.approver_id,
        Some(Route::Group(group)) => decider.groups.contains(group),
        Some(Route::Nobody) => false,
    }
}

fn has_escalated(content: &Content, profile: &Profile, now: Timestamp) -> bool {
    let after = profile
        .approval
        .escalate_after
        .filter(|_| content.route == Some(Route::Owner));
    after.is_some_and(|after| now >= content.requested_at + after)
}

fn is_member(decider: &Decider<'_>, profile: &Profile) -> bool {
    let group = profile.approval.group.as_ref();
    group.is_some_and(|group| decider.groups.contains(group))
}

fn proofs(
    request: &AuthorizationRequest,
    decider: &Decider<'_>,
    around: &Circumstances<'_>,
    network: NetworkMatch,
) -> Vec<StarterProof> {
    let content = &request.content;
    let is_own = content.instance.is_some() && content.owner.as_deref() == Some(decider.approver_id);
    let is_of_group = content.instance.is_some() && content.route.is_some() && is_member(decider, around.profile);
    let is_listed = network::both_are_listed(around.requester, decider.place, around.listed);
    [
        (is_own, StarterProof::OwnInstance),
        (is_of_group, StarterProof::GroupInstance),
        (network == NetworkMatch::SameAddress, StarterProof::SameAddress),
        (is_listed, StarterProof::ListedNetwork),
        (around.profile.confirm_back, StarterProof::CarriedBack),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, proof)| proof)
    .collect()
}

/// A ceremony can be talked through on the telephone: what counts is what came with it.
fn ceremony_holds(profile: &Profile, proofs: &[StarterProof]) -> Result<(), Refusal> {
    let is_near = proofs.contains(&StarterProof::SameAddress) || proofs.contains(&StarterProof::ListedNetwork);
    match profile.ceremony {
        Ceremony::Off => Err(Refusal::CeremonyNotAllowed),
        Ceremony::WithNetwork if !is_near => Err(Refusal::StarterUnproven),
        Ceremony::WithNetwork | Ceremony::Alone => Ok(()),
    }
}

#[cfg(test)]
mod tests;
