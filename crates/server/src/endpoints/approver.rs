//! The terminal decision: what `waypass approver enroll`, `show`, `approve` and `deny` call. The shapes
//! are in `protocol/wire/approver.rs`. Each call carries a DPoP-form proof by the approver's software
//! key, which stands where the browser session stands on the page.

use axum::Json;
use axum::extract::{Request, State};
use protocol::approver::Approver;
use protocol::authentication::Strength;
use protocol::authorization_request::{AuthorizationRequest, CodeEntry, State as RequestState, Viewer};
use protocol::decision::{Decision, Evidence, Granted, StoredKey};
use protocol::dpop::{NonceRule, ProofExpectation, VerifiedProof};
use protocol::event::Action;
use protocol::jwk::PublicJwk;
use protocol::narrowing;
use protocol::refusal::Refusal;
use protocol::secret::EnrollmentToken;
use protocol::wire::approver::{
    ApproveRequest, DecidedResponse, DenyRequest, DigitsRequest, EnrollRequest, EnrollResponse, RequestView,
    ViewRequest, WaitingRequest, WaitingResponse,
};
use serde::de::DeserializeOwned;
use store::approver_keys::SoftwareKey;
use store::{Batch, Fault};

use crate::app::{App, Shared};
use crate::confirmation;
use crate::deciding::{Deciding, Signed};
use crate::extract::client::{seen_address, user_agent};
use crate::extract::form::read_json;
use crate::extract::proof;
use crate::failure::Failure;
use crate::peer::SeenAddress;
use crate::quorum;
use crate::request_view;
use crate::request_view::Offer;

/// Body, proof and address of one call.
struct Call<T> {
    body: T,
    proof: VerifiedProof,
    address: SeenAddress,
    user_agent: Option<String>,
}

impl<T: DeserializeOwned> Call<T> {
    async fn read(app: &App, request: Request, path: &str) -> Result<Self, Failure> {
        let address = seen_address(app, request.headers(), request.extensions());
        app.limits.check(address.counted, app.now())?;
        let (parts, body) = request.into_parts();
        let htu = app.config.issuer.url(path);
        let nonce = NonceRule::Required(&app.derived.nonces);
        let expected = ProofExpectation {
            htm: "POST",
            htu: &htu,
            alias: None,
            access_token: None,
            nonce,
        };
        let proof = proof::verified(app, &parts.headers, &expected)?;
        let body = read_json(body).await?;
        Ok(Self {
            body,
            proof,
            address,
            user_agent: user_agent(&parts.headers),
        })
    }

    /// Whose key signed the proof, and that key as it was registered.
    async fn deciding(&self, app: &App) -> Result<(Deciding, PublicJwk), Failure> {
        let found = app.store.approver_of_software_key(self.proof.thumbprint()).await?;
        let (approver, key) = found.ok_or(Refusal::SignInRequired)?;
        approver.must_be_active()?;
        let key = PublicJwk::parse(&key)
            .map_err(|flaw| Fault::broken("a stored software key does not parse").because(flaw))?;
        let viewer = Viewer {
            approver_id: approver.id.clone(),
            through: format!("key:{}", self.proof.thumbprint()),
        };
        Ok((
            Deciding {
                approver,
                viewer,
                address: self.address,
                user_agent: self.user_agent.clone(),
                used_up: proof::used_up(&self.proof),
            },
            key,
        ))
    }
}

pub async fn enroll(State(app): State<Shared>, request: Request) -> Result<Json<EnrollResponse>, Failure> {
    let call: Call<EnrollRequest> = Call::read(&app, request, "/approver/enroll").await?;
    let token = EnrollmentToken::presented(call.body.enrollment_token.clone()).digest();
    let attempt = || async {
        let approver = app
            .store
            .invited_approver(&token, app.now())
            .await?
            .ok_or(Refusal::EnrollmentLinkInvalid)?;
        must_be_no_instances(&app, call.proof.thumbprint()).await?;
        let batch = enrolled(&app, &call, &approver)?.use_invitation(&token, app.now());
        Ok::<_, Failure>((batch, approver))
    };
    let approver = app.store.decide(attempt).await?;
    Ok(Json(EnrollResponse {
        approver: approver.name,
        approver_id: approver.id,
        thumbprint: call.proof.thumbprint().to_owned(),
    }))
}

/// A key that asks decides nothing: neither an agent nor any other program becomes a person by a link.
async fn must_be_no_instances(app: &App, thumbprint: &str) -> Result<(), Failure> {
    match app.store.instance_by_key(thumbprint, app.now()).await? {
        Some(_) => Err(Refusal::RequesterIsApprover.into()),
        None => Ok(()),
    }
}

fn enrolled(app: &App, call: &Call<EnrollRequest>, approver: &Approver) -> Result<Batch, Failure> {
    let key = SoftwareKey {
        thumbprint: call.proof.thumbprint().to_owned(),
        public_key: call.proof.public_key().to_value(),
        created_at: app.now(),
        last_used_at: None,
    };
    let event = app
        .event(Action::ApproverKeyAdded)
        .approver(&approver.id)
        .with("key.kind", "software-key")
        .with("key.jkt", key.thumbprint.clone());
    Ok(proof::used_up(&call.proof)
        .touch_approver(approver)
        .add_software_key(approver, &key)?
        .record(&event)?)
}

pub async fn view(State(app): State<Shared>, request: Request) -> Result<Json<RequestView>, Failure> {
    let call: Call<ViewRequest> = Call::read(&app, request, "/approver/view").await?;
    let (deciding, _) = call.deciding(&app).await?;
    let opened = match (&call.body.user_code, &call.body.request_id) {
        (Some(user_code), None) => {
            let request_id = deciding.try_code(&app, user_code, CodeEntry::Typed).await?;
            deciding.opened(&app, &request_id).await?
        }
        (None, Some(request_id)) => deciding.open_waiting(&app, request_id).await?,
        _ => return Err(Refusal::RequestMalformed.into()),
    };
    if !opened.profile.approval.software_keys {
        return Err(Refusal::SoftwareKeyNotAllowed.into());
    }
    let granted = match &call.body.granted {
        Some(less) => {
            let purpose = &opened.request.content.purpose;
            narrowing::given(purpose, &Granted::from_value(less)?, &opened.left, app.now())?
        }
        None => opened.left.clone(),
    };
    let offer = Offer {
        granted: &granted,
        nonce: &deciding.nonce(&app, &opened.request),
        strengths: &[Strength::SoftwareKey],
    };
    Ok(Json(deciding.view(&app, &opened, &offer)?))
}

pub async fn approve(State(app): State<Shared>, request: Request) -> Result<Json<DecidedResponse>, Failure> {
    let call: Call<ApproveRequest> = Call::read(&app, request, "/approver/approve").await?;
    let (deciding, key) = call.deciding(&app).await?;
    // Only what it grants is read, as a choice: what counts is rebuilt from what is stored.
    let chosen = Decision::from_value(&call.body.decision)?;
    let evidence = Evidence::SoftwareKey {
        thumbprint: key.thumbprint(),
        public_key: key.to_value(),
        signature: call.body.signature.clone(),
    };
    let signed = Signed {
        key: &StoredKey::Software { public_key: key },
        evidence: &evidence,
        granted: Some(&chosen.granted),
        binding_data: call.body.binding_data.as_deref(),
    };
    let request = deciding.approve(&app, &call.body.request_id, &signed).await?;
    Ok(Json(decided(&app, &request, &deciding.viewer)))
}

fn decided(app: &App, request: &AuthorizationRequest, viewer: &Viewer) -> DecidedResponse {
    let profile = app.profiles().named(&request.content.profile);
    DecidedResponse {
        request_id: request.content.id.clone(),
        state: request.state.name().to_owned(),
        waiting_for: match (&request.state, profile) {
            (RequestState::Endorsed { .. }, Some(profile)) => Some(quorum::missing(request, profile)),
            _ => None,
        },
        confirmation: confirmation::shown_to(app, request, viewer).map(|digits| digits.reveal().to_owned()),
    }
}

/// What waits without a code.
pub async fn waiting(State(app): State<Shared>, request: Request) -> Result<Json<WaitingResponse>, Failure> {
    let call: Call<WaitingRequest> = Call::read(&app, request, "/approver/waiting").await?;
    let (deciding, _) = call.deciding(&app).await?;
    app.commit(deciding.used_up.clone()).await?;
    let listed = deciding.waiting(&app).await?;
    Ok(Json(request_view::listed(&listed, app.details())))
}

/// X16, for who opened a request that others of a quorum approved later.
pub async fn digits(State(app): State<Shared>, request: Request) -> Result<Json<DecidedResponse>, Failure> {
    let call: Call<DigitsRequest> = Call::read(&app, request, "/approver/digits").await?;
    let (deciding, _) = call.deciding(&app).await?;
    app.commit(deciding.used_up.clone()).await?;
    let request = app.store.request(&call.body.request_id).await?;
    let request = request.filter(|request| quorum::is_of(request, &deciding.approver.id));
    let request = request.ok_or(Refusal::UserCodeUnusable)?;
    Ok(Json(decided(&app, &request, &deciding.viewer)))
}

pub async fn deny(State(app): State<Shared>, request: Request) -> Result<Json<DecidedResponse>, Failure> {
    let call: Call<DenyRequest> = Call::read(&app, request, "/approver/deny").await?;
    let (deciding, _) = call.deciding(&app).await?;
    deciding.deny(&app, &call.body.request_id, call.body.report).await?;
    Ok(Json(DecidedResponse {
        request_id: call.body.request_id,
        state: "denied".to_owned(),
        waiting_for: None,
        confirmation: None,
    }))
}
