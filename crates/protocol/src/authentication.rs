//! How strongly a person was authenticated, and how long ago: what a request may demand, and whether a decision
//! meets it. RFC 9470 §4 and §5 for the device authorization request (design decision G5), OpenID Connect Core
//! 1.0 §3.1.2.1. The challenge that a resource sends is in `challenge.rs`.

use crate::authorization_request::Content;
use crate::profile::Approval;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// OpenID EAP ACR Values 1.0: phishing-resistant; and so with a key that hardware protects.
pub const PHR: &str = "phr";
pub const PHRH: &str = "phrh";
/// A software key is neither, and has a name of our own.
pub const SOFTWARE_KEY: &str = "urn:waypass:acr:software-key";

/// What signed a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    SoftwareKey,
    Passkey,
    /// A passkey whose attestation leads to an authority that an administrator trusts for hardware.
    HardwarePasskey,
}

impl Strength {
    /// The values that it may be called by, the strongest first.
    pub fn acrs(self) -> &'static [&'static str] {
        match self {
            Self::SoftwareKey => &[SOFTWARE_KEY],
            Self::Passkey => &[PHR],
            Self::HardwarePasskey => &[PHRH, PHR],
        }
    }
}

/// What is demanded of the authentication. Empty demands nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// One of these, the first that fits.
    pub acr_values: Vec<String>,
    /// How long ago the person may have decided.
    pub max_age: Option<Lifetime>,
}

impl Demands {
    const MOST_VALUES: usize = 10;
    const LONGEST_VALUE: usize = 100;
    /// A year in seconds has eight digits.
    const MOST_DIGITS: usize = 9;

    pub fn of(content: &Content) -> Self {
        Self {
            acr_values: content.acr_values.clone(),
            max_age: content.max_age,
        }
    }

    /// From the parameters of a request, or of a challenge.
    pub fn parse(acr_values: Option<&str>, max_age: Option<&str>) -> Result<Self, Refusal> {
        let mut values: Vec<String> = Vec::new();
        for value in acr_values
            .unwrap_or_default()
            .split(' ')
            .filter(|value| !value.is_empty())
        {
            let is_fine = value.len() <= Self::LONGEST_VALUE && value.bytes().all(|byte| byte.is_ascii_graphic());
            if !is_fine || values.len() == Self::MOST_VALUES {
                return Err(Refusal::AuthenticationDemandMalformed);
            }
            if !values.iter().any(|known| known == value) {
                values.push(value.to_owned());
            }
        }
        Ok(Self {
            acr_values: values,
            max_age: max_age.map(seconds).transpose()?,
        })
    }

    /// As the profile tightens it.
    pub fn under(self, profile: &Approval) -> Self {
        let both = [self.max_age, profile.max_age];
        Self {
            max_age: both.into_iter().flatten().min(),
            ..self
        }
    }

    /// What the decision is called by: "the authorization server SHOULD treat the requested acr as necessary for
    /// the fulfillment of the request" (RFC 9470 §5), and so does a profile's.
    pub fn acr(&self, strength: Strength, profile: Option<&str>) -> Result<&'static str, Refusal> {
        let acrs = strength.acrs();
        if profile.is_some_and(|demanded| !acrs.contains(&demanded)) {
            return Err(Refusal::AuthenticationTooWeak);
        }
        if self.acr_values.is_empty() {
            return acrs.first().copied().ok_or(Refusal::AuthenticationTooWeak);
        }
        let mut asked = self.acr_values.iter();
        asked
            .find_map(|asked| acrs.iter().find(|acr| *acr == asked))
            .copied()
            .ok_or(Refusal::AuthenticationTooWeak)
    }

    /// At the request already: nobody is asked for what no key of any approver here could give.
    pub fn must_be_possible(&self, strengths: &[Strength], profile: Option<&str>) -> Result<(), Refusal> {
        if strengths.iter().any(|strength| self.acr(*strength, profile).is_ok()) {
            Ok(())
        } else {
            Err(Refusal::AuthenticationUnmet)
        }
    }

    /// When tokens are first given. A device that waits asks again within a poll's longest interval: that much
    /// is its own, or a `max_age` of a few seconds could be met by nobody.
    pub fn must_be_recent(&self, decided_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        match self.max_age {
            Some(max_age) if now - decided_at > max_age.max(Self::LONGEST_WAIT) => Err(Refusal::AuthenticationTooOld),
            _ => Ok(()),
        }
    }

    const LONGEST_WAIT: Lifetime = Lifetime::from_seconds(60);
}

fn seconds(text: &str) -> Result<Lifetime, Refusal> {
    let is_number = !text.is_empty() && text.len() <= Demands::MOST_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok()).flatten();
    number
        .map(Lifetime::from_seconds)
        .ok_or(Refusal::AuthenticationDemandMalformed)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn asked(acr_values: &str) -> Demands {
        Demands::parse(Some(acr_values), None).unwrap()
    }

    #[test]
    fn a24_what_each_key_is_called_by() {
        let mut table = String::new();
        for asked_for in [
            "",
            "phr",
            "phrh",
            "phrh phr",
            "phr phrh",
            "urn:waypass:acr:software-key",
            "other",
        ] {
            for profile in [None, Some(PHR), Some(PHRH)] {
                let strengths = [Strength::SoftwareKey, Strength::Passkey, Strength::HardwarePasskey];
                let called = strengths.map(|strength| asked(asked_for).acr(strength, profile).unwrap_or("-"));
                table.push_str(&format!(
                    "{asked_for:29}{:5}{}\n",
                    profile.unwrap_or("-"),
                    called.join(" ")
                ));
            }
        }
        expect![[r#"
                                         -    urn:waypass:acr:software-key phr phrh
                                         phr  - phr phrh
                                         phrh - - phrh
            phr                          -    - phr phr
            phr                          phr  - phr phr
            phr                          phrh - - phr
            phrh                         -    - - phrh
            phrh                         phr  - - phrh
            phrh                         phrh - - phrh
            phrh phr                     -    - phr phrh
            phrh phr                     phr  - phr phrh
            phrh phr                     phrh - - phrh
            phr phrh                     -    - phr phr
            phr phrh                     phr  - phr phr
            phr phrh                     phrh - - phr
            urn:waypass:acr:software-key -    urn:waypass:acr:software-key - -
            urn:waypass:acr:software-key phr  - - -
            urn:waypass:acr:software-key phrh - - -
            other                        -    - - -
            other                        phr  - - -
            other                        phrh - - -
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn a22_what_nobody_could_meet_is_refused_at_the_request() {
        let passkeys = [Strength::Passkey];
        assert_eq!(asked("phr").must_be_possible(&passkeys, None), Ok(()));
        for (acr_values, profile) in [("phrh", None), ("other", None), ("", Some(PHRH)), ("phr", Some(PHRH))] {
            let refused = asked(acr_values).must_be_possible(&passkeys, profile);
            assert_eq!(refused, Err(Refusal::AuthenticationUnmet), "{acr_values:?} {profile:?}");
        }
        let all = [Strength::SoftwareKey, Strength::Passkey, Strength::HardwarePasskey];
        assert_eq!(asked("phr").must_be_possible(&all, Some(PHRH)), Ok(()));
    }

    #[test]
    fn a21_only_well_formed_demands_are_read() {
        let demands = Demands::parse(Some(" phr  phrh phr"), Some("0")).unwrap();
        assert_eq!(demands.acr_values, ["phr", "phrh"]);
        assert_eq!(demands.max_age, Some(Lifetime::default()));
        let many = "1 2 3 4 5 6 7 8 9 10 11";
        for acr_values in [many, "a\tb", "é", &"a".repeat(101)] {
            let read = Demands::parse(Some(acr_values), None);
            assert_eq!(read, Err(Refusal::AuthenticationDemandMalformed), "{acr_values:?}");
        }
        for max_age in ["", "-1", "+1", "1.5", " 1", "1234567890", "ten", "٣"] {
            let read = Demands::parse(None, Some(max_age));
            assert_eq!(read, Err(Refusal::AuthenticationDemandMalformed), "{max_age:?}");
        }
    }

    #[test]
    fn a22_a_decision_older_than_asked_for_gives_no_token() {
        let at = Timestamp::from_seconds;
        for (max_age, late, recent) in [
            (Some("300"), 300, true),
            (Some("300"), 301, false),
            (Some("0"), 60, true),
            (Some("0"), 61, false),
            (None, 100_000, true),
        ] {
            let demands = Demands::parse(None, max_age).unwrap();
            let met = demands.must_be_recent(at(1_000), at(1_000 + late));
            assert_eq!(met.is_ok(), recent, "{max_age:?} after {late}");
        }
    }
}
