//! What a person does to a request, the same from page and terminal: try a code, look, approve, deny.
//! The rules are in `protocol/authorization_request.rs`; here they are loaded and committed.

use std::sync::Arc;

use protocol::approval::{ConfirmedApproval, Expected};
use protocol::approver::Approver;
use protocol::authorization_request::{Act, AuthorizationRequest, CodeEntry, State, Viewer};
use protocol::client::Client;
use protocol::decision::{Evidence, Granted, StoredKey};
use protocol::eligibility::{Circumstances, Decider, Eligible, eligible, must_be_theirs};
use protocol::event::{Action, Event};
use protocol::fact::Fact;
use protocol::narrowing;
use protocol::network;
use protocol::platform;
use protocol::profile::Profile;
use protocol::refusal::Refusal;
use protocol::time::Timestamp;
use protocol::user_code::UserCode;
use protocol::wire::approver::{Quorum, RequestView};
use store::Batch;
use store::guesses::Guesser;

use crate::app::App;
use crate::binding;
use crate::ends::End;
use crate::failure::Failure;
use crate::first_seen::FirstSeen;
use crate::inbox;
use crate::judging;
use crate::peer::{self, SeenAddress};
use crate::quorum;
use crate::request_view::{self, Offer, Onlooker};
use crate::since;

/// An approver at work: signed in on a page, or with a proof by a software key.
pub struct Deciding {
    pub approver: Approver,
    /// The browser session, or the key that stands for one.
    pub viewer: Viewer,
    pub address: SeenAddress,
    /// Of the browser or the terminal: a claim.
    pub user_agent: Option<String>,
    /// What was proven on the way and takes effect once.
    pub used_up: Batch,
}

/// What lets an approver decide a request.
type Ground = (Client, Arc<Profile>, Eligible);

/// A request that this approver may look at, with everything it stands on.
pub struct Opened {
    pub request: AuthorizationRequest,
    pub client: Client,
    pub profile: Arc<Profile>,
    /// That this approver may, and what proves that the starter is theirs.
    pub eligible: Eligible,
    /// What can be given still.
    pub left: Granted,
    /// Where more than one person has to approve.
    pub quorum: Option<Quorum>,
    pub first_seen: FirstSeen,
    /// What a command asks for that this approver did not give it the last time.
    pub since: Vec<Fact>,
}

/// What comes with an approval.
pub struct Signed<'a> {
    /// The approver's registered key that the evidence names.
    pub key: &'a StoredKey,
    pub evidence: &'a Evidence,
    /// Less than all that is left, where the approver chose so.
    pub granted: Option<&'a Granted>,
    /// As it was typed (X17).
    pub binding_data: Option<&'a str>,
}

impl Deciding {
    pub fn guesser(&self) -> Guesser {
        Guesser::new(&self.approver.id, &peer::network(self.address.counted).to_string())
    }

    pub fn end(&self, app: &App) -> End {
        End::deciding(app, self.address, self.user_agent.as_deref())
    }

    /// Tries a code and opens its request, which from then on is this viewer's alone. The try counts
    /// before the code is looked up; every failure looks the same.
    pub async fn try_code(&self, app: &App, typed: &str, entry: CodeEntry) -> Result<String, Failure> {
        let limits = app.config.limits.guesses;
        let guesser = self.guesser();
        limits.may_try(app.store.guess_counts(&guesser, app.now()).await?)?;
        app.commit(self.used_up.clone().count_guess(&guesser, limits, app.now()))
            .await?;
        let code = UserCode::parse(typed).map(|code| app.derived.user_code_mac(code.canonical()));
        let opened = match &code {
            Some(mac) => self.open_by_code(app, mac, entry).await,
            None => Err(Refusal::UserCodeUnusable.into()),
        };
        if let Some(refusal) = opened.as_ref().err().and_then(Failure::refusal) {
            self.not_opened(app, code.as_deref(), refusal).await?;
        }
        opened
    }

    async fn open_by_code(&self, app: &App, mac: &str, entry: CodeEntry) -> Result<String, Failure> {
        let attempt = || async {
            let found = app.store.request_by_user_code(mac).await?;
            let request = found.ok_or(Refusal::UserCodeUnusable)?;
            let client = app.stored_client(&request.content.client_id).await?;
            let now = app.now();
            client.must_be_active(now).map_err(|_| Refusal::UserCodeUnusable)?;
            let (profile, _) = self.eligible(app, &request, &client).await?;
            let judged = judging::viewed(app, self, (&request, &client), entry).await?;
            let state = request.act(
                &Act::View {
                    viewer: &self.viewer,
                    entry,
                },
                now,
            )?;
            let seconds = (now - request.content.requested_at).seconds();
            let event = self
                .event(app, Action::DeviceViewed, &request)
                .ai_agent(&client)
                .with("code.entry", entry.as_str())
                .with("latency.request_to_view_s", seconds);
            let batch = self
                .prompted(&request, &profile, now)
                .move_request(&request, &state)?
                .give_back_guess(&self.guesser(), now)
                .record(&judged.on(event))?;
            Ok::<_, Failure>((batch, request.content.id))
        };
        app.store.decide(attempt).await
    }

    /// The request, if it is open and this viewer's. Writes nothing.
    pub async fn opened(&self, app: &App, request_id: &str) -> Result<Opened, Failure> {
        let request = app.store.request(request_id).await?.ok_or(Refusal::UserCodeUnusable)?;
        self.look(app, request).await
    }

    pub async fn look(&self, app: &App, request: AuthorizationRequest) -> Result<Opened, Failure> {
        request.act(&Act::Look { viewer: &self.viewer }, app.now())?;
        self.everything_of(app, request).await
    }

    /// A request with all that it stands on, if this approver may decide it.
    pub async fn everything_of(&self, app: &App, request: AuthorizationRequest) -> Result<Opened, Failure> {
        let ground = self.ground(app, &request).await?;
        self.everything_on(app, request, ground).await
    }

    /// The same, where it is known that they may.
    pub async fn everything_on(
        &self,
        app: &App,
        request: AuthorizationRequest,
        (client, profile, eligible): Ground,
    ) -> Result<Opened, Failure> {
        let requester = End::asked(app, &request.content);
        let first_seen = FirstSeen::of(app, &request.content, &self.approver.id, &requester.place).await?;
        let left = quorum::left(app, &request).await?;
        Ok(Opened {
            quorum: quorum::of(app, &request, &profile).await?,
            since: since::facts(app, &self.approver.id, &request.content, &left).await?,
            left,
            request,
            client,
            profile,
            eligible,
            first_seen,
        })
    }

    /// That this approver may decide it, and what says so.
    pub async fn ground(&self, app: &App, request: &AuthorizationRequest) -> Result<Ground, Failure> {
        let client = app.stored_client(&request.content.client_id).await?;
        client.must_be_active(app.now())?;
        must_be_somebody_else(app, request).await?;
        let (profile, eligible) = self.eligible(app, request, &client).await?;
        Ok((client, profile, eligible))
    }

    /// Each opening by code is a prompt: of so many an hour no more (RFC 10027 §6.1.11). A reload is none.
    fn prompted(&self, request: &AuthorizationRequest, profile: &Profile, now: Timestamp) -> Batch {
        match (&request.state, profile.limits.prompts_per_hour) {
            (State::Pending, Some(most)) => Batch::default().count_prompt(&self.approver.id, most, now),
            _ => Batch::default(),
        }
    }

    /// Asked when a request is opened and again when it is approved: between the two an owner can change, or
    /// a group, or what the client may ask for at all.
    pub async fn eligible(
        &self,
        app: &App,
        request: &AuthorizationRequest,
        client: &Client,
    ) -> Result<(Arc<Profile>, Eligible), Failure> {
        let content = &request.content;
        let profile = app.profile_of(client)?;
        // What was asked under another text of the profile is void.
        if !content.is_under(profile) {
            return Err(Refusal::UserCodeUnusable.into());
        }
        let instance = app.named_instance(content.instance.as_deref()).await?;
        let owner = instance.as_ref().map(|instance| instance.owner.as_str());
        if content.instance.is_some() && owner != content.owner.as_deref() {
            return Err(Refusal::UserCodeUnusable.into());
        }
        if let Some(instance) = &instance {
            instance
                .must_be_active(app.now())
                .map_err(|_| Refusal::UserCodeUnusable)?;
        }
        let groups = app.groups_of(&self.approver.id, profile).await?;
        let (requester, own) = (End::asked(app, content), self.end(app));
        let decider = Decider {
            approver_id: &self.approver.id,
            groups: &groups,
            place: &own.place,
            now: app.now(),
        };
        let around = Circumstances {
            profile,
            requester: &requester.place,
            is_same_platform: platform::is_same(requester.user_agent.as_deref(), own.user_agent.as_deref()),
            listed: &app.config.networks.trusted,
            shared: &app.config.shared_networks,
        };
        Ok((profile.clone(), eligible(request, &decider, &around)?))
    }

    pub fn view(&self, app: &App, opened: &Opened, offer: &Offer<'_>) -> Result<RequestView, Refusal> {
        let onlooker = Onlooker {
            approver_id: &self.approver.id,
            end: &self.end(app),
            offer,
            details: app.details(),
        };
        request_view::view(opened, &onlooker)
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

    pub async fn approve(
        &self,
        app: &App,
        request_id: &str,
        signed: &Signed<'_>,
    ) -> Result<AuthorizationRequest, Failure> {
        let attempt = || async {
            let now = app.now();
            // Before its groups are read: whoever is taken out of one meanwhile has another version.
            let approver = self.still_active(app).await?;
            let opened = self.opened(app, request_id).await?;
            let approval = self.confirmed(app, &opened, signed)?;
            let Opened {
                request,
                client,
                profile,
                eligible,
                first_seen,
                ..
            } = opened;
            if !binding::is_right(app, &request, signed.binding_data)? {
                let (batch, state) = self.wrongly_bound(app, &request).await?;
                let request = AuthorizationRequest { state, ..request };
                return Ok((batch, (request, Err(Refusal::BindingDataWrong))));
            }
            let judged = judging::approved(app, self, (&request, &client), &approval).await?;
            let proofs: Vec<&str> = eligible.proofs().collect();
            let act = Act::Approve {
                approval: &approval,
                quorum: profile.approval.quorum,
                confirm_back: profile.confirm_back,
                proofs: &proofs,
            };
            let state = request.act(&act, now)?;
            let action = match state {
                State::Endorsed { .. } => Action::DeviceEndorsed,
                _ => Action::DeviceApproved,
            };
            let event = self
                .decided(app, action, &request)
                .with("auth.acr", approval.acr())
                .with("auth.amr", approval.amr())
                .with("starter.proofs", proofs)
                .with("quorum.needed", profile.approval.quorum)
                .granted(&approval.decision().granted, &request.content)
                .ai_agent(&client);
            let batch = first_seen
                .noted(self.used_up.clone(), now)
                .move_request(&request, &state)?
                .approve(&request, &approval, now)?
                .client_is_unchanged(&client)
                .approver_is_unchanged(&approver)
                .then(key_used(signed.evidence, &approval, app))
                .then(inbox::passed_on(app, &request, &state, &profile))
                .record(&judged.on(first_seen.on(event)))?;
            Ok::<_, Failure>((batch, (AuthorizationRequest { state, ..request }, Ok(()))))
        };
        let (request, decided): (_, Result<(), Refusal>) = app.store.decide(attempt).await?;
        app.pending.forget(&request.device_code);
        decided?;
        app.metrics.decided(match request.state {
            State::Endorsed { .. } => "endorsed",
            _ => "approved",
        });
        Ok(request)
    }

    fn confirmed(&self, app: &App, opened: &Opened, signed: &Signed<'_>) -> Result<ConfirmedApproval, Refusal> {
        let choice = signed.granted.unwrap_or(&opened.left);
        let purpose = &opened.request.content.purpose;
        let granted = narrowing::given(purpose, choice, &opened.left, app.now())?;
        let expected = Expected {
            request: &opened.request,
            profile: &opened.profile,
            granted: &granted,
            viewer: &self.viewer,
            nonce: &self.nonce(app, &opened.request),
            relying_party: &app.config.issuer.relying_party(),
            key: signed.key,
        };
        ConfirmedApproval::check(&expected, signed.evidence.clone())
    }

    /// Declining needs no key ceremony: it is at least as easy as approving.
    pub async fn deny(&self, app: &App, request_id: &str, reported: bool) -> Result<(), Failure> {
        let attempt = || async {
            let request = app.store.request(request_id).await?.ok_or(Refusal::UserCodeUnusable)?;
            self.must_be_theirs(app, &request).await?;
            let state = request.act(
                &Act::Deny {
                    viewer: &self.viewer,
                    reported,
                },
                app.now(),
            )?;
            let event = app
                .naming_agent(self.decided(app, Action::DeviceDenied, &request))
                .await?;
            let mut batch = self
                .used_up
                .clone()
                .move_request(&request, &state)?
                .record(&event.with("reported", reported))?;
            if reported {
                let event = self.event(app, Action::DeviceReported, &request);
                batch = batch.record(&app.naming_agent(event).await?)?;
            }
            Ok::<_, Failure>((batch, request.device_code))
        };
        let device_code = app.store.decide(attempt).await?;
        app.pending.forget(&device_code);
        app.metrics.decided(if reported { "reported" } else { "denied" });
        Ok(())
    }

    /// Where no code and no lock says who may decline: in an inbox, and what others have approved.
    async fn must_be_theirs(&self, app: &App, request: &AuthorizationRequest) -> Result<(), Failure> {
        let is_endorsed = matches!(request.state, State::Endorsed { .. });
        if !is_endorsed && request.content.route.is_none() {
            return Ok(());
        }
        let client = app.stored_client(&request.content.client_id).await?;
        let profile = app.profile_of(&client)?;
        let decider = Decider {
            approver_id: &self.approver.id,
            groups: &app.groups_of(&self.approver.id, profile).await?,
            place: &self.end(app).place,
            now: app.now(),
        };
        Ok(must_be_theirs(request, &decider, profile, is_endorsed)?)
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

    /// Both ends of a request, and this approver at it.
    pub fn event(&self, app: &App, action: Action, request: &AuthorizationRequest) -> Event {
        let requester = End::asked(app, &request.content);
        let network = network::compare(&requester.place, &self.end(app).place, &app.config.shared_networks);
        let event = requester.on(app.event(action).request(request));
        self.seen_from(app, event).with("network.match", network.as_str())
    }

    pub fn seen_from(&self, app: &App, event: Event) -> Event {
        let event = event.approver(&self.approver.id);
        self.end(app).on(event).with("session.id", self.viewer.through.clone())
    }

    fn decided(&self, app: &App, action: Action, request: &AuthorizationRequest) -> Event {
        let event = self.event(app, action, request);
        match &request.state {
            State::Viewed { at, entry, .. } => event
                .with("code.entry", entry.as_str())
                .with("latency.view_to_decide_s", (app.now() - *at).seconds()),
            _ => event,
        }
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

fn key_used(evidence: &Evidence, approval: &ConfirmedApproval, app: &App) -> Batch {
    match evidence {
        Evidence::Passkey { credential_id, .. } => {
            Batch::default().passkey_used(credential_id, i64::from(approval.sign_count()), app.now())
        }
        Evidence::SoftwareKey { thumbprint, .. } => Batch::default().software_key_used(thumbprint, app.now()),
    }
}
