//! What a person does to a request, the same from page and terminal: try a code, look, approve, deny.
//! The rules are in `protocol/authorization_request.rs`; here they are loaded and committed.

use std::net::IpAddr;

use protocol::approval::{ConfirmedApproval, Expected};
use protocol::approver::Approver;
use protocol::authorization_request::{Act, AuthorizationRequest, CodeEntry, State, Viewer};
use protocol::client::Client;
use protocol::decision::{Evidence, StoredKey};
use protocol::event::Action;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::user_code::UserCode;
use protocol::wire::approver::RequestView;
use store::Batch;
use store::guesses::Guesser;

use crate::app::App;
use crate::failure::Failure;
use crate::peer;
use crate::request_view::{self, Onlooker};

/// An approver at work: signed in on a page, or with a proof by a software key.
pub struct Deciding {
    pub approver: Approver,
    /// The browser session, or the key that stands for one.
    pub viewer: Viewer,
    pub address: Option<IpAddr>,
    /// Whom limits count.
    pub counted: IpAddr,
    /// What was proven on the way and takes effect once.
    pub used_up: Batch,
}

/// A request that this approver may look at, with everything it stands on.
pub struct Opened {
    pub request: AuthorizationRequest,
    pub client: Client,
    pub profile: &'static Profile,
}

impl Deciding {
    fn guesser(&self) -> Guesser {
        Guesser::new(&self.approver.id, &peer::network(self.counted).to_string())
    }

    /// Tries a code and opens its request, which from then on is this viewer's alone. The try counts
    /// before the code is looked up; every failure looks the same.
    pub async fn try_code(&self, app: &App, typed: &str, entry: CodeEntry) -> Result<String, Failure> {
        let limits = app.config.limits.guesses;
        let guesser = self.guesser();
        limits.may_try(app.store.guess_counts(&guesser, app.now()).await?)?;
        app.commit(self.used_up.clone().count_guess(&guesser, limits, app.now()))
            .await?;
        let opened = match UserCode::parse(typed) {
            Some(code) => self.open_by_code(app, &code, entry).await,
            None => Err(Refusal::UserCodeUnusable.into()),
        };
        if let Err(Failure::Refusal(_)) = &opened {
            let event = app
                .event(Action::DeviceCodeChecked)
                .approver(&self.approver.id)
                .failed("unknown_code");
            app.commit(Batch::default().record(&self.seen_from(event))?).await?;
        }
        opened
    }

    async fn open_by_code(&self, app: &App, code: &UserCode, entry: CodeEntry) -> Result<String, Failure> {
        let mac = app.derived.user_code_mac(code.canonical());
        let attempt = || async {
            let request = app
                .store
                .request_by_user_code(&mac)
                .await?
                .ok_or(Refusal::UserCodeUnusable)?;
            let client = app.stored_client(&request.content.client_id).await?;
            let now = app.now();
            client.must_be_active(now).map_err(|_| Refusal::UserCodeUnusable)?;
            let state = request.act(
                &Act::View {
                    viewer: &self.viewer,
                    entry,
                },
                now,
            )?;
            let seconds = (now - request.content.requested_at).seconds();
            let event = app
                .event(Action::DeviceViewed)
                .request(&request)
                .approver(&self.approver.id)
                .with("code.entry", serde_json::to_value(entry).unwrap_or_default())
                .with("latency.request_to_view_s", seconds);
            let batch = Batch::default()
                .move_request(&request, &state)?
                .give_back_guess(&self.guesser(), now)
                .record(&self.seen_from(event))?;
            Ok::<_, Failure>((batch, request.content.id))
        };
        app.store.decide(attempt).await
    }

    /// The request, if it is open and this viewer's. Writes nothing.
    pub async fn opened(&self, app: &App, request_id: &str) -> Result<Opened, Failure> {
        let request = app.store.request(request_id).await?.ok_or(Refusal::UserCodeUnusable)?;
        let client = app.stored_client(&request.content.client_id).await?;
        client.must_be_active(app.now())?;
        request.act(
            &Act::View {
                viewer: &self.viewer,
                entry: CodeEntry::Typed,
            },
            app.now(),
        )?;
        must_be_somebody_else(app, &request).await?;
        match request.state {
            State::Viewed { .. } => Ok(Opened {
                profile: client.profile()?,
                request,
                client,
            }),
            _ => Err(Refusal::NotTheViewer.into()),
        }
    }

    pub fn view(&self, opened: &Opened, nonce: &str) -> Result<RequestView, Refusal> {
        let onlooker = Onlooker {
            approver_id: &self.approver.id,
            address: self.address,
            nonce,
        };
        request_view::view(&opened.request, &opened.client, opened.profile, &onlooker)
    }

    /// A nonce for the decision on one request by one viewer: it needs no storing, since only this
    /// server can make it, and the request can be approved once.
    pub fn nonce(&self, app: &App, request: &AuthorizationRequest) -> String {
        let parts = [
            "decision-nonce",
            request.digest.as_str(),
            &self.approver.id,
            &self.viewer.through,
        ];
        app.derived.page_token(&parts).as_str().to_owned()
    }

    /// `key` is the approver's registered key that the evidence names.
    pub async fn approve(
        &self,
        app: &App,
        request_id: &str,
        key: &StoredKey,
        evidence: &Evidence,
    ) -> Result<AuthorizationRequest, Failure> {
        let relying_party = app.config.issuer.relying_party();
        let attempt = || async {
            let now = app.now();
            let Opened {
                request,
                client,
                profile,
            } = self.opened(app, request_id).await?;
            let approver = self.still_active(app).await?;
            let nonce = self.nonce(app, &request);
            let expected = Expected {
                request: &request,
                profile,
                viewer: &self.viewer,
                nonce: &nonce,
                relying_party: &relying_party,
                key,
            };
            let approval = ConfirmedApproval::check(&expected, evidence.clone())?;
            let state = request.act(&Act::Approve(&approval), now)?;
            let event = decided(app, Action::DeviceApproved, &request)
                .approver(&approver.id)
                .with("auth.acr", approval.acr())
                .with("auth.amr", approval.amr())
                .with("granted.scope", request.content.scope.clone());
            let batch = self
                .used_up
                .clone()
                .move_request(&request, &state)?
                .approve(&request, &approval, now)?
                .client_is_unchanged(&client)
                .approver_is_unchanged(&approver)
                .then(key_used(evidence, &approval, app))
                .record(&self.seen_from(event))?;
            Ok::<_, Failure>((batch, request))
        };
        let request = app.store.decide(attempt).await?;
        app.pending.forget(&request.device_code);
        app.metrics.decided("approved");
        Ok(request)
    }

    /// Declining needs no key ceremony: it is at least as easy as approving.
    pub async fn deny(&self, app: &App, request_id: &str, reported: bool) -> Result<(), Failure> {
        let attempt = || async {
            let request = app.store.request(request_id).await?.ok_or(Refusal::UserCodeUnusable)?;
            let state = request.act(
                &Act::Deny {
                    viewer: &self.viewer,
                    reported,
                },
                app.now(),
            )?;
            let event = decided(app, Action::DeviceDenied, &request).approver(&self.approver.id);
            let mut batch = self
                .used_up
                .clone()
                .move_request(&request, &state)?
                .record(&self.seen_from(event.with("reported", reported)))?;
            if reported {
                let event = app
                    .event(Action::DeviceReported)
                    .request(&request)
                    .approver(&self.approver.id);
                batch = batch.record(&self.seen_from(event))?;
            }
            Ok::<_, Failure>((batch, request.device_code))
        };
        let device_code = app.store.decide(attempt).await?;
        app.pending.forget(&device_code);
        app.metrics.decided(if reported { "reported" } else { "denied" });
        Ok(())
    }

    async fn still_active(&self, app: &App) -> Result<Approver, Failure> {
        let approver = app
            .store
            .approver(&self.approver.id)
            .await?
            .ok_or(Refusal::ApproverDisabled)?;
        approver.must_be_active()?;
        Ok(approver)
    }

    fn seen_from(&self, event: protocol::event::Event) -> protocol::event::Event {
        event
            .with("approver.ip", self.address.map(|address| address.to_string()))
            .with("session.id", self.viewer.through.clone())
    }
}

/// A requester is never its own approver: a key that decides asks for nothing.
async fn must_be_somebody_else(app: &App, request: &AuthorizationRequest) -> Result<(), Failure> {
    match &request.content.jkt {
        Some(jkt) if app.store.approver_of_software_key(jkt).await?.is_some() => {
            Err(Refusal::RequesterIsApprover.into())
        }
        _ => Ok(()),
    }
}

fn decided(app: &App, action: Action, request: &AuthorizationRequest) -> protocol::event::Event {
    let event = app.event(action).request(request);
    match &request.state {
        State::Viewed { at, .. } => event.with("latency.view_to_decide_s", (app.now() - *at).seconds()),
        _ => event,
    }
}

fn key_used(evidence: &Evidence, approval: &ConfirmedApproval, app: &App) -> Batch {
    match evidence {
        Evidence::Passkey { credential_id, .. } => {
            Batch::default().passkey_used(credential_id, i64::from(approval.sign_count()), app.now())
        }
        Evidence::SoftwareKey { thumbprint, .. } => Batch::default().software_key_used(thumbprint, app.now()),
    }
}
