//! Our values as Cedar's. Every text becomes a value by construction: nothing here is parsed, so no text of a
//! requester can become a part of a policy, name another entity, or end a string.

use std::collections::BTreeMap;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, Request,
    RestrictedExpression as Expression, Schema,
};
use protocol::fact::{Fact, Source};
use serde_json::Value;

use crate::input::{Access, Input, Place, Step};
use crate::moment::{self, Civil};

/// The names of the schema, parsed once.
#[derive(Clone)]
pub struct Names {
    access: EntityTypeName,
    action: EntityTypeName,
    approver: EntityTypeName,
    client: EntityTypeName,
    facts: EntityTypeName,
    group: EntityTypeName,
    instance: EntityTypeName,
}

/// A question in Cedar's words.
pub struct Question {
    pub request: Request,
    pub entities: Entities,
}

/// Why there is none: an input that the schema does not know. It is never the fault of what an outsider sent.
#[derive(Debug)]
pub struct Unaskable;

type Members = Vec<(String, Expression)>;

impl Names {
    pub fn new() -> Result<Self, Box<ParseErrors>> {
        let name = |name: &str| name.parse::<EntityTypeName>().map_err(Box::new);
        Ok(Self {
            access: name("Access")?,
            action: name("Action")?,
            approver: name("Approver")?,
            client: name("Client")?,
            facts: name("Facts")?,
            group: name("Group")?,
            instance: name("Instance")?,
        })
    }

    pub fn action(&self, name: &str) -> EntityUid {
        uid(&self.action, name)
    }

    /// With a schema everything is checked against it: in tests. What is asked here fits by construction.
    pub fn question(&self, input: &Input, schema: Option<&Schema>) -> Result<Question, Unaskable> {
        let principal = uid(&self.client, &input.client.id);
        let resource = uid(&self.access, &input.access.id);
        let context = Context::from_pairs(self.context(input)).map_err(|_| Unaskable)?;
        let action = self.action(input.step.as_str());
        Ok(Question {
            request: Request::new(principal, action, resource, context, schema).map_err(|_| Unaskable)?,
            entities: Entities::from_entities(self.entities(input)?, schema).map_err(|_| Unaskable)?,
        })
    }

    fn context(&self, input: &Input) -> Members {
        let mut members = vec![
            pair("now", now(input)),
            pair("profile", text(&input.profile)),
            pair("origin", text(&input.origin)),
            pair("binding", text(&input.binding)),
            pair("quorum", Expression::new_long(input.quorum.into())),
        ];
        for source in [Source::Proven, Source::Derived, Source::Claimed] {
            let facts = uid(&self.facts, source.as_str());
            members.push(pair(source.as_str(), Expression::new_entity_uid(facts)));
        }
        if let Some(instance) = &input.instance {
            let instance = uid(&self.instance, &instance.id);
            members.push(pair("instance", Expression::new_entity_uid(instance)));
        }
        members.extend(self.of_step(input));
        members
    }

    /// What only some steps know.
    fn of_step(&self, input: &Input) -> Members {
        let approver = input.approver.as_ref().map_or("", |approver| &approver.id);
        let approver = || pair("approver", Expression::new_entity_uid(uid(&self.approver, approver)));
        let requester = || pair("requester", place(&input.requester));
        let approvals = || pair("approvals", Expression::new_long(input.approvals.into()));
        let person = || {
            let entry = input.entry.as_deref().unwrap_or_default();
            [
                pair("onlooker", place(&input.onlooker.clone().unwrap_or_default())),
                pair("network", text(input.network.as_str())),
                pair("entry", text(entry)),
            ]
        };
        let authentication = || {
            let acr = input.acr.as_deref().unwrap_or_default();
            [pair("acr", text(acr)), pair("amr", texts(&input.amr))]
        };
        let age = || pair("age", Expression::new_long(input.age));
        let mut members = Vec::new();
        match input.step {
            Step::Request => members.push(requester()),
            Step::View => {
                members.extend([requester(), approver(), approvals()]);
                members.extend(person());
            }
            Step::Approve => {
                members.extend([requester(), approver(), approvals()]);
                members.extend(person().into_iter().chain(authentication()));
            }
            Step::Redeem => {
                members.extend([requester(), approver(), approvals(), age()]);
                members.extend(authentication());
            }
            Step::Refresh => {
                members.extend([requester(), approver(), age()]);
                members.extend(authentication());
            }
            Step::Introspect => {
                let reader = text(input.reader.as_deref().unwrap_or_default());
                members.extend([approver(), age(), pair("reader", reader)]);
                members.extend(authentication());
            }
        }
        members
    }

    fn entities(&self, input: &Input) -> Result<Vec<Entity>, Unaskable> {
        let mut entities = vec![self.step(input.step), self.client(input)?, self.access(&input.access)?];
        for source in [Source::Proven, Source::Derived, Source::Claimed] {
            entities.push(self.facts(source, &input.facts)?);
        }
        entities.extend(self.instance(input)?);
        entities.extend(self.approver(input)?);
        Ok(entities)
    }

    /// Without it the step would be in no group, and what is said of the group would not hold.
    fn step(&self, step: Step) -> Entity {
        let group = step.group().map(|group| self.action(group));
        Entity::new_no_attrs(self.action(step.as_str()), group.into_iter().collect())
    }

    fn client(&self, input: &Input) -> Result<Entity, Unaskable> {
        let client = &input.client;
        let mut members = vec![
            pair("kind", text(&client.kind)),
            pair("verified", Expression::new_bool(client.verified)),
        ];
        members.extend(optional("environment", client.environment.as_deref()));
        entity(uid(&self.client, &client.id), members, [], [])
    }

    fn access(&self, access: &Access) -> Result<Entity, Unaskable> {
        let purpose = if access.enrolls { "enrollment" } else { "access" };
        let types: Vec<&str> = access.details.iter().filter_map(kind).collect();
        let members = vec![
            pair("purpose", text(purpose)),
            pair("scopes", texts(&access.scopes)),
            pair("resources", texts(&access.resources)),
            pair("details", texts(&types)),
            pair("lifetime", Expression::new_long(access.lifetime)),
        ];
        let tags = tags(&access.details).into_iter();
        let tags = tags.map(|(name, values)| (name, texts(&values)));
        entity(uid(&self.access, &access.id), members, [], tags)
    }

    fn facts(&self, source: Source, facts: &[Fact]) -> Result<Entity, Unaskable> {
        let mut own: BTreeMap<&str, &str> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| fact.source == source) {
            own.entry(&fact.name).or_insert(&fact.value);
        }
        let tags = own.into_iter().map(|(name, value)| pair(name, text(value)));
        entity(uid(&self.facts, source.as_str()), Vec::new(), [], tags)
    }

    fn instance(&self, input: &Input) -> Result<Option<Entity>, Unaskable> {
        let Some(instance) = &input.instance else {
            return Ok(None);
        };
        let mut members = vec![
            pair("name", text(&instance.name)),
            pair("way_in", text(&instance.way_in)),
        ];
        members.extend(optional("environment", instance.environment.as_deref()));
        let parents = [uid(&self.client, &input.client.id)];
        entity(uid(&self.instance, &instance.id), members, parents, []).map(Some)
    }

    /// There is one at every step but the first, so that a policy may ask for its members.
    fn approver(&self, input: &Input) -> Result<Option<Entity>, Unaskable> {
        if input.step == Step::Request {
            return Ok(None);
        }
        let approver = input.approver.clone().unwrap_or_default();
        let members = vec![pair("name", text(&approver.name))];
        let groups = approver.groups.iter().map(|name| uid(&self.group, name));
        entity(uid(&self.approver, &approver.id), members, groups, []).map(Some)
    }
}

fn now(input: &Input) -> Expression {
    let Civil {
        year,
        month,
        day,
        weekday,
        hour,
        minute,
        ..
    } = moment::civil(input.now);
    record(vec![
        pair("unix", Expression::new_long(input.now.seconds())),
        pair("year", Expression::new_long(year)),
        pair("month", Expression::new_long(month)),
        pair("day", Expression::new_long(day)),
        pair("weekday", text(weekday)),
        pair("hour", Expression::new_long(hour)),
        pair("minute", Expression::new_long(minute)),
    ])
}

fn place(place: &Place) -> Expression {
    let mut members = vec![pair("listed", Expression::new_bool(place.listed))];
    if let Some(address) = place.address {
        members.push(pair("address", Expression::new_ip(address.to_canonical().to_string())));
    }
    if let Some(operator) = place.operator {
        members.push(pair("operator", Expression::new_long(operator.into())));
    }
    members.extend(optional("country", place.country.as_deref()));
    record(members)
}

fn kind(detail: &Value) -> Option<&str> {
    detail.get("type")?.as_str()
}

/// Every text, number and truth value of every detail, under its type and the names of the members that lead to it.
/// A dot in a member's name is written `\.`, so that no member can stand under another's name. A member that one
/// detail names and another of its type leaves open has the empty text among its values: else a second detail that
/// allows anything would hide behind one that allows little.
fn tags(details: &[Value]) -> BTreeMap<String, Vec<String>> {
    let each: Vec<(&str, BTreeMap<String, Vec<String>>)> = details.iter().filter_map(own_tags).collect();
    let mut tags: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, own) in &each {
        for (name, values) in own {
            let is_left_open = each
                .iter()
                .any(|(other, members)| other == kind && !members.contains_key(name));
            let all = tags.entry(name.clone()).or_default();
            all.extend(values.iter().cloned());
            all.extend(is_left_open.then(String::new));
        }
    }
    tags
}

fn own_tags(detail: &Value) -> Option<(&str, BTreeMap<String, Vec<String>>)> {
    let (kind, members) = (kind(detail)?, detail.as_object()?);
    let mut tags = BTreeMap::new();
    for (name, value) in members.iter().filter(|(name, _)| *name != "type") {
        gather(&format!("{kind}.{}", plain(name)), value, &mut tags);
    }
    Some((kind, tags))
}

fn gather(path: &str, value: &Value, tags: &mut BTreeMap<String, Vec<String>>) {
    let own = match value {
        Value::Object(members) => {
            for (name, value) in members {
                gather(&format!("{path}.{}", plain(name)), value, tags);
            }
            return;
        }
        Value::Array(values) => {
            for value in values {
                gather(path, value, tags);
            }
            return;
        }
        Value::Null => return,
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    tags.entry(path.to_owned()).or_default().push(own);
}

fn plain(name: &str) -> String {
    name.replace('\\', "\\\\").replace('.', "\\.")
}

fn entity(
    uid: EntityUid,
    members: Members,
    parents: impl IntoIterator<Item = EntityUid>,
    tags: impl IntoIterator<Item = (String, Expression)>,
) -> Result<Entity, Unaskable> {
    Entity::new_with_tags(uid, members, parents, tags).map_err(|_| Unaskable)
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

fn pair(name: &str, value: Expression) -> (String, Expression) {
    (name.to_owned(), value)
}

fn optional(name: &str, value: Option<&str>) -> Option<(String, Expression)> {
    value.map(|value| pair(name, text(value)))
}

fn text(value: &str) -> Expression {
    Expression::new_string(value.to_owned())
}

fn texts(values: &[impl AsRef<str>]) -> Expression {
    Expression::new_set(values.iter().map(|value| text(value.as_ref())))
}

/// Of names that are distinct: there is no other way for it to fail.
fn record(members: Members) -> Expression {
    Expression::new_record(members).unwrap_or_else(|_| Expression::new_bool(false))
}
