//! A profile told by the ids of RFC 10027's mitigations: what `waypass posture` and `waypass profile show`
//! print (X23).

use super::{ApprovedBy, AskingKey, Ceremony, NoticeChannel, Otherwise, Profile, SameDevice, StarterProof};
use crate::posture_demand::PostureDemand;
use crate::time::Lifetime;

/// One mitigation that holds, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mitigation {
    /// `X01`; the section of RFC 10027 is 6.1.1 for X01, and so on to X17. `posture` and `notices` are ours.
    pub id: &'static str,
    pub how: String,
}

impl Profile {
    /// Those that this profile has, then those that hold whatever a profile says.
    pub fn mitigations(&self) -> Vec<Mitigation> {
        let mut held = Vec::new();
        let mut add = |id, how: Option<String>| held.extend(how.map(|how| Mitigation { id, how }));
        add("X01", self.proximity_told());
        add(
            "X02",
            self.code_lifetime
                .map(|lifetime| format!("codes live {}", span(lifetime))),
        );
        add("X03", Some("one use; open in one browser only".to_owned()));
        add("X04", Some(self.repeated_told()));
        add(
            "X05",
            Some("codes have one recognisable shape, and may be reported".to_owned()),
        );
        add("X06", Some("what came of a reported code ends at once".to_owned()));
        add("X07", self.known_told());
        add(
            "X08",
            (!self.networks.is_empty()).then(|| format!("asked from {} only", listed(&self.networks))),
        );
        add("X09", self.scopes.as_ref().map(|scopes| format!("at most {scopes}")));
        add("X10", self.lifetimes_told());
        add("X11", self.limits_told());
        add(
            "X12",
            self.demands_key()
                .then(|| "codes and tokens are bound to a key".to_owned()),
        );
        add("X13", self.education.clone());
        add(
            "X14",
            Some("who, what, from where and what follows; declining comes first".to_owned()),
        );
        add(
            "X15",
            self.initiator
                .then(|| "a person signs before there is a code".to_owned()),
        );
        add(
            "X16",
            self.confirm_back
                .then(|| "six digits go back to where it was started".to_owned()),
        );
        add(
            "X17",
            self.binding_data
                .then(|| "what was typed at the start is typed again at the approval".to_owned()),
        );
        add("X25", self.same_device_told());
        add("notices", self.notices_told());
        add("posture", self.posture.as_ref().map(PostureDemand::told));
        held
    }

    fn proximity_told(&self) -> Option<String> {
        let proofs: Vec<&str> = self.approval.starter.iter().map(|proof| proof.as_str()).collect();
        let is_near = |proof| matches!(proof, &StarterProof::SameAddress | &StarterProof::ListedNetwork);
        let is_network = self.approval.starter.iter().any(is_near);
        let network = is_network.then(|| format!("the starter is proven by {}", proofs.join(" or ")));
        let ladder = self.proximity.map(|proximity| {
            let otherwise = match proximity.otherwise {
                Otherwise::Warn => "warns",
                Otherwise::Refuse => "refuses",
            };
            format!("less than {} {otherwise}", proximity.at_least.as_str())
        });
        match (network, ladder) {
            (Some(network), Some(ladder)) => Some(format!("{network}; {ladder}")),
            (network, ladder) => network.or(ladder),
        }
    }

    fn repeated_told(&self) -> String {
        let then = if self.repeated.ends { "ends it" } else { "is reported" };
        format!("a code presented by {} more {then}", self.repeated.presenters)
    }

    fn known_told(&self) -> Option<String> {
        let ceremony = match self.ceremony {
            Ceremony::Off => "no person can enroll one",
            Ceremony::WithNetwork => "a person enrolls one from the same address or a listed network only",
            Ceremony::Alone => "any person can enroll one from anywhere",
        };
        let by = if self.approval.by == ApprovedBy::Owner {
            ", its owner decides"
        } else {
            ""
        };
        (self.key == AskingKey::Enrolled).then(|| format!("only enrolled keys ask{by}; {ceremony}"))
    }

    fn lifetimes_told(&self) -> Option<String> {
        let each = [
            ("token", self.lifetimes.token),
            ("refresh", self.lifetimes.refresh),
            ("grant", self.lifetimes.grant),
        ];
        let told: Vec<String> = each
            .into_iter()
            .filter_map(|(name, lifetime)| lifetime.map(|lifetime| format!("{name} {}", span(lifetime))))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    fn limits_told(&self) -> Option<String> {
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let quiet = self.limits.quiet_hours;
        let told: Vec<String> = [
            self.limits
                .prompts_per_hour
                .map(|most| format!("{most} prompts an hour for each approver")),
            self.limits
                .open_requests
                .map(|most| format!("{most} open requests for each client")),
            quiet.map(|quiet| format!("quiet from {} to {}", clock(quiet.from), clock(quiet.to))),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// Only where it is less than everything.
    fn notices_told(&self) -> Option<String> {
        let allowed = &self.approval.notices;
        let names: Vec<&str> = allowed.iter().map(|channel| channel.as_str()).collect();
        match names.as_slice() {
            [] => Some("nobody is told that a request waits".to_owned()),
            _ if NoticeChannel::ALL.iter().all(|channel| allowed.contains(channel)) => None,
            names => Some(format!("told by {} only", names.join(", "))),
        }
    }

    fn same_device_told(&self) -> Option<String> {
        match self.same_device {
            SameDevice::Off => None,
            SameDevice::Warn => Some("approving on the device that asks warns".to_owned()),
            SameDevice::Refuse => Some("approving on the device that asks is refused".to_owned()),
        }
    }
}

fn listed(networks: &[ipnet::IpNet]) -> String {
    networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn span(lifetime: Lifetime) -> String {
    match lifetime.seconds() {
        seconds if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
