//! A story as it is told: what is typed, what terminals print, what pages say and what is refused are compared with
//! docs/stories.md. What no two runs have in common (codes, keys, identifiers, moments) is told in one form.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;

use crate::browser::driver::Browser;
use crate::browser::looks::look;
use crate::browser::person::Person;
use crate::document;
use crate::http::Answer;
use crate::world::World;

const PAGE: &str = "stories.md";
/// The issuer in the document.
const ISSUER: &str = "http://localhost:8628";
const USER_CODE: &str = "WDJB-MJHT";
const KEY_WORDS: &str = "almond velvet sunset giant elbow coffee";

pub struct Telling<'a> {
    pub world: &'a World,
    story: &'static str,
    /// What something is called in the document, and what it is in this run.
    names: Mutex<Vec<(String, String)>>,
    /// Of terminals, since the last block.
    printed: Mutex<String>,
    refused: Mutex<String>,
    /// Events that were told already.
    told: Mutex<BTreeSet<String>>,
}

impl<'a> Telling<'a> {
    pub fn of(world: &'a World, story: &'static str) -> Self {
        let folder = format!("{}/", world.server.folder.path().display());
        let names = [
            (ISSUER.to_owned(), world.server.issuer.clone()),
            (String::new(), folder),
        ];
        Self {
            world,
            story,
            names: Mutex::new(names.to_vec()),
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

    /// From now on the document's name is typed for the other, and told for it.
    pub fn calls(&self, actual: &str, told: &str) {
        let mut names = self.names.lock().unwrap();
        names.push((told.to_owned(), actual.to_owned()));
    }

    /// What is told, in this run.
    pub fn actual(&self, told: &str) -> String {
        let names = self.names.lock().unwrap();
        let named = names.iter().filter(|(told, _)| !told.is_empty());
        named.fold(told.to_owned(), |text, (told, actual)| text.replace(told, actual))
    }

    /// Goes into the next block.
    pub fn prints(&self, text: &str) {
        self.printed.lock().unwrap().push_str(&self.in_one_form(text));
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
            return '> - ' + said.textContent.trim().replace(/\\s+/g, ' ');
        }).join('\\n')";
        let said = person.browser.script(sentences, &[]).await;
        self.compare(name, &self.in_one_form(said.as_str().unwrap()));
        look(&person.browser, &format!("story-{}-{name}", self.story), false).await;
        person.browser.size(1280, 900).await;
    }

    /// A request was refused with `error`, and the record says so: an action, and its reason or error.
    pub async fn refuses(&self, what: &str, answer: &Answer, error: &str, record: [&str; 2]) {
        answer.refused(error);
        self.is_refused(what, error, Some(record)).await;
    }

    /// The same, however it was answered. No record: not this server was asked.
    pub async fn is_refused(&self, what: &str, error: &str, record: Option<[&str; 2]>) {
        let fresh = self.fresh_events().await;
        let recorded = match record {
            None => "the resource server's own".to_owned(),
            Some([action, reason]) => {
                let is_it = |event: &Value| {
                    let detail = &event["detail"];
                    event["action"] == action
                        && [&detail["reason"], &detail["error.code"], &detail["because"]]
                            .contains(&&Value::from(reason))
                };
                assert!(
                    fresh.iter().any(is_it),
                    "{what}: no {action} ({reason}) among {fresh:#?}"
                );
                format!("`{action}`: `{reason}`")
            }
        };
        self.refused
            .lock()
            .unwrap()
            .push_str(&format!("| {what} | `{error}` | {recorded} |\n"));
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
        let names = self.names.lock().unwrap();
        let text = names
            .iter()
            .fold(text.to_owned(), |text, (told, actual)| text.replace(actual, told));
        let mut told = String::new();
        for line in text.lines() {
            let words = ["Compare these words:  ", "Key words    "]
                .into_iter()
                .find(|label| line.starts_with(label));
            let line = match words {
                Some(label) => format!("{label}{KEY_WORDS}"),
                None => in_one_form(line),
            };
            told.push_str(line.trim_end());
            told.push('\n');
        }
        told
    }
}

/// Word by word: a word is what codes, identifiers, moments and tokens are made of.
fn in_one_form(line: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
    let mut told = String::new();
    let mut rest = line;
    while let Some(start) = rest.find(is_part) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        told.push_str(before);
        told.push_str(&word_in_one_form(word));
        rest = after;
    }
    told.push_str(rest);
    told
}

fn word_in_one_form(word: &str) -> String {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    match shape.as_str() {
        "0000-00-00" => "2026-11-24".to_owned(),
        "00:00" | "00:00:00" => "09:30".to_owned(),
        _ if is_user_code(word) => USER_CODE.to_owned(),
        _ if word.len() > 100 => "eyJ…".to_owned(),
        _ => match uuid(word) {
            Some(at) => format!("{}…{}", &word[..at], &word[at + 36..]),
            None if is_digest(word) => "…".to_owned(),
            None => word.to_owned(),
        },
    }
}

fn is_user_code(word: &str) -> bool {
    word.split_once('-').is_some_and(|(one, other)| {
        let is_half = |half: &str| half.len() == 4 && half.bytes().all(|byte| byte.is_ascii_uppercase());
        is_half(one) && is_half(other)
    })
}

/// SHA-256 in base64url: a thumbprint, or an enrollment token.
fn is_digest(word: &str) -> bool {
    word.len() == 43 && word.bytes().any(|byte| byte.is_ascii_uppercase()) && !word.contains('.')
}

/// Where one begins.
fn uuid(word: &str) -> Option<usize> {
    let is_uuid = |text: &str| {
        let mut parts = text.split('-').map(str::len);
        [8, 4, 4, 4, 12].into_iter().all(|length| parts.next() == Some(length))
            && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
    };
    (0..=word.len().checked_sub(36)?).find(|&at| is_uuid(&word[at..at + 36]))
}

#[test]
fn what_no_two_runs_have_in_common_is_told_in_one_form() {
    for (line, told) in [
        ("Enter this code:      BJCB-FPXS", "Enter this code:      WDJB-MJHT"),
        ("until 2027-01-31 12:34.", "until 2026-11-24 12:34."),
        ("until 2027-01-31 12:34", "until 2026-11-24 09:30"),
        (
            "instance_01a2070c-2da5-7cc6-b181-ea8edb398079 is known",
            "instance_… is known",
        ),
        ("key 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "key …"),
        ("--name jump-1 --expires 30d", "--name jump-1 --expires 30d"),
    ] {
        assert_eq!(in_one_form(line), told);
    }
}
