//! A story as it is told: what is typed, what terminals print, what pages say and what is refused are compared with
//! docs/stories.md. What no two runs have in common is told in one form: see `one_form.rs`.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use super::one_form::in_one_form;
use super::terminal::Terminal;
use crate::browser::driver::Browser;
use crate::browser::looks::look;
use crate::browser::person::Person;
use crate::document;
use crate::process::Ran;
use crate::world::World;

const PAGE: &str = "stories.md";
/// The issuer in the document.
const ISSUER: &str = "http://localhost:8628";

pub struct Telling<'a> {
    pub world: &'a World,
    story: &'static str,
    /// What is typed in the document, and what it is in this run.
    typed: Mutex<Vec<(String, String)>>,
    /// What is printed in the document, and what it is in this run.
    shown: Mutex<Vec<(String, String)>>,
    /// Of terminals, since the last block.
    printed: Mutex<String>,
    refused: Mutex<String>,
    /// Events that were told already.
    told: Mutex<BTreeSet<String>>,
}

/// What the server wrote down of a refusal.
#[derive(Clone, Copy)]
pub enum Record {
    /// An action, and its reason or error.
    Event(&'static str, &'static str),
    /// An action that is the record by itself.
    Act(&'static str),
    /// No failure: nothing was done, and anybody could fill the record with it.
    Nothing,
    /// This server was not asked.
    Elsewhere,
}

impl<'a> Telling<'a> {
    pub fn of(world: &'a World, story: &'static str) -> Self {
        let issuer = (ISSUER.to_owned(), world.server.issuer.clone());
        let folder = (String::new(), format!("{}/", world.server.folder.path().display()));
        Self {
            world,
            story,
            typed: Mutex::new(vec![issuer.clone()]),
            shown: Mutex::new(vec![issuer, folder]),
            printed: Mutex::default(),
            refused: Mutex::new("| what comes in | answer | on the record |\n|---|---|---|\n".to_owned()),
            told: Mutex::default(),
        }
    }

    /// Somebody with a browser and a passkey.
    pub async fn person(&self, name: &str) -> Option<Person> {
        let person = Person {
            name: name.to_owned(),
            browser: Browser::start().await?,
        };
        let link = self.world.enrollment_link(name).await;
        person.enroll(&link).await;
        Some(person)
    }

    /// From now on this is what the document has for the other.
    pub fn calls(&self, actual: &str, told: &str) {
        self.typed.lock().unwrap().push((told.to_owned(), actual.to_owned()));
        self.shown.lock().unwrap().push((told.to_owned(), actual.to_owned()));
    }

    /// Paths of `told`, which is a name, are served at `actual`.
    pub fn serves(&self, actual: &str, told: &str) {
        self.typed
            .lock()
            .unwrap()
            .push((format!("{told}/"), format!("{actual}/")));
        self.shown.lock().unwrap().push((told.to_owned(), actual.to_owned()));
    }

    /// What is typed, in this run.
    pub fn actual(&self, typed: &str) -> String {
        let names = self.typed.lock().unwrap();
        let name = |text: String, (told, actual): &(String, String)| text.replace(told, actual);
        names.iter().fold(typed.to_owned(), name)
    }

    /// Goes into the next block.
    pub fn prints(&self, text: &str) {
        let told = self.in_one_form(text);
        self.printed.lock().unwrap().push_str(&told);
    }

    /// What was typed and printed since the last block.
    pub fn block(&self, name: &str) {
        let printed = std::mem::take(&mut *self.printed.lock().unwrap());
        self.compare(name, &format!("```console\n{printed}```\n"));
    }

    /// What a page says that it is about, and its picture.
    pub async fn page(&self, person: &Person, name: &str) {
        let sentences = "return [...document.querySelectorAll('.permissions > li')].map(line => {
            const said = line.cloneNode(true);
            said.querySelectorAll('details, .unseen').forEach(part => part.remove());
            said.querySelectorAll('code:not(.said)').forEach(name => name.prepend('- '));
            return '* ' + said.textContent.trim().replace(/\\s+/g, ' ');
        }).join('\\n')";
        let said = person.browser.script(sentences, &[]).await;
        let said = self.in_one_form(said.as_str().unwrap());
        self.compare(name, &format!("```text\n{said}```\n"));
        self.picture(person, name).await;
    }

    pub async fn picture(&self, person: &Person, name: &str) {
        look(&person.browser, &format!("story-{}-{name}", self.story), false).await;
        person.browser.size(1280, 900).await;
    }

    /// A command is refused, with exit code 5 and this error on the wire, and the record says so.
    pub async fn is_refused(&self, what: &str, typed: (&Terminal<'_>, &str), error: &str, record: Record) {
        let (terminal, line) = typed;
        let ran = terminal.runs(&format!("{line} --json")).await;
        assert_eq!(ran.code, 5, "{what}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(error_of(&ran), error, "{what}: {}{}", ran.stdout, ran.stderr);
        self.refuses(what, error, record).await;
    }

    /// Something was refused in whatever way.
    pub async fn refuses(&self, what: &str, error: &str, record: Record) {
        assert!(!error.starts_with("no error"), "{what}: {error}");
        let fresh = self.fresh_events().await;
        let recorded = match record {
            Record::Elsewhere => "the resource server's own".to_owned(),
            Record::Nothing => {
                let is_failure = |event: &Value| event["outcome"] == "failure";
                assert!(!fresh.iter().any(is_failure), "{what}: {fresh:#?}");
                "nothing".to_owned()
            }
            Record::Act(action) => {
                assert!(
                    fresh.iter().any(|event| event["action"] == action),
                    "{what}: {fresh:#?}"
                );
                format!("`{action}`")
            }
            Record::Event(action, reason) => {
                let says = |event: &Value, name: &str| event["detail"][name] == reason;
                let is_it = |event: &&Value| {
                    let names = ["reason", "error.code", "because"];
                    event["action"] == action && names.iter().any(|name| says(event, name))
                };
                assert!(
                    fresh.iter().any(|event| is_it(&event)),
                    "{what}: no {action} ({reason}) among {fresh:#?}"
                );
                format!("`{action}`, `{reason}`")
            }
        };
        let line = format!("| {what} | `{error}` | {recorded} |\n");
        self.refused.lock().unwrap().push_str(&line);
    }

    /// What was recorded since this was asked last.
    pub async fn fresh_events(&self) -> Vec<Value> {
        let events = self.world.events().await;
        let mut told = self.told.lock().unwrap();
        let is_fresh = |event: &Value| told.insert(event["id"].as_str().unwrap().to_owned());
        events.into_iter().filter(is_fresh).collect()
    }

    /// Everything that was refused, as one table.
    pub fn ends(&self) {
        assert_eq!(*self.printed.lock().unwrap(), "", "what was printed is told");
        let refused = self.refused.lock().unwrap();
        self.compare("refused", &refused);
    }

    fn compare(&self, name: &str, measured: &str) {
        document::compare_section(PAGE, &format!("{}, {name}", self.story), measured);
    }

    fn in_one_form(&self, text: &str) -> String {
        let names = self.shown.lock().unwrap();
        let name = |text: String, (told, actual): &(String, String)| text.replace(actual, told);
        in_one_form(&names.iter().fold(text.to_owned(), name))
    }
}

/// What was answered: of a resource server, told as it came; of ours, in a member of its own.
fn error_of(ran: &Ran) -> String {
    let json = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let answered = ran.stdout.lines().map(json).find(|told| told["event"] == "answer");
    let body = match answered {
        Some(answer) => json(answer["body"].as_str().unwrap()),
        None => json(ran.stderr.lines().last().unwrap()),
    };
    body["error"].as_str().unwrap().to_owned()
}
