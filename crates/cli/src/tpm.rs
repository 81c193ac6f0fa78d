//! Keys that a TPM 2.0 makes, keeps and signs with, behind the feature `tpm`. What is stored here is the
//! key sealed under the TPM's own storage key: of use in this TPM and nowhere else. What is not here: a
//! proof to the server that it is so, which would be an attestation.

use serde::{Deserialize, Serialize};

/// A key as its TPM gave it out: the public and the sealed private area, as base64url. No secret outside
/// that TPM.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sealed {
    pub public: String,
    pub private: String,
}

/// What a TPM tells of a key that it has made.
pub struct Made {
    pub x: [u8; 32],
    pub y: [u8; 32],
    pub sealed: Sealed,
}

#[cfg(feature = "tpm")]
pub use esapi::Tpm;

/// A build without the feature `tpm` has none.
#[cfg(not(feature = "tpm"))]
#[derive(Clone)]
pub enum Tpm {}

#[cfg(not(feature = "tpm"))]
impl Tpm {
    pub fn of_this_machine() -> Option<Self> {
        None
    }

    pub fn make(&self) -> Result<Made, String> {
        match *self {}
    }

    pub fn check(&self, _: &Sealed) -> Result<(), String> {
        match *self {}
    }

    pub fn sign(&self, _: &Sealed, _: &[u8]) -> Result<[u8; 64], String> {
        match *self {}
    }
}

#[cfg(feature = "tpm")]
mod esapi {
    use std::fs::OpenOptions;
    use std::path::Path;
    use std::str::FromStr as _;

    use aws_lc_rs::digest::{SHA256, digest};
    use protocol::base64url;
    use tss_esapi::attributes::{ObjectAttributes, ObjectAttributesBuilder};
    use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
    use tss_esapi::handles::KeyHandle;
    use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
    use tss_esapi::interface_types::ecc::EccCurve;
    use tss_esapi::interface_types::resource_handles::Hierarchy;
    use tss_esapi::structures::{
        Digest, EccParameter, EccPoint, EccScheme, HashScheme, Private, Public, PublicBuilder, PublicEccParameters,
        PublicEccParametersBuilder, Signature, SignatureScheme, SymmetricDefinitionObject,
    };
    use tss_esapi::tcti_ldr::TctiNameConf;
    use tss_esapi::traits::{Marshall as _, UnMarshall as _};
    use tss_esapi::tss2_esys::{TPM2B_DIGEST, TPMT_TK_HASHCHECK};
    use tss_esapi::{Context, Result};

    use super::{Made, Sealed};

    /// Where tpm2-tools look too.
    const VARIABLE: &str = "TPM2TOOLS_TCTI";
    /// The kernel's resource manager: any number of processes at once.
    const DEVICE: &str = "/dev/tpmrm0";
    const CURVE: EccCurve = EccCurve::NistP256;

    /// The way to a TPM. Nothing is held open: each act connects, and leaves nothing behind in it.
    #[derive(Clone)]
    pub struct Tpm(TctiNameConf);

    impl Tpm {
        /// The one that the environment names, else the machine's own if this user may use it.
        pub fn of_this_machine() -> Option<Self> {
            if let Some(address) = std::env::var_os(VARIABLE) {
                return Self::at(address.to_str()?);
            }
            let may_use = OpenOptions::new()
                .read(true)
                .write(true)
                .open(Path::new(DEVICE))
                .is_ok();
            if may_use {
                Self::at(&format!("device:{DEVICE}"))
            } else {
                None
            }
        }

        /// An address as `TPM2TOOLS_TCTI` has it: `device:/dev/tpmrm0`, `swtpm:host=localhost,port=2321`.
        pub fn at(address: &str) -> Option<Self> {
            TctiNameConf::from_str(address).ok().map(Self)
        }

        pub fn make(&self) -> std::result::Result<Made, String> {
            self.with_storage_key(|context, parent| {
                let key = context.create(parent, signing_key()?, None, None, None, None)?;
                let Public::Ecc { unique, .. } = &key.out_public else {
                    return Ok(None);
                };
                let sealed = Sealed {
                    public: base64url::encode(&key.out_public.marshall()?),
                    private: base64url::encode(key.out_private.value()),
                };
                Ok(padded(unique.x())
                    .zip(padded(unique.y()))
                    .map(|(x, y)| Made { x, y, sealed }))
            })
        }

        /// Whether this is the TPM that has made the key.
        pub fn check(&self, sealed: &Sealed) -> std::result::Result<(), String> {
            self.with_key(sealed, |_, _| Ok(Some(())))
        }

        /// ES256: `r || s`.
        pub fn sign(&self, sealed: &Sealed, message: &[u8]) -> std::result::Result<[u8; 64], String> {
            self.with_key(sealed, |context, key| {
                let digest = Digest::try_from(digest(&SHA256, message).as_ref())?;
                // The digest was made here and not in the TPM, which only a restricted key would mind.
                let made_here = TPMT_TK_HASHCHECK {
                    tag: TPM2_ST_HASHCHECK,
                    hierarchy: TPM2_RH_NULL,
                    digest: TPM2B_DIGEST::default(),
                };
                match context.sign(key, digest, SignatureScheme::Null, made_here.try_into()?)? {
                    Signature::EcDsa(signature) => Ok(padded(signature.signature_r())
                        .zip(padded(signature.signature_s()))
                        .map(joined)),
                    _ => Ok(None),
                }
            })
        }

        fn with_key<T>(
            &self,
            sealed: &Sealed,
            act: impl FnOnce(&mut Context, KeyHandle) -> Result<Option<T>>,
        ) -> std::result::Result<T, String> {
            let decoded = base64url::decode(&sealed.public).zip(base64url::decode(&sealed.private));
            let (public, private) = decoded.ok_or("the sealed key is damaged")?;
            self.with_storage_key(|context, parent| {
                let key = context.load(parent, Private::try_from(private)?, Public::unmarshall(&public)?)?;
                act(context, key)
            })
        }

        /// The storage key is not kept: a TPM derives the same one from the same template each time, until
        /// it is cleared.
        fn with_storage_key<T>(
            &self,
            act: impl FnOnce(&mut Context, KeyHandle) -> Result<Option<T>>,
        ) -> std::result::Result<T, String> {
            let acted = Context::new(self.0.clone()).and_then(|mut context| {
                context.execute_with_nullauth_session(|context| {
                    let storage_key = storage_key()?;
                    let parent = context.create_primary(Hierarchy::Owner, storage_key, None, None, None, None)?;
                    act(context, parent.key_handle)
                })
            });
            acted
                .map_err(|error| error.to_string())?
                .ok_or_else(|| "the TPM answers with something else".to_owned())
        }
    }

    fn signing_key() -> Result<Public> {
        let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
        template(
            attributes().with_sign_encrypt(true).build()?,
            PublicEccParametersBuilder::new_unrestricted_signing_key(scheme, CURVE).build()?,
        )
    }

    fn storage_key() -> Result<Public> {
        let symmetric = SymmetricDefinitionObject::AES_128_CFB;
        template(
            attributes().with_decrypt(true).with_restricted(true).build()?,
            PublicEccParametersBuilder::new_restricted_decryption_key(symmetric, CURVE).build()?,
        )
    }

    /// Made in this TPM, never to leave it, and not locked when somebody guesses passwords of other keys.
    fn attributes() -> ObjectAttributesBuilder {
        ObjectAttributesBuilder::new()
            .with_fixed_tpm(true)
            .with_fixed_parent(true)
            .with_sensitive_data_origin(true)
            .with_user_with_auth(true)
            .with_no_da(true)
    }

    fn template(attributes: ObjectAttributes, parameters: PublicEccParameters) -> Result<Public> {
        PublicBuilder::new()
            .with_public_algorithm(PublicAlgorithm::Ecc)
            .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
            .with_object_attributes(attributes)
            .with_ecc_parameters(parameters)
            .with_ecc_unique_identifier(EccPoint::default())
            .build()
    }

    /// A TPM may leave out leading zeros.
    fn padded(number: &EccParameter) -> Option<[u8; 32]> {
        let bytes = number.value();
        let mut padded = [0; 32];
        padded
            .get_mut(32_usize.checked_sub(bytes.len())?..)?
            .copy_from_slice(bytes);
        Some(padded)
    }

    fn joined((r, s): ([u8; 32], [u8; 32])) -> [u8; 64] {
        let mut signature = [0; 64];
        for (to, from) in signature.iter_mut().zip(r.iter().chain(&s)) {
            *to = *from;
        }
        signature
    }
}
