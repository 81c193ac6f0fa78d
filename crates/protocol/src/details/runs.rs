//! A number of runs under one approval. The authorization server counts them, one token each; to a resource server a run is
//! one run.

use serde_json::Value;

use super::{Details, is_command};

const RUNS: &str = "runs";

impl Details {
    /// How often all of its commands may be run: one that does not say is run once.
    pub fn runs(&self) -> i64 {
        self.runs_of_each().min().unwrap_or(1)
    }

    /// What has to be allowed: an approver may take the others away.
    pub fn most_runs(&self) -> i64 {
        self.runs_of_each().max().unwrap_or(1)
    }

    fn runs_of_each(&self) -> impl Iterator<Item = i64> {
        self.commands()
            .map(|command| command.get(RUNS).and_then(Value::as_i64).unwrap_or(1))
    }

    /// What is run several times is the same each time: program and environment are told, and nothing is only claimed.
    pub fn runs_are_pinned(&self) -> bool {
        let mut repeated = self.commands().filter(|command| command.get(RUNS).is_some());
        repeated.all(|command| {
            let is_told = |name: &str| command.get(name).is_some();
            is_told("executable_sha256") && is_told("environment") && !is_told("claimed")
        })
    }

    /// The same for one run.
    #[must_use]
    pub fn once(&self) -> Self {
        let mut once = self.clone();
        for command in once.0.iter_mut().filter(|detail| is_command(detail)) {
            if let Some(members) = command.as_object_mut() {
                members.remove(RUNS);
            }
        }
        once
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::details::Types;

    #[test]
    fn the_least_number_of_runs_counts_and_a_resource_server_sees_one_run() {
        let read = |details: &Value| Types::built_in().read(&details.to_string());
        let command = |argv: &str, runs: Option<i64>| {
            let mut command = json!({ "type": "command", "argv": [argv] });
            if let (Some(runs), Some(members)) = (runs, command.as_object_mut()) {
                members.insert("runs".to_owned(), runs.into());
            }
            command
        };
        let api = json!({ "type": "api", "resource": "https://a.example", "methods": ["GET"], "paths": ["/**"] });
        for (details, runs) in [
            (json!([api]), 1),
            (json!([command("a", None)]), 1),
            (json!([command("a", Some(5)), api]), 5),
            (json!([command("a", Some(5)), command("b", Some(3))]), 3),
            (json!([command("a", Some(5)), command("b", None)]), 1),
        ] {
            assert_eq!(read(&details).unwrap().runs(), runs, "{details}");
        }
        let (five, one) = (command("a", Some(5)), command("a", None));
        let [granted_five, granted_one] = [&five, &one].map(|detail| read(&json!([detail])).unwrap());
        assert_eq!(granted_five.once(), granted_one);
        let types = Types::built_in();
        assert!(types.permits(&granted_five, &one));
        assert!(!types.permits(&granted_five, &command("b", None)));
        assert!(!types.is_within(&granted_five, &granted_one), "more than was granted");
        assert!(!types.is_within(&granted_one, &granted_five));
        for odd in [json!(1), json!(0), json!(-1), json!(1001), json!("5"), json!(2.5)] {
            let mut command = one.clone();
            command["runs"] = odd.clone();
            assert!(read(&json!([command])).is_err(), "{odd}");
        }
    }
}
