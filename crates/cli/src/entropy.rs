//! Where the command line draws chance: key material and the `jti` of proofs.

use aws_lc_rs::rand::SystemRandom;
use protocol::secret::Entropy;

/// `None` when the system has no chance to give; nothing may be signed or made then.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws chance")]
pub fn draw() -> Option<Entropy> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(Entropy(bytes))
}

/// What an ES256 signature draws its nonce from.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws chance")]
pub fn for_signing() -> SystemRandom {
    SystemRandom::new()
}
