//! What the signatures of a flow cost by themselves on this machine: ES256, with the library that Waypass has.

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use serde_json::{Value, json};

use crate::process::Usage;
use crate::tally::rounded;

/// About the length of a DPoP proof, or of an assertion with its digest.
const MESSAGE: [u8; 300] = [7; 300];
const ROUNDS: u32 = 20_000;

/// In CPU time, which hardly moves when other work runs beside it.
pub fn costs() -> Value {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let signature = key.sign(&random, &MESSAGE).unwrap();
    // From the bytes each time, as a key comes with a proof.
    let public = key.public_key().as_ref().to_vec();
    let verify =
        || UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, black_box(&public)).verify(&MESSAGE, signature.as_ref());
    json!({
        "es256_sign_us": each(|| {
            black_box(key.sign(&random, black_box(&MESSAGE)).unwrap());
        }),
        "es256_verify_us": each(|| verify().unwrap()),
    })
}

fn each(act: impl Fn()) -> f64 {
    let used = || Usage::of_tree(std::process::id()).cpu_seconds();
    let before = used();
    for _ in 0..ROUNDS {
        act();
    }
    rounded((used() - before) * 1e6 / f64::from(ROUNDS))
}
