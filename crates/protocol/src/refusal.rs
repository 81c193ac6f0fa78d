//! Every way the rules say no, and its code on the wire. One variant per reason; reasons that an
//! outsider must not tell apart share a code and a sentence on purpose.

mod error_code;

pub use error_code::ErrorCode;

use crate::posture;
use crate::posture_demand::Lacks;

/// The rules said no. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    AccessDenied,
    AlreadyDecided,
    ApproverDisabled,
    ApproverExists,
    AssertionInvalid,
    AssertionReplayed,
    AttestationChallengeRequired,
    AttestationInvalid,
    AttestationNotFresh,
    AttestationReplayed,
    AuthenticationDemandMalformed,
    AuthenticationTooOld,
    AuthenticationTooWeak,
    AuthenticationUnmet,
    AuthorizationPending,
    BindingDataMissing,
    BindingDataWrong,
    CeremonyNotAllowed,
    CertificateHeaderMalformed,
    CertificateMismatch,
    CertificateMissing,
    ClientAuthenticationFailed,
    ClientAuthenticationMissing,
    ClientCredentialsNotAllowed,
    ClientCredentialsUnused,
    ClientDisabled,
    ClientExists,
    ClientExpired,
    ClientUnknown,
    CodeExpired,
    CodeReportsNotAllowed,
    ConfirmationWrong,
    CrossSiteRequest,
    DecisionInvalid,
    DetailsMalformed,
    DetailsMemberMissing,
    DetailsMemberUnknown,
    DetailsNotAllowed,
    DetailsTypeUnknown,
    DetailsValueInvalid,
    DetailsValueOfWrongType,
    DeviceCodeUnknown,
    DeviceGrantNotAllowed,
    DeviceGrantUnused,
    DpopKeyMismatch,
    DpopNonceRequired,
    DpopProofInvalid,
    DpopProofMissing,
    DpopProofReplayed,
    EnrollmentLinkInvalid,
    EnrollmentMalformed,
    EnrollmentNotOffered,
    GrantEnded,
    GrantTypeUnsupported,
    GrantedTooMuch,
    GroupMemberExists,
    GuessesExhausted,
    InitiatorInvalid,
    InitiatorMissing,
    InstanceExpired,
    InstanceGone,
    InstanceKeyTaken,
    InstanceSuspended,
    InstanceUnknown,
    IntrospectionNotAllowed,
    KeyAlreadyRegistered,
    LastPasskey,
    NetworkNotAllowed,
    NotTheViewer,
    NotYoursToDecide,
    NothingGranted,
    ParameterMissing(&'static str),
    ParameterRepeated,
    ParameterUnknown,
    PasskeyInvalid,
    PasskeyKindUnsupported,
    PolicyForbids,
    PostureInvalid,
    PostureMissing,
    PostureStale,
    PostureUnmet(Lacks),
    QuietHours,
    ReauthenticationRequired,
    RefreshTokenUnknown,
    RefreshTokenVoided,
    RequestMalformed,
    RequesterIsApprover,
    ResourceMalformed,
    ResourceNotAllowed,
    RotationNotAllowed,
    SameDevice,
    ScopeAmbiguous,
    ScopeMalformed,
    ScopeNotAllowed,
    SignInRequired,
    SlowDown,
    SoftwareKeyNotAllowed,
    StarterUnproven,
    TokenInvalid,
    TooFarAway,
    TooManyMethods,
    TooManyOpenRequests,
    TooManyPrompts,
    TooManyRequests,
    UpstreamIdentityTaken,
    UpstreamIdentityUnknown,
    UpstreamSignInInvalid,
    UserCodeUnusable,
    WorkloadTokenInvalid,
    WorkloadTokenReplayed,
}

impl Refusal {
    /// Each once, for the tests that walk them.
    pub const ALL: &[Self] = &[
        Self::AccessDenied,
        Self::AlreadyDecided,
        Self::ApproverDisabled,
        Self::ApproverExists,
        Self::AssertionInvalid,
        Self::AssertionReplayed,
        Self::AttestationChallengeRequired,
        Self::AttestationInvalid,
        Self::AttestationNotFresh,
        Self::AttestationReplayed,
        Self::AuthenticationDemandMalformed,
        Self::AuthenticationTooOld,
        Self::AuthenticationTooWeak,
        Self::AuthenticationUnmet,
        Self::AuthorizationPending,
        Self::BindingDataMissing,
        Self::BindingDataWrong,
        Self::CeremonyNotAllowed,
        Self::CertificateHeaderMalformed,
        Self::CertificateMismatch,
        Self::CertificateMissing,
        Self::ClientAuthenticationFailed,
        Self::ClientAuthenticationMissing,
        Self::ClientCredentialsNotAllowed,
        Self::ClientCredentialsUnused,
        Self::ClientDisabled,
        Self::ClientExists,
        Self::ClientExpired,
        Self::ClientUnknown,
        Self::CodeExpired,
        Self::CodeReportsNotAllowed,
        Self::ConfirmationWrong,
        Self::CrossSiteRequest,
        Self::DecisionInvalid,
        Self::DetailsMalformed,
        Self::DetailsMemberMissing,
        Self::DetailsMemberUnknown,
        Self::DetailsNotAllowed,
        Self::DetailsTypeUnknown,
        Self::DetailsValueInvalid,
        Self::DetailsValueOfWrongType,
        Self::DeviceCodeUnknown,
        Self::DeviceGrantNotAllowed,
        Self::DeviceGrantUnused,
        Self::DpopKeyMismatch,
        Self::DpopNonceRequired,
        Self::DpopProofInvalid,
        Self::DpopProofMissing,
        Self::DpopProofReplayed,
        Self::EnrollmentLinkInvalid,
        Self::EnrollmentMalformed,
        Self::EnrollmentNotOffered,
        Self::GrantEnded,
        Self::GrantTypeUnsupported,
        Self::GrantedTooMuch,
        Self::GroupMemberExists,
        Self::GuessesExhausted,
        Self::InitiatorInvalid,
        Self::InitiatorMissing,
        Self::InstanceExpired,
        Self::InstanceGone,
        Self::InstanceKeyTaken,
        Self::InstanceSuspended,
        Self::InstanceUnknown,
        Self::IntrospectionNotAllowed,
        Self::KeyAlreadyRegistered,
        Self::LastPasskey,
        Self::NetworkNotAllowed,
        Self::NotTheViewer,
        Self::NotYoursToDecide,
        Self::NothingGranted,
        Self::ParameterMissing("parameter"),
        Self::ParameterRepeated,
        Self::ParameterUnknown,
        Self::PasskeyInvalid,
        Self::PasskeyKindUnsupported,
        Self::PolicyForbids,
        Self::PostureInvalid,
        Self::PostureMissing,
        Self::PostureStale,
        Self::PostureUnmet(Lacks::ALL),
        Self::QuietHours,
        Self::ReauthenticationRequired,
        Self::RefreshTokenUnknown,
        Self::RefreshTokenVoided,
        Self::RequestMalformed,
        Self::RequesterIsApprover,
        Self::ResourceMalformed,
        Self::ResourceNotAllowed,
        Self::RotationNotAllowed,
        Self::SameDevice,
        Self::ScopeAmbiguous,
        Self::ScopeMalformed,
        Self::ScopeNotAllowed,
        Self::SignInRequired,
        Self::SlowDown,
        Self::SoftwareKeyNotAllowed,
        Self::StarterUnproven,
        Self::TokenInvalid,
        Self::TooFarAway,
        Self::TooManyMethods,
        Self::TooManyOpenRequests,
        Self::TooManyPrompts,
        Self::TooManyRequests,
        Self::UpstreamIdentityTaken,
        Self::UpstreamIdentityUnknown,
        Self::UpstreamSignInInvalid,
        Self::UserCodeUnusable,
        Self::WorkloadTokenInvalid,
        Self::WorkloadTokenReplayed,
    ];

    /// Its name as events have it: `StarterUnproven` is `starter_unproven`.
    pub fn reason(self) -> String {
        let name = format!("{self:?}");
        let letters = name.chars().take_while(char::is_ascii_alphanumeric);
        letters.fold(String::new(), |mut reason, letter| {
            if letter.is_ascii_uppercase() && !reason.is_empty() {
                reason.push('_');
            }
            reason.push(letter.to_ascii_lowercase());
            reason
        })
    }

    #[expect(clippy::too_many_lines, reason = "a table, one line a reason")]
    pub fn code(self) -> ErrorCode {
        use ErrorCode as Code;
        match self {
            Self::AccessDenied | Self::PolicyForbids => Code::AccessDenied,
            Self::AuthorizationPending => Code::AuthorizationPending,
            Self::CodeExpired => Code::ExpiredToken,
            Self::AssertionInvalid
            | Self::AssertionReplayed
            | Self::ClientAuthenticationFailed
            | Self::ClientAuthenticationMissing
            | Self::ClientDisabled
            | Self::ClientExpired
            | Self::ClientUnknown => Code::InvalidClient,
            Self::DpopProofInvalid | Self::DpopProofMissing | Self::DpopProofReplayed => Code::InvalidDpopProof,
            Self::DpopNonceRequired => Code::UseDpopNonce,
            Self::AttestationChallengeRequired => Code::UseAttestationChallenge,
            Self::AttestationInvalid | Self::AttestationReplayed => Code::InvalidClientAttestation,
            Self::AttestationNotFresh => Code::UseFreshAttestation,
            Self::ApproverDisabled
            | Self::CertificateMismatch
            | Self::DeviceCodeUnknown
            | Self::DpopKeyMismatch
            | Self::GrantEnded
            | Self::RefreshTokenUnknown
            | Self::RefreshTokenVoided
            | Self::InstanceGone
            | Self::WorkloadTokenInvalid
            | Self::WorkloadTokenReplayed => Code::InvalidGrant,
            Self::AuthenticationDemandMalformed
            | Self::CertificateHeaderMalformed
            | Self::CertificateMissing
            | Self::EnrollmentMalformed
            | Self::ParameterMissing(_)
            | Self::ParameterRepeated
            | Self::ParameterUnknown
            | Self::RequestMalformed
            | Self::TooManyMethods
            | Self::BindingDataMissing
            | Self::InitiatorInvalid
            | Self::InitiatorMissing
            | Self::PostureInvalid
            | Self::PostureMissing
            | Self::PostureStale => Code::InvalidRequest,
            Self::ScopeAmbiguous | Self::ScopeMalformed | Self::ScopeNotAllowed => Code::InvalidScope,
            Self::ResourceMalformed | Self::ResourceNotAllowed => Code::InvalidTarget,
            Self::DetailsMalformed
            | Self::DetailsMemberMissing
            | Self::DetailsMemberUnknown
            | Self::DetailsNotAllowed
            | Self::DetailsTypeUnknown
            | Self::DetailsValueInvalid
            | Self::DetailsValueOfWrongType => Code::InvalidAuthorizationDetails,
            Self::AuthenticationTooOld | Self::AuthenticationUnmet => Code::UnmetAuthenticationRequirements,
            Self::ConfirmationWrong => Code::InvalidConfirmation,
            Self::TokenInvalid => Code::InvalidToken,
            Self::SlowDown => Code::SlowDown,
            Self::GuessesExhausted | Self::TooManyOpenRequests | Self::TooManyRequests | Self::TooManyPrompts => {
                Code::RateLimited
            }
            Self::ClientCredentialsNotAllowed
            | Self::ClientCredentialsUnused
            | Self::DeviceGrantNotAllowed
            | Self::IntrospectionNotAllowed
            | Self::CodeReportsNotAllowed
            | Self::DeviceGrantUnused
            | Self::EnrollmentNotOffered
            | Self::InstanceExpired
            | Self::InstanceSuspended
            | Self::InstanceUnknown
            | Self::NetworkNotAllowed
            | Self::PostureUnmet(_) => Code::UnauthorizedClient,
            Self::GrantTypeUnsupported => Code::UnsupportedGrantType,
            Self::AlreadyDecided | Self::NotTheViewer | Self::UserCodeUnusable | Self::NotYoursToDecide => {
                Code::UnknownCode
            }
            Self::ApproverExists | Self::ClientExists | Self::GroupMemberExists | Self::InstanceKeyTaken => {
                Code::Exists
            }
            Self::CrossSiteRequest
            | Self::DecisionInvalid
            | Self::EnrollmentLinkInvalid
            | Self::GrantedTooMuch
            | Self::NothingGranted
            | Self::KeyAlreadyRegistered
            | Self::LastPasskey
            | Self::PasskeyInvalid
            | Self::PasskeyKindUnsupported
            | Self::ReauthenticationRequired
            | Self::RequesterIsApprover
            | Self::SignInRequired
            | Self::SoftwareKeyNotAllowed
            | Self::AuthenticationTooWeak
            | Self::BindingDataWrong
            | Self::CeremonyNotAllowed
            | Self::QuietHours
            | Self::SameDevice
            | Self::StarterUnproven
            | Self::TooFarAway
            | Self::UpstreamIdentityTaken
            | Self::UpstreamIdentityUnknown
            | Self::UpstreamSignInInvalid
            | Self::RotationNotAllowed => Code::Refused,
        }
    }

    /// What would be taken instead, where whoever asks can bring it by itself.
    pub fn needs(self) -> Option<&'static str> {
        match self {
            Self::BindingDataMissing => Some("binding_data"),
            Self::InitiatorMissing => Some("initiator_assertion"),
            Self::InstanceExpired => Some("new_key"),
            Self::InstanceUnknown => Some("enrollment"),
            Self::PostureMissing | Self::PostureStale => Some(posture::PARAMETER),
            _ => None,
        }
    }

    /// One fixed sentence for people: `error_description`, in the characters RFC 6749 §5.2 allows.
    /// Never carries what was sent.
    #[expect(clippy::too_many_lines, reason = "a table, one line a reason")]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AccessDenied => "The request was declined.",
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
            Self::AuthorizationPending => "Nobody has decided yet.",
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
            Self::PostureInvalid => {
                "The posture was not accepted (this key's own or a known attester's: issuer, audience, this key, iat, exp)."
            }
            Self::PostureMissing => "This client has to state the posture of its machine each time: send posture.",
            Self::PostureStale => {
                "The posture of this machine was stated too long ago: state it anew. If that does not help, its clock is wrong."
            }
            Self::PostureUnmet(_) => "This machine is not as the profile of this client demands.",
            Self::QuietHours => "Nobody is asked at this time: these are quiet hours for this client.",
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
                "You were asked too often within the hour. If you did not start these requests, tell your administrators."
            }
            Self::SignInRequired => "Sign in first.",
            Self::SlowDown => "Polled too soon: keep to the interval from now on.",
            Self::SoftwareKeyNotAllowed => "The profile of this client does not allow a decision by a software key.",
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

    /// The HTTP status. 401 only where RFC 6749 §5.2 or RFC 6750 §3 has it, 429 for limits, else 400.
    pub fn status(self) -> u16 {
        match self.code() {
            // RFC 7662 §2.3: the caller is known, and not allowed.
            _ if matches!(self, Self::CodeReportsNotAllowed | Self::IntrospectionNotAllowed) => 403,
            ErrorCode::InvalidClient | ErrorCode::InvalidClientAttestation | ErrorCode::InvalidToken => 401,
            ErrorCode::RateLimited => 429,
            ErrorCode::Refused => 403,
            ErrorCode::UnknownCode => 404,
            ErrorCode::Exists => 409,
            _ => 400,
        }
    }

    /// The sentence, with what is missing by its name, so that nobody need guess.
    pub fn told(self) -> String {
        match self {
            Self::ParameterMissing(name) => format!("The parameter {name} is missing."),
            Self::PostureUnmet(lacks) => lacks.sentence(),
            _ => self.sentence().to_owned(),
        }
    }
}
