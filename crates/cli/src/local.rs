//! The local API of a running server: JSON over the Unix socket in its data folder.

use std::path::{Path, PathBuf};

use http::Method;
use protocol::wire::ErrorBody;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::failure::{Exit, Failure};
use crate::http::{Answer, Http, Unanswered};
use crate::io::Io;
use crate::print::say;

/// What every command of an administrator takes.
#[derive(Debug, clap::Args)]
pub struct LocalArgs {
    /// The data folder of the running server
    #[arg(long, value_name = "DIR", env = "WAYPASS_DATA")]
    pub data: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

impl LocalArgs {
    pub fn open(&self) -> Result<Local, Failure> {
        Local::open(&self.data)
    }

    /// The server's answer: as it is for programs, told for people.
    pub fn tell<T: DeserializeOwned>(
        &self,
        io: &mut Io,
        value: Value,
        told: impl FnOnce(&mut Io, T),
    ) -> Result<(), Failure> {
        if self.json {
            io.output.json(&value);
        } else {
            told(io, read(value)?);
        }
        Ok(())
    }

    /// The same where one sentence is all there is to tell.
    pub fn tell_done(&self, io: &mut Io, value: &Value, sentence: &str) {
        if self.json {
            io.output.json(value);
        } else {
            say!(io.output, "{sentence}");
        }
    }
}

pub struct Local {
    http: Http,
    folder: PathBuf,
}

impl Local {
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let http = Http::for_socket(&folder.join("waypass.sock"))?;
        Ok(Self {
            http,
            folder: folder.to_owned(),
        })
    }

    pub async fn get(&self, io: &Io, path: &[&str]) -> Result<Value, Failure> {
        self.call(io, Method::GET, Self::url(path), &Value::Null).await
    }

    pub async fn get_with(&self, io: &Io, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut url = Self::url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        self.call(io, Method::GET, Ok(url), &Value::Null).await
    }

    pub async fn post(&self, io: &Io, path: &[&str], body: &impl Serialize) -> Result<Value, Failure> {
        let body = serde_json::to_value(body).map_err(|error| Failure::failed(error.to_string()))?;
        self.call(io, Method::POST, Self::url(path), &body).await
    }

    pub async fn delete(&self, io: &Io, path: &[&str]) -> Result<Value, Failure> {
        self.call(io, Method::DELETE, Self::url(path), &Value::Null).await
    }

    /// Each part of a path is one segment, whatever a name holds.
    fn url(path: &[&str]) -> Result<Url, Failure> {
        let broken = || Failure::failed("the local address cannot be built");
        let mut url = Url::parse("http://localhost/local").map_err(|_| broken())?;
        url.path_segments_mut().map_err(|()| broken())?.extend(path);
        Ok(url)
    }

    async fn call(&self, io: &Io, method: Method, url: Result<Url, Failure>, body: &Value) -> Result<Value, Failure> {
        let is_post = method == Method::POST;
        let mut request = self.http.request(method, url?).header("Accept", "application/json");
        if is_post {
            request = request.json(body);
        }
        let answer = self
            .http
            .send(&*io.clock, request)
            .await
            .map_err(|unanswered| self.no_server(&unanswered))?;
        match answer.status {
            204 => Ok(Value::Null),
            200 | 201 => answer
                .json()
                .ok_or_else(|| answer.unreadable("the answer cannot be read")),
            _ => Err(refusal(&answer)),
        }
    }

    fn no_server(&self, unanswered: &Unanswered) -> Failure {
        let folder = self.folder.display();
        match unanswered {
            Unanswered::TimedOut => Failure::unreachable(format!("the server on {folder} does not answer")),
            Unanswered::Unreachable(why) if why.contains("ermission denied") => {
                Failure::unreachable(format!("the server on {folder} may not be administered by this user"))
            }
            Unanswered::Unreachable(_) => Failure::unreachable(format!("no server is running on {folder}"))
                .hint(format!("start one with: waypass serve --data {folder}")),
            Unanswered::TooLarge | Unanswered::NotProven | Unanswered::NotStated(_) => {
                Failure::failed("the answer is larger than 32 MiB")
            }
        }
    }
}

/// `invalid`, `exists`, `not_found`, `refused`: what the administrator asked for is not possible.
fn refusal(answer: &Answer) -> Failure {
    match answer.error() {
        Some(ErrorBody {
            error,
            error_description,
            ..
        }) if answer.status < 500 => {
            let exit = if error == "invalid" { Exit::Usage } else { Exit::Refused };
            Failure::new(exit, &error, error_description.unwrap_or_else(|| error.clone()))
        }
        _ => answer.failure("the server refused"),
    }
}

/// An answer as the type it should be.
pub fn read<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    serde_json::from_value(value)
        .map_err(|_| Failure::failed("the answer cannot be read").hint("are server and command of the same version?"))
}
