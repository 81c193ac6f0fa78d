//! Whoever has the demo's token in hand and calls its API with it: the program, and thieves.

use http::Method;
use serde_json::Value;

use crate::commands::demo::cast::Cast;
use crate::commands::demo::server::Server;
use crate::commands::demo::told;
use crate::credentials::Tokens;
use crate::dpop::{Call, proof};
use crate::failure::Failure;
use crate::http::{Answer, Http};
use crate::io::Io;
use crate::keys::Key;

pub struct Bearer<'a> {
    http: &'a Http,
    cast: &'a Cast,
    /// The program's.
    key: &'a Key,
    token: &'a str,
}

impl<'a> Bearer<'a> {
    pub fn new(server: &'a Server, cast: &'a Cast, key: &'a Key, tokens: &'a Tokens) -> Self {
        Self {
            http: &server.http,
            cast,
            key,
            token: &tokens.access_token,
        }
    }

    /// The same call by its owner and by three who have copied something.
    pub async fn work(&self, io: &mut Io) -> Result<(), Failure> {
        let own = self.proof(io, self.key)?;
        let thiefs_key = io.draw_key()?;
        let thiefs = self.proof(io, &thiefs_key)?;
        let rows = vec![
            self.call(io, ("the program, with a proof", 200), "DPoP", Some(&own))
                .await?,
            self.call(io, ("a thief with the token alone", 401), "Bearer", None)
                .await?,
            self.call(io, ("a thief with a key of his own", 401), "DPoP", Some(&thiefs))
                .await?,
            self.call(io, ("a thief with a copied proof", 401), "DPoP", Some(&own))
                .await?,
        ];
        told::table(io, rows);
        Ok(())
    }

    /// After the grant was revoked.
    pub async fn find_it_ended(&self, io: &mut Io) -> Result<(), Failure> {
        let known = self.cast.api.introspection().ask(self.token).await;
        let known = known.ok_or_else(|| Failure::failed("the server does not answer"))?;
        if known.active {
            return Err(Failure::failed("the token is active although its grant was revoked"));
        }
        let known = serde_json::to_string(&known).unwrap_or_default();
        let proof = self.proof(io, self.key)?;
        let rows = vec![
            row("the API asks the server", 200, known),
            self.call(io, ("the program, with a proof", 401), "DPoP", Some(&proof))
                .await?,
        ];
        told::table(io, rows);
        Ok(())
    }

    /// What came of it, as a row; another status than the expected one ends the demo.
    async fn call(
        &self,
        io: &Io,
        (who, expected): (&str, u16),
        scheme: &str,
        proof: Option<&str>,
    ) -> Result<Vec<String>, Failure> {
        let url = &self.cast.api.url;
        let credentials = format!("{scheme} {}", self.token);
        let mut request = self
            .http
            .request(Method::POST, url.clone())
            .header("Authorization", credentials);
        if let Some(proof) = proof {
            request = request.header("DPoP", proof);
        }
        let answer = self.http.send(&*io.clock, request).await;
        let answer = answer.map_err(|unanswered| unanswered.failure(url))?;
        if answer.status == expected {
            return Ok(row(who, answer.status, said(&answer)));
        }
        Err(answer.failure(&format!("{who}: {expected} was expected")))
    }

    fn proof(&self, io: &mut Io, key: &Key) -> Result<String, Failure> {
        let call = Call {
            access_token: Some(self.token),
            ..Call::new(Method::POST, &self.cast.api.url)
        };
        proof(io, key, &call, None).ok_or_else(|| Failure::failed("no proof could be signed"))
    }
}

fn row(who: &str, status: u16, said: String) -> Vec<String> {
    vec![who.to_owned(), status.to_string(), said]
}

/// Why not, or what came of it.
fn said(answer: &Answer) -> String {
    match answer.error() {
        Some(body) => body.error_description.unwrap_or(body.error),
        None => answer.json::<Value>().unwrap_or_default().to_string(),
    }
}
