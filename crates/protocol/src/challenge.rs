//! What a resource says in `WWW-Authenticate`: challenges by RFC 9110 §11.6.1, and the one that asks for more
//! of the person (RFC 9470 §3). It is another server's text: what is not exactly of that grammar counts as nothing
//! said. Absent: `scope` of a challenge, since no resource decides what a program asks for.

use crate::authentication::Demands;

/// Longer than any sensible header, short enough to be read a few times.
const LONGEST: usize = 8 * 1024;

/// One way to authenticate that is offered. Names are in lower case, whatever was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    pub scheme: String,
    pub token68: Option<String>,
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What a resource demands with `insufficient_user_authentication`, of a token of a kind that we present.
/// `fields`: the header, once a line.
pub fn step_up<'a>(fields: impl IntoIterator<Item = &'a str>) -> Option<Demands> {
    let challenges: Vec<Challenge> = fields.into_iter().map_while(parse).flatten().collect();
    let asked = challenges.iter().find(|challenge| {
        let is_ours = ["dpop", "bearer"].contains(&challenge.scheme.as_str());
        is_ours && challenge.parameter("error") == Some("insufficient_user_authentication")
    })?;
    Demands::parse(asked.parameter("acr_values"), asked.parameter("max_age")).ok()
}

/// All challenges of one header line, or nothing.
pub fn parse(field: &str) -> Option<Vec<Challenge>> {
    if field.len() > LONGEST {
        return None;
    }
    let mut rest = Rest(field);
    let mut challenges = Vec::new();
    loop {
        rest.skip(" \t,");
        if rest.0.is_empty() {
            return Some(challenges);
        }
        challenges.push(rest.challenge()?);
    }
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// `challenge = auth-scheme [ 1*SP ( token68 / #auth-param ) ]`
    fn challenge(&mut self) -> Option<Challenge> {
        let mut challenge = Challenge {
            scheme: self.token()?.to_ascii_lowercase(),
            token68: None,
            parameters: Vec::new(),
        };
        if self.is_at_end_of_element() {
            return Some(challenge);
        }
        // RFC 9110 has SP here; a tab or nothing is another grammar's.
        self.eat(' ')?;
        self.skip(" ");
        challenge.token68 = self.token68();
        while challenge.token68.is_none() && !self.is_at_next_challenge() {
            let (name, value) = self.parameter()?;
            if challenge.parameter(&name).is_some() {
                return None;
            }
            challenge.parameters.push((name, value));
            if !self.is_at_end_of_element() {
                return None;
            }
            self.skip(" \t,");
        }
        Some(challenge)
    }

    /// A scheme stands where a parameter would, and no `=` behind it.
    fn is_at_next_challenge(&self) -> bool {
        let mut ahead = Rest(self.0);
        if ahead.0.is_empty() {
            return true;
        }
        ahead.token().is_some() && {
            ahead.skip(" \t");
            !ahead.0.starts_with('=')
        }
    }

    fn is_at_end_of_element(&self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        rest.is_empty() || rest.starts_with(',')
    }

    /// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, and nothing behind it.
    fn token68(&mut self) -> Option<String> {
        let is_of_it = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let rest = self.0.trim_start_matches(is_of_it);
        let after = Rest(rest.trim_start_matches('='));
        if rest.len() == self.0.len() || !after.is_at_end_of_element() {
            return None;
        }
        let text = self.0.strip_suffix(after.0)?;
        self.0 = after.0;
        Some(text.to_owned())
    }

    /// `token BWS "=" BWS ( token / quoted-string )`
    fn parameter(&mut self) -> Option<(String, String)> {
        let name = self.token()?.to_ascii_lowercase();
        self.skip(" \t");
        self.eat('=')?;
        self.skip(" \t");
        let value = match self.eat('"') {
            Some(()) => self.quoted()?,
            None => self.token()?.to_owned(),
        };
        Some((name, value))
    }

    /// RFC 9110 §5.6.4, behind the first quotation mark.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.0.chars();
        loop {
            let next = match characters.next()? {
                '"' => break,
                '\\' => characters.next()?,
                plain => plain,
            };
            if next.is_control() && next != '\t' {
                return None;
            }
            text.push(next);
        }
        self.0 = characters.as_str();
        Some(text)
    }

    fn token(&mut self) -> Option<&'a str> {
        let is_of_it = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let rest = self.0.trim_start_matches(is_of_it);
        let token = self.0.strip_suffix(rest).filter(|token| !token.is_empty())?;
        self.0 = rest;
        Some(token)
    }

    fn eat(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn skip(&mut self, characters: &str) {
        self.0 = self.0.trim_start_matches(|c| characters.contains(c));
    }
}

#[cfg(test)]
mod tests;
