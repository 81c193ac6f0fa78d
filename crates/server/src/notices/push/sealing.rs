//! One message that only one browser can read: RFC 8291, with the encoding of RFC 8188 in a single record.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::hmac;
use protocol::base64url;
use zeroize::Zeroizing;

const POINT: usize = 65;
/// RFC 8188 §2.1: the size of a record. Push services take no body above 4096 octets.
const RECORD: u32 = 4096;
/// What header, delimiter and tag leave of that.
const LONGEST: usize = 4096 - (16 + 4 + 1 + POINT) - 1 - 16;
/// RFC 8188 §2: what follows the text of the last record.
const LAST: u8 = 2;

/// The browser's.
pub struct Keys {
    public: [u8; POINT],
    auth: Zeroizing<[u8; 16]>,
}

impl Keys {
    pub fn read(p256dh: &str, auth: &str) -> Option<Self> {
        let decode = |text: &str| base64url::decode(text.trim_end_matches('='));
        Some(Self {
            public: decode(p256dh)?
                .try_into()
                .ok()
                .filter(|point: &[u8; POINT]| point.first() == Some(&4))?,
            auth: Zeroizing::new(decode(auth)?.try_into().ok()?),
        })
    }
}

/// `own`: made for this message alone, as is `salt`.
pub fn seal(keys: &Keys, (own, salt): (&PrivateKey, [u8; 16]), text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > LONGEST {
        return None;
    }
    let public = own.compute_public_key().ok()?;
    let public = public.as_ref();
    let peer = UnparsedPublicKey::new(&ECDH_P256, keys.public);
    let ikm = agreement::agree(own, peer, (), |shared| {
        let info = [b"WebPush: info\0", keys.public.as_slice(), public].concat();
        Ok(derive(keys.auth.as_slice(), shared, &info))
    });
    let ikm = ikm.ok()?;
    let key = derive(&salt, ikm.as_slice(), b"Content-Encoding: aes128gcm\0");
    let nonce = derive(&salt, ikm.as_slice(), b"Content-Encoding: nonce\0");
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key.get(..16)?).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce.get(..12)?).ok()?;
    let mut sealed = [text, &[LAST]].concat();
    key.seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed).ok()?;
    let length = u8::try_from(public.len()).ok()?;
    Some([&salt, RECORD.to_be_bytes().as_slice(), &[length], public, &sealed].concat())
}

/// HKDF with SHA-256 for one block (RFC 5869).
fn derive(salt: &[u8], ikm: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let sign = |key: &[u8], message: &[u8]| {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
        let mut block = Zeroizing::new([0; 32]);
        block.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        block
    };
    let extracted = sign(salt, ikm);
    sign(extracted.as_slice(), &[info, &[1]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8291 §5 and its appendix A.
    #[test]
    fn rfc8291_5_the_example_comes_out() {
        let keys = Keys::read(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            "BTBZMqHH6r4Tts7J_aSIgg",
        );
        let own = base64url::decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw").unwrap();
        let own = PrivateKey::from_private_key(&ECDH_P256, &own).unwrap();
        let salt = base64url::decode("DGv6ra1nlYgDCS1FRnbzlw").unwrap().try_into().unwrap();
        let sealed = seal(
            &keys.unwrap(),
            (&own, salt),
            b"When I grow up, I want to be a watermelon",
        )
        .unwrap();
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8\
            wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(base64url::encode(&sealed), expected);
    }

    #[test]
    fn what_is_no_key_of_a_browser_is_refused_and_too_long_a_text_is_none() {
        let point = base64url::encode(&[4; 65]);
        let auth = base64url::encode(&[7; 16]);
        assert!(Keys::read(&point, &auth).is_some());
        for (p256dh, auth) in [
            (&*base64url::encode(&[5; 65]), &*auth),
            (&*auth, &*auth),
            (&*point, &*point),
            ("", ""),
        ] {
            assert!(Keys::read(p256dh, auth).is_none(), "{p256dh} {auth}");
        }
        let own = PrivateKey::generate(&ECDH_P256).unwrap();
        // Not a point of the curve.
        assert!(seal(&Keys::read(&point, &auth).unwrap(), (&own, [0; 16]), b"text").is_none());
        let public = base64url::encode(own.compute_public_key().unwrap().as_ref());
        let keys = Keys::read(&public, &auth).unwrap();
        assert_eq!(seal(&keys, (&own, [0; 16]), &[b'x'; LONGEST]).unwrap().len(), 4096);
        assert!(seal(&keys, (&own, [0; 16]), &[b'x'; LONGEST + 1]).is_none());
    }
}
