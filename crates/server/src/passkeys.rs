//! Passkeys: webauthn-rs registers them and signs people in (WebAuthn §7.1, §7.2). What a decision is
//! signed with is taken apart here and checked in `protocol/decision.rs`: there the challenge is ours.

use protocol::approver::{Approver, ID_PREFIX};
use protocol::authentication::Strength;
use protocol::base64url;
use protocol::decision::{Evidence, StoredKey};
use protocol::jwk::PublicJwk;
use protocol::refusal::Refusal;
use protocol::time::{Lifetime, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::approver_keys::Passkey;
use store::{Batch, Fault};
use uuid::Uuid;
use webauthn_rs::prelude::{
    COSEKey, COSEKeyType, DiscoverableAuthentication, ECDSACurve, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::app::App;
use crate::failure::Failure;
use crate::issuer::Issuer;
use crate::pages::upstream::Purpose;

/// How long a browser may take from start to finish.
const CEREMONY: Lifetime = Lifetime::from_seconds(300);
const LONGEST_LABEL: usize = 60;
/// COSE: ES256 and RS256, which is what both webauthn-rs registers and we check decisions with.
const ALGORITHMS: [i32; 2] = [-7, -257];

pub fn webauthn(issuer: &Issuer) -> Result<Webauthn, Fault> {
    let fault = |error: &dyn std::error::Error| Fault::broken(format!("the issuer cannot have passkeys: {error}"));
    let origin = url::Url::parse(issuer.origin()).map_err(|error| fault(&error))?;
    WebauthnBuilder::new(issuer.host(), &origin)
        .and_then(|builder| builder.rp_name("Waypass").build())
        .map_err(|error| fault(&error))
}

/// What a ceremony was begun for; only that can be finished with it.
#[derive(Serialize, Deserialize)]
pub enum Ceremony {
    SignIn(DiscoverableAuthentication),
    Enroll {
        approver_id: String,
        state: PasskeyRegistration,
    },
    Add {
        session_id: String,
        state: PasskeyRegistration,
    },
    Upstream(Purpose),
}

/// What the browser is given at the start.
#[derive(Serialize)]
pub struct Started {
    /// Names the ceremony at its finish; serves once.
    pub ceremony: String,
    pub options: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
}

impl Ceremony {
    /// Kept on the server: in a cookie or form it could be used twice.
    pub async fn begin(&self, app: &App, options: Value) -> Result<Started, Failure> {
        let ceremony = base64url::encode(&app.entropy.draw().0);
        let batch = Batch::default().begin_ceremony(&ceremony, &to_json(self)?, app.now() + CEREMONY)?;
        app.commit(batch).await?;
        Ok(Started {
            ceremony,
            options,
            approver: None,
        })
    }

    pub async fn find(app: &App, id: &str) -> Result<Self, Failure> {
        let content = app
            .store
            .ceremony(id, app.now())
            .await?
            .ok_or(Refusal::PasskeyInvalid)?;
        let ceremony = serde_json::from_value(content);
        Ok(ceremony.map_err(|error| Fault::broken("a stored ceremony does not decode").because(error))?)
    }
}

/// A passkey of its own for this approver: discoverable, since nobody types a name to sign in, and
/// unlocked by the person each time.
pub fn start_registration(
    app: &App,
    approver: &Approver,
    known: &[Passkey],
) -> Result<(Value, PasskeyRegistration), Failure> {
    let known = known
        .iter()
        .filter_map(|passkey| base64url::decode(&passkey.credential_id))
        .collect();
    let started =
        app.webauthn
            .start_passkey_registration(user_handle(approver)?, &approver.name, &approver.name, Some(known));
    let (options, state) = started.map_err(|error| broken(&error))?;
    let mut options = to_json(&options.public_key)?;
    if let Some(members) = options.as_object_mut() {
        let algorithms = ALGORITHMS.map(|alg| json!({ "type": "public-key", "alg": alg }));
        members.insert("pubKeyCredParams".to_owned(), algorithms.to_vec().into());
        let selection =
            json!({ "residentKey": "required", "requireResidentKey": true, "userVerification": "required" });
        members.insert("authenticatorSelection".to_owned(), selection);
        // Asked for only where it is of use: it tells the kind of device.
        if app.hardware.is_known() {
            members.insert("attestation".to_owned(), json!("direct"));
        }
    }
    Ok((options, state))
}

pub fn finish_registration(
    app: &App,
    approver_id: &str,
    label: &str,
    (credential, state): (&RegisterPublicKeyCredential, &PasskeyRegistration),
) -> Result<Passkey, Failure> {
    let registered = app
        .webauthn
        .finish_passkey_registration(credential, state)
        .map_err(|error| refused(&error))?;
    let credential = to_json(&registered)?;
    let label: String = label.trim().chars().take(LONGEST_LABEL).collect();
    Ok(Passkey {
        credential_id: base64url::encode(registered.cred_id().as_slice()),
        approver_id: approver_id.to_owned(),
        label: if label.is_empty() { "Passkey".to_owned() } else { label },
        public_key: public_jwk(registered.get_public_key())?.to_value(),
        sign_count: credential
            .pointer("/cred/counter")
            .and_then(Value::as_i64)
            .unwrap_or_default(),
        credential,
        created_at: app.now(),
        last_used_at: None,
    })
}

pub fn start_sign_in(app: &App) -> Result<(Value, DiscoverableAuthentication), Failure> {
    let (options, state) = app
        .webauthn
        .start_discoverable_authentication()
        .map_err(|error| broken(&error))?;
    Ok((to_json(&options.public_key)?, state))
}

/// Somebody who has proved to be an approver.
pub struct Proven {
    pub approver: Approver,
    pub passkey: Passkey,
    pub sign_count: i64,
}

/// The passkey says who it is; whether it does is checked with the key on record.
pub async fn finish_sign_in(
    app: &App,
    credential: &PublicKeyCredential,
    state: DiscoverableAuthentication,
) -> Result<Proven, Failure> {
    let (user, id) = app
        .webauthn
        .identify_discoverable_authentication(credential)
        .map_err(|error| refused(&error))?;
    let mut passkey = app
        .store
        .passkey(&base64url::encode(id))
        .await?
        .ok_or(Refusal::PasskeyInvalid)?;
    let approver = app
        .store
        .approver(&passkey.approver_id)
        .await?
        .ok_or(Refusal::PasskeyInvalid)?;
    let registered = serde_json::from_value(passkey.credential.clone());
    let mut registered: webauthn_rs::prelude::Passkey =
        registered.map_err(|error| Fault::broken("a stored passkey does not decode").because(error))?;
    let checked = app
        .webauthn
        .finish_discoverable_authentication_v2(credential, state, &registered);
    let checked = checked.map_err(|error| refused(&error))?;
    let sign_count = i64::from(checked.counter());
    // Decisions count too, and the library knows nothing of them.
    let grows = sign_count > passkey.sign_count || (sign_count == 0 && passkey.sign_count == 0);
    let is_disabled = approver.must_be_active().is_err();
    if user != user_handle(&approver)? || !checked.user_verified() || !grows || is_disabled {
        return Err(Refusal::PasskeyInvalid.into());
    }
    registered.update_credential(&checked);
    passkey.credential = to_json(&registered)?;
    Ok(Proven {
        approver,
        passkey,
        sign_count,
    })
}

/// What passkeys can be here.
pub fn strengths(app: &App) -> &'static [Strength] {
    if app.hardware.is_known() {
        &[Strength::Passkey, Strength::HardwarePasskey]
    } else {
        &[Strength::Passkey]
    }
}

pub fn strength(app: &App, passkey: &Passkey) -> Strength {
    if app.hardware.protects(passkey) {
        Strength::HardwarePasskey
    } else {
        Strength::Passkey
    }
}

/// `PublicKeyCredentialRequestOptionsJSON` (WebAuthn §5.1.8) for the signature over a decision.
pub fn decision_options(app: &App, challenge: &str, passkeys: &[Passkey], until: Timestamp) -> String {
    let allowed: Vec<Value> = passkeys
        .iter()
        .map(|passkey| json!({ "type": "public-key", "id": passkey.credential_id }))
        .collect();
    let options = json!({
        "challenge": challenge,
        "rpId": app.config.issuer.host(),
        "allowCredentials": allowed,
        "userVerification": "required",
        "timeout": (until - app.now()).seconds() * 1000,
    });
    options.to_string()
}

/// `AuthenticationResponseJSON` (WebAuthn §5.1.8), as much of it as signs.
#[derive(Deserialize)]
struct Signed {
    id: String,
    response: SignedResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedResponse {
    authenticator_data: String,
    #[serde(rename = "clientDataJSON")]
    client_data_json: String,
    signature: String,
}

/// The evidence that was sent, and the key of this approver that it names.
pub async fn evidence(app: &App, approver: &Approver, credential: &str) -> Result<(StoredKey, Evidence), Failure> {
    let signed: Signed = serde_json::from_str(credential).map_err(|_| Refusal::RequestMalformed)?;
    let passkey = app
        .store
        .passkey(&signed.id)
        .await?
        .filter(|passkey| passkey.approver_id == approver.id);
    let passkey = passkey.ok_or(Refusal::PasskeyInvalid)?;
    let public_key = PublicJwk::parse(&passkey.public_key);
    let public_key = public_key.map_err(|flaw| Fault::broken("a stored passkey's key does not parse").because(flaw))?;
    let is_hardware = strength(app, &passkey) == Strength::HardwarePasskey;
    let evidence = Evidence::Passkey {
        credential_id: passkey.credential_id,
        public_key: passkey.public_key,
        authenticator_data: signed.response.authenticator_data,
        client_data_json: signed.response.client_data_json,
        signature: signed.response.signature,
    };
    Ok((
        StoredKey::Passkey {
            public_key,
            sign_count: u32::try_from(passkey.sign_count).ok(),
            is_hardware,
        },
        evidence,
    ))
}

/// WebAuthn §4 asks for a handle that says nothing about the person: the random part of the id.
fn user_handle(approver: &Approver) -> Result<Uuid, Fault> {
    let id = approver.id.strip_prefix(ID_PREFIX).unwrap_or_default();
    Uuid::parse_str(id).map_err(|error| Fault::broken("an approver's id is no UUID").because(error))
}

fn public_jwk(key: &COSEKey) -> Result<PublicJwk, Refusal> {
    let jwk = match &key.key {
        COSEKeyType::EC_EC2(key) if key.curve == ECDSACurve::SECP256R1 => {
            PublicJwk::p256(&[&[4], key.x.as_slice(), key.y.as_slice()].concat())
        }
        COSEKeyType::RSA(key) => PublicJwk::rsa(&key.n, &key.e),
        _ => return Err(Refusal::PasskeyKindUnsupported),
    };
    jwk.map_err(|_| Refusal::PasskeyKindUnsupported)
}

pub fn to_json(value: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| Fault::broken("a ceremony cannot be written as JSON").because(error))
}

fn refused(error: &WebauthnError) -> Failure {
    tracing::debug!(%error, "passkey refused");
    Refusal::PasskeyInvalid.into()
}

fn broken(error: &WebauthnError) -> Fault {
    Fault::broken(format!("a passkey ceremony cannot begin: {error}"))
}
