//! Rotation of refresh tokens, and what reuse of an old one means. RFC 6749 §6, RFC 9700 §4.14.2.
//!
//! An unbound token rotates strictly: presented twice, it ends its grant. A key-bound one is useless to
//! a thief without the key, so the client's own lost answer is forgiven once: see [`rotate`].

use crate::digest::Digest;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// Where one refresh token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never presented.
    Unused,
    /// Presented, and its successor issued.
    Used { at: Timestamp },
    /// Replaced before it was ever presented.
    Voided,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Used { .. } => "used",
            Self::Voided => "voided",
        }
    }
}

/// A refresh token as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    pub digest: Digest,
    pub grant_id: String,
    pub state: State,
    pub expires_at: Timestamp,
    pub version: i64,
    /// Its newest successor, and where that one stands.
    pub successor: Option<(Digest, State)>,
}

/// What follows from presenting one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Mark it used and issue a successor.
    Fresh,
    /// The answer was lost on the way: void the unused successor and issue another.
    Again { void: Digest },
    /// Somebody has an old token: end the grant.
    Replayed,
    /// A voided successor came up. Refused and recorded; it ends nothing, since the client that got the
    /// second one is at work.
    Voided,
}

/// The certificate that the next access token is bound to. A public client's refresh token is bound to the
/// certificate itself; a confidential client's to the client, so that it may renew its certificate and stay
/// (RFC 8705 §4, §7.1). `shown` where the client is registered for bound tokens, or the grant is bound.
pub fn certificate<'a>(
    bound_to: Option<&str>,
    shown: Option<&'a str>,
    is_public: bool,
) -> Result<Option<&'a str>, Refusal> {
    match (bound_to, shown) {
        (Some(_), None) => Err(Refusal::CertificateMissing),
        (Some(bound), Some(shown)) if is_public && bound != shown => Err(Refusal::CertificateMismatch),
        (_, shown) => Ok(shown),
    }
}

/// How long after its use a key-bound token may be presented again.
const RETRY_WINDOW: Lifetime = Lifetime::from_seconds(60);

/// `bound_to` is the grant's key, `presented_by` the proof's. Another key is refused and changes nothing.
pub fn rotate(
    token: &StoredToken,
    bound_to: Option<&str>,
    presented_by: Option<&str>,
    now: Timestamp,
) -> Result<Rotation, Refusal> {
    if bound_to.is_some() && bound_to != presented_by {
        return Err(Refusal::DpopKeyMismatch);
    }
    if now >= token.expires_at {
        return Err(Refusal::RefreshTokenUnknown);
    }
    Ok(match (token.state, &token.successor) {
        (State::Unused, _) => Rotation::Fresh,
        (State::Voided, _) => Rotation::Voided,
        (State::Used { at }, Some((successor, State::Unused))) if bound_to.is_some() && now - at <= RETRY_WINDOW => {
            Rotation::Again {
                void: successor.clone(),
            }
        }
        (State::Used { .. }, _) => Rotation::Replayed,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    /// Every state, bound and unbound, in and out of the window: the whole rule on one screen.
    #[test]
    fn s02_the_rotation_table() {
        let now = Timestamp::from_seconds(1_000_000);
        let used = |seconds| State::Used {
            at: now - Lifetime::from_seconds(seconds),
        };
        let states = [
            ("unused", State::Unused, None),
            ("used 60 s ago, successor unused", used(60), Some(State::Unused)),
            ("used 61 s ago, successor unused", used(61), Some(State::Unused)),
            ("used 1 s ago, successor used", used(1), Some(used(0))),
            ("voided", State::Voided, None),
        ];
        let mut table = String::new();
        for (name, state, successor) in states {
            let token = StoredToken {
                digest: Digest::of(b"token"),
                grant_id: "grant".into(),
                state,
                expires_at: now + Lifetime::from_seconds(60),
                version: 1,
                successor: successor.map(|state| (Digest::of(b"successor"), state)),
            };
            for (who, bound, by) in [
                ("unbound", None, None),
                ("own key", Some("k"), Some("k")),
                ("other key", Some("k"), Some("x")),
                ("no proof", Some("k"), None),
            ] {
                let outcome = match rotate(&token, bound, by, now) {
                    Ok(Rotation::Again { .. }) => "Again".to_owned(),
                    Ok(rotation) => format!("{rotation:?}"),
                    Err(refusal) => format!("refused: {refusal:?}"),
                };
                table += &format!("{name:32} {who:10} -> {outcome}\n");
            }
        }
        expect![[r#"
            unused                           unbound    -> Fresh
            unused                           own key    -> Fresh
            unused                           other key  -> refused: DpopKeyMismatch
            unused                           no proof   -> refused: DpopKeyMismatch
            used 60 s ago, successor unused  unbound    -> Replayed
            used 60 s ago, successor unused  own key    -> Again
            used 60 s ago, successor unused  other key  -> refused: DpopKeyMismatch
            used 60 s ago, successor unused  no proof   -> refused: DpopKeyMismatch
            used 61 s ago, successor unused  unbound    -> Replayed
            used 61 s ago, successor unused  own key    -> Replayed
            used 61 s ago, successor unused  other key  -> refused: DpopKeyMismatch
            used 61 s ago, successor unused  no proof   -> refused: DpopKeyMismatch
            used 1 s ago, successor used     unbound    -> Replayed
            used 1 s ago, successor used     own key    -> Replayed
            used 1 s ago, successor used     other key  -> refused: DpopKeyMismatch
            used 1 s ago, successor used     no proof   -> refused: DpopKeyMismatch
            voided                           unbound    -> Voided
            voided                           own key    -> Voided
            voided                           other key  -> refused: DpopKeyMismatch
            voided                           no proof   -> refused: DpopKeyMismatch
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn p33_the_certificate_of_a_public_client_is_for_good_and_a_confidential_one_renews_it() {
        let mut table = String::new();
        for (bound_to, shown) in [
            (None, None),
            (None, Some("new")),
            (Some("old"), Some("old")),
            (Some("old"), Some("new")),
            (Some("old"), None),
        ] {
            let [public, confidential] = [true, false].map(|is_public| certificate(bound_to, shown, is_public));
            table += &format!("{bound_to:?} shows {shown:?}: public {public:?}, confidential {confidential:?}\n");
        }
        expect![[r#"
            None shows None: public Ok(None), confidential Ok(None)
            None shows Some("new"): public Ok(Some("new")), confidential Ok(Some("new"))
            Some("old") shows Some("old"): public Ok(Some("old")), confidential Ok(Some("old"))
            Some("old") shows Some("new"): public Err(CertificateMismatch), confidential Ok(Some("new"))
            Some("old") shows None: public Err(CertificateMissing), confidential Err(CertificateMissing)
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn an_expired_token_is_unknown_and_ends_nothing() {
        let now = Timestamp::from_seconds(1_000_000);
        let token = StoredToken {
            digest: Digest::of(b"token"),
            grant_id: "grant".into(),
            state: State::Used { at: now },
            expires_at: now,
            version: 1,
            successor: None,
        };
        assert_eq!(rotate(&token, None, None, now), Err(Refusal::RefreshTokenUnknown));
    }
}
