//! What each refusal says to people. Its code on the wire is in `refusal.rs`.

use super::Refusal;

impl Refusal {
    /// One fixed sentence for people: `error_description`, in the characters RFC 6749 §5.2 allows.
    /// Never carries what was sent.
    #[expect(clippy::too_many_lines, reason = "a table, one line a reason")]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AccessDenied => "The request was declined.",
            Self::ApprovalTooWeak => "The approval was not as strong as this client's profile demands now. Ask again.",
            Self::ApproverDisabled | Self::GrantEnded | Self::InstanceGone => "What was approved no longer stands.",
            Self::ApproverExists => "An approver of this name exists already.",
            Self::AttestationChallengeRequired => {
                "Use the challenge of the OAuth-Client-Attestation-Challenge header in the proof of possession."
            }
            Self::AttestationInvalid | Self::AttestationReplayed => {
                "The client attestation, or the proof of possession that came with it, was not accepted."
            }
            Self::AttestationNotFresh => "The client attestation is too old. Get a new one from the attester.",
            Self::AuthenticationDemandMalformed => {
                "acr_values are up to ten names of up to 100 visible characters; max_age is a number of seconds."
            }
            Self::AuthenticationTooOld => {
                "The approval is older than the request allows by max_age. Ask again, and have it approved anew."
            }
            Self::AuthenticationUnmet => {
                "No approver of this client can authenticate as acr_values or its profile ask."
            }
            Self::AskedInQuietHours => {
                "Nobody is asked at this hour. The client's profile says from when on somebody is."
            }
            Self::AuthorizationPending => "Nobody has decided yet.",
            Self::BackchannelParameterInvalid => {
                "Send at most one hint, as login_hint; requested_expiry is a positive number of seconds; no user_code and no request object are taken."
            }
            Self::BindingMessageInvalid => {
                "A binding_message is up to 100 visible characters on one line, to be compared by eye."
            }
            // One sentence, whatever failed: it tells nobody which clients exist or how they authenticate.
            Self::AssertionInvalid
            | Self::AssertionReplayed
            | Self::ClientAuthenticationFailed
            | Self::ClientAuthenticationMissing
            | Self::ClientDisabled
            | Self::ClientExpired
            | Self::ClientUnknown => {
                "The client is unknown, disabled, or did not authenticate as registered (an assertion: issuer, audience, expiry, used once)."
            }
            Self::ClientCredentialsNotAllowed => {
                "This client may not get tokens without a person. An administrator of this server can allow it with: client set NAME --grant client_credentials."
            }
            Self::ClientCredentialsUnused => {
                "This client might get tokens without a person and did not for long, so that was taken away. An administrator can give it again."
            }
            Self::CertificateHeaderMalformed => {
                "The certificate of the connection could not be read as the proxy in front of this server told it."
            }
            Self::CertificateMismatch => {
                "This code or token is bound to a certificate: a TLS connection that shows that certificate is needed."
            }
            Self::CertificateMissing => "A TLS connection that shows the certificate of the client is needed here.",
            Self::ClientExists => "This client_id was given before; identifiers are never reused.",
            Self::CodeExpired => "The code has expired. Start again when somebody is there to approve.",
            Self::CrossSiteRequest => "This did not come from a current page of this server. Load the page again.",
            Self::DecisionInvalid => "The signature does not fit this decision.",
            Self::DetailsMalformed => {
                "authorization_details has to be a JSON array of objects: 16 of them, 4096 bytes, depth 8, and integers of 53 bits at most."
            }
            Self::DetailsMemberMissing => "One of the authorization_details lacks a member that its type requires.",
            Self::DetailsMemberUnknown => "One of the authorization_details has a member that its type does not know.",
            Self::DetailsNotAllowed => "These authorization_details are wider than allowed or granted.",
            Self::DetailsTypeUnknown => "One of the authorization_details is of a type that is not known here.",
            Self::DetailsValueInvalid => "One of the authorization_details has a value that its type does not take.",
            Self::DetailsValueOfWrongType => "One of the authorization_details has a value of the wrong JSON type.",
            Self::DeviceCodeUnknown => "The device code is unknown, used up, or not this client's.",
            Self::DeviceGrantNotAllowed => {
                "This client may not use the device grant. An administrator of this server can allow it by giving the client a profile."
            }
            Self::DpopKeyMismatch => "This code or token is bound to a key: a DPoP proof by that key is needed.",
            Self::DpopNonceRequired => "Use the nonce of the DPoP-Nonce header in the proof.",
            Self::DpopProofInvalid => "The DPoP proof was not accepted.",
            Self::DpopProofMissing => "A DPoP proof is needed here.",
            Self::DpopProofReplayed => "This DPoP proof was used before.",
            Self::EnrollmentLinkInvalid => {
                "This enrollment link is unknown, used or expired. Ask an administrator for a new one."
            }
            Self::EnrollmentMalformed => {
                "name and environment are texts of 1 to 80 characters, none of them hidden; expires_in is 60 seconds to 400 days."
            }
            Self::EnrollmentNotOffered => {
                "The profile of this client knows no instances: any key may ask, and there is nothing to enroll."
            }
            Self::GrantTypeUnsupported => "This grant type is not offered here.",
            Self::GrantedTooMuch => {
                "This is more than was asked for, or than others have left of it. Look at the request again."
            }
            Self::NothingGranted => "Nothing is left to approve like this. Decline instead.",
            Self::GroupMemberExists => "This approver is a member of the group already.",
            Self::GuessesExhausted => "Too many codes were tried. Wait a few minutes.",
            Self::CodeReportsNotAllowed => "This client is not registered to report codes.",
            Self::IntrospectionNotAllowed => "This client is not registered to introspect tokens.",
            Self::KeyAlreadyRegistered => "This key is registered already.",
            Self::LastPasskey => "The last passkey cannot be removed: add another one first.",
            Self::AlreadyDecided | Self::NotTheViewer | Self::NotYoursToDecide | Self::UserCodeUnusable => {
                "This code is unknown, expired, used, open in another browser, or not yours to decide."
            }
            Self::ParameterMissing(_) => "A required parameter is missing.",
            Self::ParameterRepeated => "A parameter is repeated.",
            Self::ParameterUnknown => "A parameter is not understood, and this client is registered as strict.",
            Self::PasskeyInvalid => "The passkey was not accepted.",
            Self::PasskeyKindUnsupported => {
                "This device makes passkeys of a kind that is not accepted here (ES256 and RS256 are). Use another one."
            }
            Self::PolicyForbids => {
                "A policy of this server forbids this. An administrator can say which, and change it."
            }
            Self::ReauthenticationRequired => "Sign in again to do this.",
            Self::RefreshTokenUnknown | Self::RefreshTokenVoided => {
                "The refresh token is unknown, used up, or not this client's."
            }
            Self::RequestMalformed => "The request is not a well-formed form of a kind this endpoint takes.",
            Self::RequesterIsApprover => "The key that asks is an approver's: a requester is never its own approver.",
            Self::ResourceMalformed => "A resource must be an absolute URI without a fragment.",
            Self::ResourceNotAllowed => "This client may not ask for that resource.",
            Self::RotationNotAllowed => {
                "The key of this instance is not changed by itself: another one comes in as this one did (an administrator, an attestation, a workload's token)."
            }
            Self::ScopeAmbiguous => "These scopes belong to different resources: name one resource.",
            Self::ScopeMalformed => "The scope is not well-formed.",
            Self::ScopeNotAllowed => "The scope is wider than this client may ask for, or than what was granted.",
            Self::AuthenticationTooWeak => {
                "The profile of this client asks for a stronger way to decide than this key."
            }
            Self::BindingDataWrong => "This is not what was typed where the request was started.",
            Self::BindingDataMissing => {
                "This client has to send binding_data: what its user typed, and will type again when approving."
            }
            Self::CeremonyNotAllowed => {
                "The profile of this client lets nobody enroll a key by hand. An administrator can register the key."
            }
            Self::ConfirmationWrong => "These are not the six digits that the approver's page shows.",
            Self::DeviceGrantUnused => {
                "This client had the device grant and did not use it for long, so it was taken away. An administrator can give it again."
            }
            Self::InitiatorInvalid => {
                "The initiator assertion was not accepted (a registered key of an approver: issuer, audience, this proof's key, expiry, used once)."
            }
            Self::InitiatorMissing => {
                "This client has to send an initiator_assertion: a person signs before there is a code."
            }
            Self::InstanceExpired => "This instance has expired. Its owner can enroll it again with a new key.",
            Self::InstanceKeyTaken => "This key was enrolled before; keys and identifiers are never reused.",
            Self::InstanceSuspended => "This instance is suspended. Its owner or an administrator can resume it.",
            Self::InstanceUnknown => {
                "This key is not enrolled for this client, and only enrolled keys may ask. Enroll it first."
            }
            Self::NetworkNotAllowed => "This client may not ask from this network.",
            Self::PostureInvalid(_) => {
                "The posture was not accepted (this key's own or a known attester's: issuer, audience, this key, iat, exp)."
            }
            Self::PostureMissing => "This client has to state the posture of its machine each time: send posture.",
            Self::PostureStale => {
                "The posture of this machine was stated too long ago: state it anew. If that does not help, its clock is wrong."
            }
            Self::PostureUnmet(_) => "This machine is not as the profile of this client demands.",
            Self::QuietHours => "Nobody is asked at this time: these are quiet hours for this client.",
            Self::RunsNotAllowed => {
                "No command of this client may be run so often under one approval; and what is run several times names the digest of its program and its environment, claims nothing, and has no token for later."
            }
            Self::RunsUsedUp => "The command was run as often as was approved.",
            Self::SameDevice => {
                "The device that asks and this one look the same. Sign in there directly, or approve on another device."
            }
            Self::StarterUnproven => {
                "Nothing proves that you started this: it was asked for from somewhere else. If somebody gave you the code, decline and tell your administrators."
            }
            Self::TooFarAway => {
                "This was asked for from too far away. If somebody gave you the code, decline and tell your administrators."
            }
            Self::TooManyPrompts => {
                "Whoever decides this was asked too often within the hour. If these requests were not started by you, tell your administrators."
            }
            Self::SignInRequired => "Sign in first.",
            Self::SlowDown => "Polled too soon: keep to the interval from now on.",
            Self::SoftwareKeyNotAllowed => "The profile of this client does not allow a decision by a software key.",
            Self::TokenHandoverNotAllowed => {
                "The profile of this client lets no command be handed the token itself; and none has a token for later."
            }
            Self::TokenInvalid => "The access token is malformed, expired, revoked or bound to another key.",
            Self::TooManyMethods => "More than one way of client authentication was used.",
            Self::TooManyOpenRequests => "Too many requests are waiting for a decision already.",
            Self::TooManyRequests => "Too many requests from here. Wait a little.",
            Self::WorkloadTokenInvalid | Self::WorkloadTokenReplayed => {
                "No admission of this client accepts this evidence (issuer, audience, subject, expiry, used once)."
            }
            Self::UpstreamIdentityTaken => "This account is linked to another approver here.",
            Self::UpstreamIdentityUnknown => {
                "This account is linked to no approver here. Sign in with your passkey and link it on your account page."
            }
            // One sentence, whatever failed: the provider's answer is nobody's to study here.
            Self::UpstreamSignInInvalid => "The sign-in did not come back as it began here. Start again.",
        }
    }
}
