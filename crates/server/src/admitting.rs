//! Letting an instance in without a person: what an administrator's admissions of a client say of the evidence
//! that came with a request. The ceremony, and keys that were registered beforehand, are elsewhere.

use std::sync::Arc;

use protocol::admission::{Admission, Evidence};
use protocol::attestation::AttestedInstance;
use protocol::digest::Digest;
use protocol::dpop::VerifiedProof;
use protocol::event::Action;
use protocol::fact::{Fact, Source};
use protocol::instance::{About, ID_PREFIX, Instance, WayIn};
use protocol::refusal::Refusal;
use protocol::spiffe::{self, VerifiedSvid, x509};
use protocol::time::Timestamp;
use protocol::workload_token::{self, ClaimedWorkload, VerifiedWorkload, WorkloadExpectation};
use store::{Batch, Fault};

use crate::app::App;
use crate::extract::client::ClientRequest;
use crate::failure::Failure;
use crate::judging;
use crate::peer::Certificates;

/// The fact that names a workload.
const SUBJECT: &str = "workload.subject";

/// Evidence that one admission of the client accepts.
pub struct Admitted {
    admission: Arc<Admission>,
    way_in: WayIn,
    facts: Vec<Fact>,
    /// Of a bearer token: it brings in one key, and never a second.
    bearer: Option<(Digest, Timestamp)>,
    /// What is told if the admission was taken back meanwhile.
    refusal: Refusal,
}

/// What the evidence of an enrollment request proves: nothing where there is none, which leaves the ceremony.
/// Evidence that is there and proves nothing is refused, so that nobody is led into a ceremony by a typing error.
pub async fn by_evidence(app: &App, asked: &ClientRequest) -> Result<Option<Admitted>, Failure> {
    let client_id = &asked.client().client_id;
    let (token, svid) = (asked.form.get("workload_token"), asked.form.get("jwt_svid"));
    match (token, svid, &asked.attested) {
        (Some(token), None, None) => by_workload_token(app, client_id, token).await.map(Some),
        (None, Some(token), None) => {
            let found = by_jwt_svid(app, client_id, token).ok_or(Refusal::WorkloadTokenInvalid)?;
            Ok(Some(of_svid(found)))
        }
        (None, None, Some(attested)) => by_attestation(app, attested).map(Some).map_err(Failure::from),
        (None, None, None) => {
            let shown = asked.certificates.as_ref();
            Ok(shown
                .and_then(|shown| by_certificates(app, client_id, shown))
                .map(of_svid))
        }
        _ => Err(Refusal::TooManyMethods.into()),
    }
}

/// The instance that an attester vouches for: it needs no call of its own to become known.
pub fn by_attestation(app: &App, attested: &AttestedInstance) -> Result<Admitted, Refusal> {
    let admissions = app.clients.admissions_of(attested.client_id());
    let is_its = |admission: &Arc<Admission>| matches!(&admission.terms.evidence, Evidence::Attester { name, .. } if name == attested.attester());
    let admission = admissions.into_iter().find(is_its).ok_or(Refusal::AttestationInvalid)?;
    Ok(Admitted {
        way_in: WayIn::Attested {
            admission: admission.id.clone(),
            attester: attested.attester().to_owned(),
        },
        facts: attested.facts().to_vec(),
        bearer: None,
        refusal: Refusal::AttestationInvalid,
        admission,
    })
}

async fn by_workload_token(app: &App, client_id: &str, token: &str) -> Result<Admitted, Failure> {
    let claimed = workload_token::claimed(token).ok_or(Refusal::WorkloadTokenInvalid)?;
    for admission in app.clients.admissions_of(client_id) {
        let verified = verified_workload(app, &admission.terms.evidence, &claimed, token).await?;
        let Some(verified) = verified else {
            continue;
        };
        return Ok(Admitted {
            facts: vec![Fact::new(SUBJECT, &claimed.subject, Source::Proven)],
            way_in: WayIn::WorkloadToken {
                admission: admission.id.clone(),
                issuer: claimed.issuer,
                subject: claimed.subject,
            },
            bearer: Some((verified.digest().clone(), verified.expires_at())),
            refusal: Refusal::WorkloadTokenInvalid,
            admission,
        });
    }
    Err(Refusal::WorkloadTokenInvalid.into())
}

/// By the keys that were configured, or else by those that the issuer shows now.
async fn verified_workload(
    app: &App,
    evidence: &Evidence,
    claimed: &ClaimedWorkload,
    token: &str,
) -> Result<Option<VerifiedWorkload>, Fault> {
    let Evidence::Oidc {
        issuer,
        audience,
        subject,
        jwks,
    } = evidence
    else {
        return Ok(None);
    };
    if *issuer != claimed.issuer || *subject != claimed.subject {
        return Ok(None);
    }
    let keys = match jwks {
        Some(jwks) => Arc::new(jwks.clone()),
        None => app.issuer_keys.of(issuer, claimed.kid.as_deref(), app.now()).await?,
    };
    let expected = WorkloadExpectation {
        issuer,
        audience,
        subject,
        keys: &keys,
    };
    Ok(workload_token::verify(token, &expected, app.now()).ok())
}

/// An admission of this client that takes the SVID, and the SVID.
pub fn by_jwt_svid(app: &App, client_id: &str, token: &str) -> Option<(Arc<Admission>, VerifiedSvid)> {
    let admissions = app.clients.admissions_of(client_id);
    admissions.into_iter().find_map(|admission| {
        let Evidence::Spiffe { subject, bundle } = &admission.terms.evidence else {
            return None;
        };
        let expected = spiffe::SvidExpectation {
            subject,
            keys: bundle.jwt.as_ref()?,
            issuer: app.issuer(),
        };
        let svid = spiffe::verify(token, &expected, app.now()).ok()?;
        Some((admission, svid))
    })
}

/// The same, for the certificate of the connection.
pub fn by_certificates(app: &App, client_id: &str, shown: &Certificates) -> Option<(Arc<Admission>, VerifiedSvid)> {
    let admissions = app.clients.admissions_of(client_id);
    admissions.into_iter().find_map(|admission| {
        let Evidence::Spiffe { subject, bundle } = &admission.terms.evidence else {
            return None;
        };
        let svid = x509::verify(&shown.0, subject, bundle, app.now()).ok()?;
        Some((admission, svid))
    })
}

fn of_svid((admission, svid): (Arc<Admission>, VerifiedSvid)) -> Admitted {
    let spiffe_id = match &admission.terms.evidence {
        Evidence::Spiffe { subject, .. } => subject.to_string(),
        _ => String::new(),
    };
    Admitted {
        facts: vec![Fact::new(SUBJECT, &spiffe_id, Source::Proven)],
        way_in: WayIn::Svid {
            admission: admission.id.clone(),
            spiffe_id,
        },
        bearer: svid.bearer().cloned(),
        refusal: Refusal::WorkloadTokenInvalid,
        admission,
    }
}

impl Admitted {
    /// The instance that comes of it, on the admission's terms, and the batch that makes it one: refused where
    /// the key was ever enrolled, the token brought in another, the admission or its owner stands no more, or a policy
    /// forbids it.
    pub async fn instance(
        &self,
        app: &App,
        asked: &ClientRequest,
        proof: &VerifiedProof,
        (name, facts): (&str, Vec<Fact>),
    ) -> Result<(Instance, Batch), Failure> {
        let terms = &self.admission.terms;
        let owner = app
            .store
            .approver(&terms.owner)
            .await?
            .ok_or(Refusal::ApproverDisabled)?;
        owner.must_be_active()?;
        let now = app.now();
        let instance = Instance {
            id: format!("{ID_PREFIX}{}", app.new_id()),
            client_id: self.admission.client_id.clone(),
            owner: owner.id.clone(),
            about: About {
                name: name.to_owned(),
                environment: terms.environment.clone(),
                way_in: self.way_in.clone(),
                facts: self.facts.iter().cloned().chain(facts).collect(),
            },
            created_at: now,
            expires_at: now + terms.lifetime,
            last_seen_at: None,
            suspended_at: None,
            removed_at: None,
            version: 1,
        };
        let judged = judging::admitted(app, asked, &instance, &owner).await?;
        let event = app
            .event(Action::InstanceEnrolled)
            .instance(&instance)
            .with("key.jkt", proof.thumbprint());
        let mut batch = Batch::default()
            .admission_stands(&self.admission.id, self.refusal)
            .approver_is_unchanged(&owner);
        if let Some((digest, until)) = &self.bearer {
            batch = batch.use_once(digest, *until, Refusal::WorkloadTokenReplayed);
        }
        let batch = batch
            .add_instance(&instance)?
            .add_instance_key(&instance.id, proof.public_key(), now)
            .record(&judged.on(event))?;
        Ok((instance, batch))
    }
}
