//! Every way the rules say no, and its code on the wire. One variant per reason; reasons that an
//! outsider must not tell apart share a code and a sentence on purpose.

mod error_code;
mod sentence;

pub use error_code::ErrorCode;

use crate::jwk::Flaw;
use crate::posture;
use crate::posture_demand::Lacks;

/// The rules said no. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    AccessDenied,
    AlreadyDecided,
    ApprovalTooWeak,
    ApproverDisabled,
    ApproverExists,
    AskedInQuietHours,
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
    BackchannelParameterInvalid,
    BindingDataMissing,
    BindingDataWrong,
    BindingMessageInvalid,
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
    /// What is wrong with it is for the record, not for who sent it.
    PostureInvalid(Flaw),
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
    RunsNotAllowed,
    RunsUsedUp,
    SameDevice,
    ScopeAmbiguous,
    ScopeMalformed,
    ScopeNotAllowed,
    SignInRequired,
    SlowDown,
    SoftwareKeyNotAllowed,
    StarterUnproven,
    TokenHandoverNotAllowed,
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
        Self::ApprovalTooWeak,
        Self::ApproverDisabled,
        Self::ApproverExists,
        Self::AskedInQuietHours,
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
        Self::BackchannelParameterInvalid,
        Self::BindingDataMissing,
        Self::BindingDataWrong,
        Self::BindingMessageInvalid,
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
        Self::PostureInvalid(Flaw("")),
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
        Self::RunsNotAllowed,
        Self::RunsUsedUp,
        Self::SameDevice,
        Self::ScopeAmbiguous,
        Self::ScopeMalformed,
        Self::ScopeNotAllowed,
        Self::SignInRequired,
        Self::SlowDown,
        Self::SoftwareKeyNotAllowed,
        Self::StarterUnproven,
        Self::TokenHandoverNotAllowed,
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
            Self::AccessDenied | Self::AskedInQuietHours | Self::PolicyForbids => Code::AccessDenied,
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
            Self::ApprovalTooWeak
            | Self::ApproverDisabled
            | Self::CertificateMismatch
            | Self::DeviceCodeUnknown
            | Self::DpopKeyMismatch
            | Self::GrantEnded
            | Self::RefreshTokenUnknown
            | Self::RefreshTokenVoided
            | Self::InstanceGone
            | Self::RunsUsedUp
            | Self::WorkloadTokenInvalid
            | Self::WorkloadTokenReplayed => Code::InvalidGrant,
            Self::BindingMessageInvalid => Code::InvalidBindingMessage,
            Self::AuthenticationDemandMalformed
            | Self::BackchannelParameterInvalid
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
            | Self::PostureInvalid(_)
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
            | Self::DetailsValueOfWrongType
            | Self::RunsNotAllowed
            | Self::TokenHandoverNotAllowed => Code::InvalidAuthorizationDetails,
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
