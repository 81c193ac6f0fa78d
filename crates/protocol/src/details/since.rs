//! What a command asks for now that it was not given the last time, in words. The same command is one whose program has
//! the same name; what it may reach beside it is compared too. Not here: how long, which is the profile's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Details, Part, Types, canonical};
use crate::decision::Granted;

/// The members of a command as they are told.
const MEMBERS: [(&str, &str); 11] = [
    ("argv", "The arguments"),
    ("argv_form", "The form of the arguments"),
    ("host", "The host"),
    ("user", "The user"),
    ("working_directory", "The folder"),
    ("executable_sha256", "The program"),
    ("inputs", "The files"),
    ("environment", "The environment"),
    ("claimed", "What nothing pins"),
    ("token_env", "The variable with the token"),
    ("runs", "How often"),
];

impl Details {
    /// As in [`Granted::changed_since`].
    fn changed_since(&self, before: &Self, types: &Types) -> Option<Vec<String>> {
        let now = self.commands().next()?;
        let same = before.commands().filter(|then| program(then) == program(now));
        let then = same.min_by_key(|then| *then != now)?;
        let members = MEMBERS.iter().filter(|(name, _)| now.get(name) != then.get(name));
        let changes = members.flat_map(|(name, told)| change(told, then.get(name), now.get(name)));
        let beside = compared(&self.beside(now), &before.beside(then), |detail| said(types, detail));
        Some(changes.chain(beside).collect())
    }

    fn beside(&self, command: &Value) -> BTreeSet<String> {
        let beside = self.iter().filter(|detail| *detail != command);
        beside.map(canonical).collect()
    }
}

impl Granted {
    /// Each change by what it was before; none where nothing changed. `None` where `before` has another command or none.
    pub fn changed_since(&self, before: &Self, types: &Types) -> Option<Vec<String>> {
        let mut changes = self
            .authorization_details
            .changed_since(&before.authorization_details, types)?;
        let scopes = |granted: &Self| granted.scope.iter().map(str::to_owned).collect();
        changes.extend(compared(&scopes(self), &scopes(before), |scope| {
            format!("Act with the permission {}.", quoted(scope))
        }));
        let resources = |granted: &Self| granted.resource.iter().cloned().collect();
        changes.extend(compared(&resources(self), &resources(before), |resource| {
            format!("Use it at {}.", quoted(resource))
        }));
        Some(changes)
    }
}

fn compared(now: &BTreeSet<String>, then: &BTreeSet<String>, said: impl Fn(&str) -> String) -> Vec<String> {
    let new = now.difference(then).map(|new| format!("New: {}", said(new)));
    let gone = then.difference(now).map(|old| format!("No more: {}", said(old)));
    new.chain(gone).collect()
}

/// Wherever it lies.
fn program(command: &Value) -> Option<&str> {
    command.pointer("/argv/0")?.as_str()?.rsplit('/').next()
}

fn said(types: &Types, detail: &str) -> String {
    let sentence = types.own_sentence(detail).unwrap_or_default();
    sentence.iter().map(Part::shown).collect()
}

/// Of files and variables each by its name.
fn change(told: &str, then: Option<&Value>, now: Option<&Value>) -> Vec<String> {
    match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) => {
            let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
            let changed = names.into_iter().filter(|name| then.get(*name) != now.get(*name));
            changed
                .map(|name| format!("{told}: {} was {}", quoted(name), value(then.get(name))))
                .collect()
        }
        (then, _) => vec![format!("{told}: before {}", value(then))],
    }
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "not named".to_owned(),
        Some(Value::String(text)) => quoted(text),
        Some(Value::Array(items)) => {
            let items: Vec<_> = items.iter().map(|item| self::value(Some(item))).collect();
            items.join(" ")
        }
        Some(other) => quoted(&canonical(other)),
    }
}

fn quoted(text: &str) -> String {
    Part::Value(text.to_owned()).shown()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::scope::Scope;

    fn granted(details: &Value, scope: &str, resource: &[&str]) -> Granted {
        Granted {
            scope: Scope::parse(scope).unwrap(),
            resource: resource.iter().map(ToString::to_string).collect(),
            authorization_details: Types::built_in().read(&details.to_string()).unwrap(),
            expires_at: 0,
        }
    }

    fn told(before: &Value, now: &Value) -> String {
        told_of(&granted(before, "", &[]), &granted(now, "", &[]))
    }

    fn told_of(before: &Granted, now: &Granted) -> String {
        match now.changed_since(before, &Types::built_in()) {
            None => "another command".to_owned(),
            Some(changes) if changes.is_empty() => "nothing".to_owned(),
            Some(changes) => changes.join("\n"),
        }
    }

    #[test]
    fn a_second_command_is_new_whatever_stands_before_it() {
        let command = |argv: &str| json!({ "type": "command", "argv": [argv] });
        let (before, now) = (
            json!([command("./deploy")]),
            json!([command("./deploy"), command("./wipe")]),
        );
        assert_eq!(told(&before, &now), r#"New: Run "./wipe"."#);
        let other = json!([command("./wipe")]);
        assert_eq!(told(&now, &other), r#"No more: Run "./deploy"."#);
    }

    #[test]
    fn a_permission_and_an_address_are_compared_as_the_command_is() {
        let command = json!([{ "type": "command", "argv": ["./deploy"] }]);
        let before = granted(&command, "read offline_access", &["https://a.example"]);
        assert_eq!(told_of(&before, &before), "nothing");
        let now = granted(&command, "read write", &["https://a.example", "https://b.example"]);
        expect![[r#"
            New: Act with the permission "write".
            No more: Act with the permission "offline_access".
            New: Use it at "https://b.example"."#]]
        .assert_eq(&told_of(&before, &now));
        expect![[r#"
            New: Act with the permission "offline_access".
            No more: Act with the permission "write".
            No more: Use it at "https://b.example"."#]]
        .assert_eq(&told_of(&now, &before));
    }

    #[test]
    fn what_changed_is_told_by_what_it_was() {
        let digest = |digit: &str| digit.repeat(64);
        let api =
            |path: &str| json!({ "type": "api", "resource": "https://a.example", "methods": ["GET"], "paths": [path] });
        let before = json!([
            { "type": "command", "argv": ["./deploy", "--site", "a\" b"], "host": "jump-1", "executable_sha256": digest("0"),
              "inputs": { "site.toml": digest("1"), "old.toml": digest("2") } },
            api("/v1/*"),
        ]);
        let mut now = before.clone();
        assert_eq!(told(&before, &now), "nothing");
        now[0] = json!({ "type": "command", "argv": ["/srv/deploy", "--site", "b"], "executable_sha256": digest("3"),
            "inputs": { "site.toml": digest("4"), "new.toml": digest("2") }, "token_env": "TOKEN" });
        now[1] = api("/**");
        expect![[r#"
            The arguments: before "./deploy" "--site" "a\" b"
            The host: before "jump-1"
            The program: before "0000000000000000000000000000000000000000000000000000000000000000"
            The files: "new.toml" was not named
            The files: "old.toml" was "2222222222222222222222222222222222222222222222222222222222222222"
            The files: "site.toml" was "1111111111111111111111111111111111111111111111111111111111111111"
            The variable with the token: before not named
            New: Send "GET" requests to "https://a.example", to the paths "/**".
            No more: Send "GET" requests to "https://a.example", to the paths "/v1/*"."#]]
        .assert_eq(&told(&before, &now));
        now[0]["argv"][0] = json!("/srv/destroy");
        assert_eq!(told(&before, &now), "another command");
        assert_eq!(told(&json!([api("/**")]), &now), "another command");
    }

    /// What is not compared could change unseen.
    #[test]
    fn every_member_of_a_command_is_compared() {
        let types = Types::built_in();
        let schema = &types.metadata()["command"]["schema"]["properties"];
        let members: BTreeSet<_> = schema.as_object().unwrap().keys().map(String::as_str).collect();
        let compared = MEMBERS.iter().map(|(name, _)| *name).chain(["type"]).collect();
        assert_eq!(members, compared);
    }
}
