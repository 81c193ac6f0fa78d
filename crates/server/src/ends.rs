//! The two ends of a request, each with what is known of it: as facts with their sources for people, as flat
//! fields for rules (docs/events.md). How near they are is for `protocol/network.rs` to say.

use protocol::authorization_request::Content;
use protocol::event::Event;
use protocol::fact::{Fact, Source};
use protocol::network::{Operator, Place};

use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::peer::SeenAddress;

/// RFC 10027's consumption device (`requester`) or authorization device (`approver`).
pub struct End {
    side: &'static str,
    pub place: Place,
    ip_source: Option<String>,
    /// A claim.
    pub user_agent: Option<String>,
}

const REQUESTER: &str = "requester";
const APPROVER: &str = "approver";

impl End {
    /// Who asks right now.
    pub fn asking(app: &App, asked: &ClientRequest) -> Self {
        Self::seen(app, REQUESTER, asked.address, asked.user_agent.as_deref())
    }

    /// Who asked then, from what was written down.
    pub fn asked(app: &App, content: &Content) -> Self {
        let value = |name: &str| content.fact(name).map(|fact| fact.value.clone());
        Self {
            side: REQUESTER,
            place: app.place(content.requester_address()),
            ip_source: value(Fact::REQUESTER_IP_SOURCE),
            user_agent: value(Fact::REQUESTER_USER_AGENT),
        }
    }

    pub fn deciding(app: &App, address: SeenAddress, user_agent: Option<&str>) -> Self {
        Self::seen(app, APPROVER, address, user_agent)
    }

    fn seen(app: &App, side: &'static str, seen: SeenAddress, user_agent: Option<&str>) -> Self {
        Self {
            side,
            place: app.place(seen.address),
            ip_source: Some(seen.via.as_str().to_owned()),
            user_agent: user_agent.map(str::to_owned),
        }
    }

    pub fn facts(&self) -> Vec<Fact> {
        let fact =
            |what: &str, value: Option<&str>, source| Some(Fact::new(&format!("{}.{what}", self.side), value?, source));
        let address = self.place.address.map(|address| address.to_string());
        let operator = self
            .place
            .operator
            .as_ref()
            .map(|Operator { number, name }| format!("{name} (AS{number})"));
        let facts = [
            fact("address", address.as_deref(), Source::Proven),
            fact("ip_source", self.ip_source.as_deref(), Source::Proven),
            fact("operator", operator.as_deref(), Source::Derived),
            fact("country", self.place.country.as_deref(), Source::Derived),
            fact("user_agent", self.user_agent.as_deref(), Source::Claimed),
        ];
        facts.into_iter().flatten().collect()
    }

    pub fn on(&self, event: Event) -> Event {
        let name = |what: &str| format!("{}.{what}", self.side);
        let operator = self.place.operator.as_ref();
        let user_agent = self.user_agent.as_deref();
        event
            .with(&name("ip"), self.place.address.map(|address| address.to_string()))
            .with(&name("ip_source"), self.ip_source.clone())
            .with(&name("asn"), operator.map(|operator| operator.number))
            .with(&name("as_org"), operator.map(|operator| operator.name.clone()))
            .with(&name("geo"), self.place.country.clone())
            .with(
                &name("ua"),
                user_agent.map(|text| Fact::new("", text, Source::Claimed).value),
            )
    }
}
