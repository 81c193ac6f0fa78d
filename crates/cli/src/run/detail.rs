//! What is asked for: the command as it will run, and the requests it may send. RFC 9396; the types are those of
//! `protocol/details`. Nothing is sent here.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;

use protocol::details::{self, Details, Types};
use protocol::digest::Digest;
use protocol::refusal::Refusal;
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::io::Io;
use crate::print::say;

/// What is known of a command beside its digests.
pub struct Command<'a> {
    pub argv: &'a [OsString],
    pub working_directory: &'a OsStr,
    pub executable_sha256: &'a str,
    /// Names and digests.
    pub inputs: &'a [(String, String)],
    /// None where it gets all that we have.
    pub environment: Option<&'a [(String, OsString)]>,
    pub claimed: &'a [String],
    pub token_env: Option<&'a str>,
    pub runs: Option<i64>,
    pub host: Option<String>,
    pub user: Option<String>,
}

impl Command<'_> {
    pub fn detail(&self) -> Result<Value, Failure> {
        let (argv, is_escaped) = written(self.argv);
        let mut detail = Map::new();
        let mut put = |name: &str, value: Value| detail.insert(name.to_owned(), value);
        put("type", json!("command"));
        put("argv", json!(argv));
        if is_escaped {
            put("argv_form", json!("escaped"));
        }
        put(
            "working_directory",
            json!(text(self.working_directory, "the working directory")?),
        );
        put("executable_sha256", json!(self.executable_sha256));
        if !self.inputs.is_empty() {
            put("inputs", pairs(self.inputs.iter().cloned()));
        }
        if let Some(environment) = self.environment {
            let told = environment
                .iter()
                .map(|(name, value)| Ok((name.clone(), text(value, name)?)));
            put("environment", pairs(told.collect::<Result<Vec<_>, Failure>>()?));
        }
        if !self.claimed.is_empty() {
            put("claimed", json!(self.claimed));
        }
        if let Some(runs) = self.runs {
            put("runs", json!(runs));
        }
        for (name, value) in [
            ("token_env", self.token_env),
            ("host", self.host.as_deref()),
            ("user", self.user.as_deref()),
        ] {
            if let Some(value) = value {
                put(name, json!(value));
            }
        }
        Ok(Value::Object(detail))
    }
}

/// In their one spelling, checked as the server will.
pub fn checked(asked: &[Value]) -> Result<Details, Failure> {
    let text = json!(asked).to_string();
    Types::built_in()
        .read(&text)
        .map_err(|refusal| unsayable(refusal, text.len()))
}

fn unsayable(refusal: Refusal, length: usize) -> Failure {
    let what = if length > Types::LONGEST {
        format!(
            "what would be asked for is {length} bytes long, and {} can be asked for",
            Types::LONGEST
        )
    } else {
        format!("this cannot be asked for: {}", refusal.sentence())
    };
    Failure::usage(what).hint(
        "at most 64 arguments of 1024 characters, longer ones in a file that --input names; in a path * is one whole \
             segment, and ** stands at the end",
    )
}

/// SHA-256 over the canonical bytes (RFC 8785).
fn digest(details: &Details) -> Digest {
    Digest::of(details.canonical().as_bytes())
}

/// What would be asked for, in the words that the approver would read.
pub fn show(io: &mut Io, details: &Details, as_json: bool) {
    let digest = digest(details);
    if as_json {
        io.output
            .json(&json!({ "event": "dry_run", "authorization_details": details, "digest": digest }));
        return;
    }
    let types = Types::built_in();
    for detail in details.iter() {
        let sentence: String = types.sentence(detail).iter().map(details::Part::shown).collect();
        say!(io.output, "{sentence}");
        say!(io.output, "    {}", details::canonical(detail));
    }
    say!(io.output, "digest {}", digest.as_str());
}

/// Text as it is, or, if any of it is not UTF-8, all of it escaped: two command lines are never written alike.
fn written(argv: &[OsString]) -> (Vec<String>, bool) {
    let plain: Option<Vec<String>> = argv.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    match plain {
        Some(plain) => (plain, false),
        None => (argv.iter().map(|word| escaped(word)).collect(), true),
    }
}

fn escaped(word: &OsStr) -> String {
    let mut out = String::new();
    for chunk in word.as_encoded_bytes().utf8_chunks() {
        out.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn text(value: &OsStr, what: &str) -> Result<String, Failure> {
    let refused = || Failure::usage(format!("{what} is not UTF-8, and cannot be asked for"));
    value.to_str().map(str::to_owned).ok_or_else(refused)
}

fn pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Value {
    Value::Object(
        pairs
            .into_iter()
            .map(|(name, value)| (name, Value::from(value)))
            .collect(),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn argv(words: &[&[u8]]) -> Vec<OsString> {
        words.iter().map(|word| OsString::from_vec(word.to_vec())).collect()
    }

    #[test]
    fn odd_bytes_are_told_and_no_two_command_lines_are_written_alike() {
        let lines = [
            argv(&[b"printf", b"\xff\\"]),
            argv(&[b"printf", b"\\xff\\"]),
            argv(&[b"printf", b"\\xff\\\\"]),
            argv(&[b"printf", b"\xc3\xa9\xff"]),
            argv(&[b"printf\xff"]),
            argv(&[b"printf", b"\xfe\\"]),
        ];
        let all: Vec<_> = lines.iter().map(|line| written(line)).collect();
        assert_eq!(all[0], (vec!["printf".to_owned(), "\\xff\\\\".to_owned()], true));
        assert_eq!(all[1], (vec!["printf".to_owned(), "\\xff\\".to_owned()], false));
        assert_eq!(all[3].0[1], "é\\xff");
        for (place, line) in all.iter().enumerate() {
            assert!(!all[..place].contains(line), "{line:?}");
        }
    }

    #[test]
    fn what_the_server_would_not_take_is_refused_before_it_is_asked() {
        let detail = |words: usize, length: usize| {
            let argv = vec![OsString::from("a".repeat(length)); words];
            Command {
                argv: &argv,
                working_directory: OsStr::new("/"),
                executable_sha256: &"0".repeat(64),
                inputs: &[],
                environment: None,
                claimed: &[],
                token_env: None,
                runs: None,
                host: None,
                user: None,
            }
            .detail()
            .unwrap()
        };
        assert!(checked(&[detail(1, 1)]).is_ok());
        for (words, length, why) in [
            (65, 1, "cannot be asked for"),
            (1, 1025, "cannot be asked for"),
            (64, 100, "bytes long"),
        ] {
            let failure = checked(&[detail(words, length)]).unwrap_err();
            assert!(failure.what.contains(why), "{}", failure.what);
            assert_eq!(failure.exit.code(), 64);
        }
    }
}
