//! Giving less, on the page: a form that shows the same page again with what was chosen, and writes nothing. What
//! is left then travels with the passkey's signature, in a field that changes nothing by itself: the signature is
//! over it. The rules are in `protocol/narrowing.rs`.

use protocol::decision::Granted;
use protocol::details::{Details, Part, Types};
use protocol::refusal::Refusal;
use protocol::scope::Scope;
use protocol::shown::shown;
use protocol::time::{Lifetime, Timestamp};
use protocol::wire::approver::Permission;
use serde_json::Value;

use super::moment::{Moment, span};

/// How the choice came.
#[derive(Clone, Copy)]
pub enum Choice<'a> {
    /// There was none: all that is left.
    All,
    /// Of the form, in the address.
    Query(&'a str),
    /// Of the page that was signed: see [`read`].
    Signed(&'a Granted),
}

impl Choice<'_> {
    pub fn of(self, left: &Granted) -> Result<Granted, Refusal> {
        match self {
            Self::All => Ok(left.clone()),
            Self::Query(query) => chosen(query, left),
            Self::Signed(granted) => Ok(granted.clone()),
        }
    }
}

/// The field that goes back with a signature.
pub fn read(field: &str) -> Result<Granted, Refusal> {
    Granted::from_value(&serde_json::from_str(field).map_err(|_| Refusal::RequestMalformed)?)
}

/// Exactly what the form sends: a name that it does not have is not ignored, or something could be taken for
/// taken away.
fn chosen(query: &str, left: &Granted) -> Result<Granted, Refusal> {
    let (mut scopes, mut details) = (Vec::new(), Vec::new());
    let mut granted = Granted {
        scope: Scope::default(),
        resource: Vec::new(),
        authorization_details: Details::default(),
        expires_at: left.expires_at,
    };
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "scope" => scopes.push(value.into_owned()),
            "resource" => granted.resource.push(value.into_owned()),
            "detail" => details.push(value.parse().map_err(|_| Refusal::RequestMalformed)?),
            "until" => granted.expires_at = value.parse().map_err(|_| Refusal::RequestMalformed)?,
            _ => return Err(Refusal::RequestMalformed),
        }
    }
    granted.scope = Scope::parse(&scopes.join(" "))?;
    granted.authorization_details = left
        .authorization_details
        .only(&details)
        .ok_or(Refusal::GrantedTooMuch)?;
    Ok(granted)
}

/// The form.
pub struct Narrowing {
    /// Whether anything is taken away on this page.
    pub is_narrowed: bool,
    pub lines: Vec<Line>,
    pub ends: Vec<End>,
    /// Of the decision on this page, as it goes back with the signature.
    pub granted: String,
}

/// One thing that can be taken away, or one that has to stay.
pub struct Line {
    /// Of the field: `scope`, `resource`, `detail`.
    pub name: &'static str,
    pub value: String,
    pub sentence: String,
    /// What stands beside the sentence, as on the page.
    pub text: String,
    pub is_given: bool,
    /// The only address: without it nothing could be used.
    pub is_fixed: bool,
}

/// An end to choose.
pub struct End {
    /// Unix seconds.
    pub until: i64,
    pub text: String,
    pub is_chosen: bool,
}

impl Line {
    fn of(permission: &Permission, granted: &Granted, left: &Granted) -> Self {
        let name = &permission.name;
        let (kind, is_given) = match permission.kind.as_str() {
            "resource" => ("resource", granted.resource.contains(name)),
            _ => ("scope", granted.scope.contains(name)),
        };
        Self {
            name: kind,
            value: name.clone(),
            sentence: shown(&permission.sentence),
            text: shown(name),
            is_given,
            is_fixed: kind == "resource" && left.resource.len() == 1,
        }
    }

    /// The detail at this place.
    fn of_detail(place: usize, detail: &Value, granted: &Granted, types: &Types) -> Self {
        Self {
            name: "detail",
            value: place.to_string(),
            sentence: types.sentence(detail).iter().map(Part::shown).collect(),
            text: shown(detail.get("type").and_then(Value::as_str).unwrap_or_default()),
            is_given: granted.authorization_details.iter().any(|given| given == detail),
            is_fixed: false,
        }
    }
}

impl Narrowing {
    /// `permissions`: of all that is left.
    pub fn new(permissions: &[Permission], granted: &Granted, left: &Granted, now: Timestamp) -> Self {
        let lines = permissions.iter();
        Self {
            is_narrowed: granted != left,
            lines: lines.map(|permission| Line::of(permission, granted, left)).collect(),
            ends: ends(granted, left, now),
            granted: granted.to_value().to_string(),
        }
    }

    /// With what is left of the details, each whole.
    pub fn with_details(mut self, left: &Granted, granted: &Granted, types: &Types) -> Self {
        let details = left.authorization_details.iter().enumerate();
        let lines = details.map(|(place, detail)| Line::of_detail(place, detail, granted, types));
        self.lines.extend(lines);
        self
    }

    pub fn taken_away(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| !line.is_given)
    }
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const SHORTER: [i64; 6] = [10 * MINUTE, HOUR, 4 * HOUR, 8 * HOUR, 24 * HOUR, 7 * 24 * HOUR];

/// What was chosen, what is left at most, and what is shorter.
fn ends(granted: &Granted, left: &Granted, now: Timestamp) -> Vec<End> {
    let until = |until: i64| format!("until {}", Moment::at(Timestamp::from_seconds(until)).text);
    let mut ends = vec![End {
        until: left.expires_at,
        text: format!("as long as asked, {}", until(left.expires_at)),
        is_chosen: granted.expires_at == left.expires_at,
    }];
    if granted.expires_at < left.expires_at {
        ends.push(End {
            until: granted.expires_at,
            text: until(granted.expires_at),
            is_chosen: true,
        });
    }
    let shorter = SHORTER.map(|seconds| End {
        until: now.seconds() + seconds,
        text: span(Lifetime::from_seconds(seconds)),
        is_chosen: false,
    });
    // As good as what is chosen is no other choice.
    let is_other = |end: &End| end.until < left.expires_at && (end.until - granted.expires_at).abs() >= MINUTE;
    ends.extend(shorter.into_iter().filter(is_other));
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left() -> Granted {
        Granted {
            scope: Scope::parse("read write").unwrap(),
            resource: vec!["https://a".to_owned(), "https://b".to_owned()],
            authorization_details: serde_json::from_str(r#"[{"type":"x"},{"type":"y"}]"#).unwrap(),
            expires_at: 2_000,
        }
    }

    #[test]
    fn what_the_form_sends_is_what_is_chosen() {
        let chosen = Choice::Query("scope=read&resource=https%3A%2F%2Fb&detail=1&until=1500")
            .of(&left())
            .unwrap();
        assert_eq!(
            chosen.to_value(),
            serde_json::json!({
                "scope": "read", "resource": ["https://b"], "authorization_details": [{"type": "y"}], "expires_at": 1500
            })
        );
        assert_eq!(Choice::All.of(&left()), Ok(left()));
        let nothing = Choice::Query("").of(&left()).unwrap();
        assert!(nothing.scope.is_empty() && nothing.resource.is_empty() && nothing.authorization_details.is_empty());
    }

    #[test]
    fn what_the_form_does_not_send_is_refused_and_never_ignored() {
        for query in [
            "scop=read",
            "scope=read&x=1",
            "detail=2",
            "detail=-1",
            "detail=x",
            "until=soon",
            "scope=%22",
        ] {
            assert!(Choice::Query(query).of(&left()).is_err(), "{query}");
        }
        for field in ["", "{}", "[]", "null", r#"{"scope":"read"}"#] {
            assert!(read(field).is_err(), "{field}");
        }
    }
}
