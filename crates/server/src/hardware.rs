//! Which passkeys are in proven hardware: their attestation (WebAuthn §6.5) leads to an authority that an
//! administrator trusts for that, and they cannot be copied to another device. webauthn-rs has checked the
//! attestation's own signature at the registration; where it leads is asked at each decision, so that an authority
//! that is taken out of the file counts no more. Absent: the FIDO Metadata Service.

use store::approver_keys::Passkey;
use webauthn_rs::prelude::{AttestationCaList, AttestationMetadata, Credential, Uuid};

use crate::config::{PasskeyRules, Problem};

#[derive(Default)]
pub struct Hardware {
    authorities: AttestationCaList,
    /// Kinds of devices; empty is every one that an authority vouches for.
    aaguids: Vec<Uuid>,
}

const END: &str = "-----END CERTIFICATE-----";

impl Hardware {
    pub fn open(rules: &PasskeyRules) -> Result<Self, Problem> {
        let Some(path) = &rules.attestation_authorities else {
            return Ok(Self::default());
        };
        let problem = |text: String| Problem {
            place: format!("passkeys.attestation_authorities {}", path.display()),
            text,
        };
        let pem = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot be read: {error}")))?;
        let mut authorities = AttestationCaList::default();
        for certificate in pem.split_inclusive(END).filter(|text| text.contains(END)) {
            let authority = AttestationCaList::try_from(certificate.trim().as_bytes());
            authorities.union(&authority.map_err(|_| problem("holds what is no certificate in PEM".to_owned()))?);
        }
        if authorities.is_empty() {
            return Err(problem("holds no certificate in PEM".to_owned()));
        }
        Ok(Self {
            authorities,
            aaguids: rules.aaguids.clone(),
        })
    }

    /// Whether any passkey can be proven at all, and so is asked for its attestation.
    pub fn is_known(&self) -> bool {
        !self.authorities.is_empty()
    }

    /// A passkey that is synchronised lives where its provider likes, whoever made the device.
    pub fn protects(&self, passkey: &Passkey) -> bool {
        let registered = serde_json::from_value::<webauthn_rs::prelude::Passkey>(passkey.credential.clone());
        let Ok(credential) = registered.map(Credential::from) else {
            return false;
        };
        self.is_known()
            && !credential.backup_eligible
            && self.is_of_a_kind(&credential)
            && matches!(credential.verify_attestation(&self.authorities), Ok(Some(_)))
    }

    fn is_of_a_kind(&self, credential: &Credential) -> bool {
        let aaguid = match &credential.attestation.metadata {
            AttestationMetadata::Packed { aaguid } | AttestationMetadata::Tpm { aaguid, .. } => Some(aaguid),
            _ => None,
        };
        self.aaguids.is_empty() || aaguid.is_some_and(|aaguid| self.aaguids.contains(aaguid))
    }
}
