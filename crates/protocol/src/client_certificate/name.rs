//! Distinguished names: as registered (RFC 4514), as a certificate has them, and when the two are one. Compared by
//! what each attribute says, so that spacing, escapes and string types do not matter; capitals and order do.

use std::fmt;

use serde::{Deserialize, Serialize};
use x509_parser::asn1_rs::Tag;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::jwk::Flaw;

/// The short names of RFC 4514 §3, and those that OpenSSL prints; others are written as numbers.
const TYPES: [(&str, &str); 14] = [
    ("C", "2.5.4.6"),
    ("CN", "2.5.4.3"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("GIVENNAME", "2.5.4.42"),
    ("L", "2.5.4.7"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("SERIALNUMBER", "2.5.4.5"),
    ("SN", "2.5.4.4"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("TITLE", "2.5.4.12"),
    ("UID", "0.9.2342.19200300.100.1.1"),
];

/// Attribute type and value.
type Attribute = (String, String);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DistinguishedName {
    text: String,
    /// As a certificate has them: the most general first. Those of one RDN are sorted, being a set.
    rdns: Vec<Vec<Attribute>>,
}

impl DistinguishedName {
    pub fn parse(text: &str) -> Result<Self, Flaw> {
        let rdns: Result<Vec<Vec<Attribute>>, Flaw> = split(text, ',')?.into_iter().rev().map(rdn).collect();
        Ok(Self {
            text: text.to_owned(),
            rdns: rdns?,
        })
    }

    pub(super) fn is_of(&self, shown: &X509Name<'_>) -> bool {
        let shown: Option<Vec<Vec<Attribute>>> = shown
            .iter()
            .map(|rdn| rdn.iter().map(attribute).collect::<Option<Vec<_>>>().map(sorted))
            .collect();
        shown.is_some_and(|shown| shown == self.rdns)
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for DistinguishedName {
    type Error = Flaw;

    fn try_from(text: String) -> Result<Self, Flaw> {
        Self::parse(&text)
    }
}

impl From<DistinguishedName> for String {
    fn from(name: DistinguishedName) -> Self {
        name.text
    }
}

fn sorted(mut attributes: Vec<Attribute>) -> Vec<Attribute> {
    attributes.sort();
    attributes
}

/// None for the string types that nobody can be sure how to read.
fn attribute(shown: &AttributeTypeAndValue<'_>) -> Option<Attribute> {
    let value = shown.attr_value();
    let is_text = [Tag::Utf8String, Tag::PrintableString, Tag::Ia5String].contains(&value.tag());
    let text = std::str::from_utf8(value.data).ok().filter(|_| is_text)?;
    Some((shown.attr_type().to_id_string(), text.to_owned()))
}

fn rdn(text: &str) -> Result<Vec<Attribute>, Flaw> {
    let attributes: Result<Vec<Attribute>, Flaw> = split(text, '+')?.into_iter().map(typed).collect();
    Ok(sorted(attributes?))
}

fn typed(text: &str) -> Result<Attribute, Flaw> {
    let (name, value) = text
        .split_once('=')
        .ok_or(Flaw("a distinguished name has a form such as CN=svc,O=Acme,C=CH"))?;
    let name = name.trim();
    let known = TYPES.iter().find(|(short, _)| short.eq_ignore_ascii_case(name));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let oid = match known {
        Some((_, oid)) => (*oid).to_owned(),
        None if name.contains('.') && name.split('.').all(is_number) => name.to_owned(),
        None => {
            return Err(Flaw(
                "an attribute of the distinguished name is not known; write its number",
            ));
        }
    };
    Ok((oid, unescaped(value)?))
}

/// At separators that are not escaped.
fn split(text: &str, separator: char) -> Result<Vec<&str>, Flaw> {
    let mut is_escaped = false;
    let parts: Vec<&str> = text
        .split(|c| {
            let was_escaped = is_escaped;
            is_escaped = c == '\\' && !was_escaped;
            c == separator && !was_escaped
        })
        .collect();
    if is_escaped {
        return Err(Flaw("the distinguished name ends in a backslash"));
    }
    Ok(parts)
}

/// RFC 4514 §2.4: a backslash stands before a special character, or before two hexadecimal digits of UTF-8.
/// Spaces around a value do not count; escaped ones do.
fn unescaped(text: &str) -> Result<String, Flaw> {
    let wrong = Flaw("an escape in the distinguished name is none of RFC 4514");
    let mut bytes = Vec::with_capacity(text.len());
    let mut meant = 0;
    let mut rest = text.trim_start().bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => {
                let next = rest.next().ok_or(wrong)?;
                bytes.push(match (hex(next), b" \"#+,;<=>\\".contains(&next)) {
                    (_, true) => next,
                    (Some(high), _) => high << 4 | rest.next().and_then(hex).ok_or(wrong)?,
                    _ => return Err(wrong),
                });
                meant = bytes.len();
            }
            // Encoded BER, and the quotes of older RFCs: read differently by whoever reads them.
            b'"' | b';' | b'<' | b'>' => return Err(wrong),
            b'#' if bytes.is_empty() => return Err(wrong),
            b' ' => bytes.push(byte),
            _ => {
                bytes.push(byte);
                meant = bytes.len();
            }
        }
    }
    bytes.truncate(meant);
    match String::from_utf8(bytes) {
        Ok(value) if !value.is_empty() => Ok(value),
        _ => Err(Flaw("a value of the distinguished name is empty, or not UTF-8")),
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
