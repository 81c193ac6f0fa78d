//! Every way the rules say no, and its code on the wire. One variant per reason; reasons that an
//! outsider must not tell apart share a code and a sentence on purpose.

/// The rules said no. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    AccessDenied,
    AlreadyDecided,
    ApproverDisabled,
    ApproverExists,
    AssertionInvalid,
    AssertionReplayed,
    AuthorizationPending,
    ClientAuthenticationFailed,
    ClientAuthenticationMissing,
    ClientDisabled,
    ClientExists,
    ClientExpired,
    ClientUnknown,
    CodeExpired,
    CrossSiteRequest,
    DecisionInvalid,
    DeviceCodeUnknown,
    DeviceGrantNotAllowed,
    DpopKeyMismatch,
    DpopNonceRequired,
    DpopProofInvalid,
    DpopProofMissing,
    DpopProofReplayed,
    EnrollmentLinkInvalid,
    GrantEnded,
    GrantTypeUnsupported,
    GuessesExhausted,
    IntrospectionNotAllowed,
    KeyAlreadyRegistered,
    LastPasskey,
    NotTheViewer,
    ParameterMissing(&'static str),
    ParameterRepeated,
    ParameterUnknown,
    PasskeyInvalid,
    PasskeyKindUnsupported,
    ReauthenticationRequired,
    RefreshTokenUnknown,
    RefreshTokenVoided,
    RequestMalformed,
    RequesterIsApprover,
    ResourceMalformed,
    ResourceNotAllowed,
    ScopeAmbiguous,
    ScopeMalformed,
    ScopeNotAllowed,
    SignInRequired,
    SlowDown,
    SoftwareKeyNotAllowed,
    TokenInvalid,
    TooManyMethods,
    TooManyOpenRequests,
    TooManyRequests,
    UserCodeUnusable,
}

/// The `error` member of a response: RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2, RFC 9449 §5 and §8,
/// RFC 6750 §3.1, and a few of our own for our own interfaces (the terminal approver, the local API).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    AccessDenied,
    AuthorizationPending,
    Exists,
    ExpiredToken,
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    RateLimited,
    Refused,
    SlowDown,
    UnauthorizedClient,
    UnknownCode,
    UnsupportedGrantType,
    UseDpopNonce,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::Exists => "exists",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClient => "invalid_client",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::RateLimited => "rate_limited",
            Self::Refused => "refused",
            Self::SlowDown => "slow_down",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnknownCode => "unknown_code",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}

impl Refusal {
    /// Each once, for the tests that walk them.
    pub const ALL: [Self; 54] = [
        Self::AccessDenied,
        Self::AlreadyDecided,
        Self::ApproverDisabled,
        Self::ApproverExists,
        Self::AssertionInvalid,
        Self::AssertionReplayed,
        Self::AuthorizationPending,
        Self::ClientAuthenticationFailed,
        Self::ClientAuthenticationMissing,
        Self::ClientDisabled,
        Self::ClientExists,
        Self::ClientExpired,
        Self::ClientUnknown,
        Self::CodeExpired,
        Self::CrossSiteRequest,
        Self::DecisionInvalid,
        Self::DeviceCodeUnknown,
        Self::DeviceGrantNotAllowed,
        Self::DpopKeyMismatch,
        Self::DpopNonceRequired,
        Self::DpopProofInvalid,
        Self::DpopProofMissing,
        Self::DpopProofReplayed,
        Self::EnrollmentLinkInvalid,
        Self::GrantEnded,
        Self::GrantTypeUnsupported,
        Self::GuessesExhausted,
        Self::IntrospectionNotAllowed,
        Self::KeyAlreadyRegistered,
        Self::LastPasskey,
        Self::NotTheViewer,
        Self::ParameterMissing("parameter"),
        Self::ParameterRepeated,
        Self::ParameterUnknown,
        Self::PasskeyInvalid,
        Self::PasskeyKindUnsupported,
        Self::ReauthenticationRequired,
        Self::RefreshTokenUnknown,
        Self::RefreshTokenVoided,
        Self::RequestMalformed,
        Self::RequesterIsApprover,
        Self::ResourceMalformed,
        Self::ResourceNotAllowed,
        Self::ScopeAmbiguous,
        Self::ScopeMalformed,
        Self::ScopeNotAllowed,
        Self::SignInRequired,
        Self::SlowDown,
        Self::SoftwareKeyNotAllowed,
        Self::TokenInvalid,
        Self::TooManyMethods,
        Self::TooManyOpenRequests,
        Self::TooManyRequests,
        Self::UserCodeUnusable,
    ];

    pub fn code(self) -> ErrorCode {
        use ErrorCode as Code;
        match self {
            Self::AccessDenied => Code::AccessDenied,
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
            Self::ApproverDisabled
            | Self::DeviceCodeUnknown
            | Self::DpopKeyMismatch
            | Self::GrantEnded
            | Self::RefreshTokenUnknown
            | Self::RefreshTokenVoided => Code::InvalidGrant,
            Self::ParameterMissing(_)
            | Self::ParameterRepeated
            | Self::ParameterUnknown
            | Self::RequestMalformed
            | Self::TooManyMethods => Code::InvalidRequest,
            Self::ScopeAmbiguous | Self::ScopeMalformed | Self::ScopeNotAllowed => Code::InvalidScope,
            Self::ResourceMalformed | Self::ResourceNotAllowed => Code::InvalidTarget,
            Self::TokenInvalid => Code::InvalidToken,
            Self::SlowDown => Code::SlowDown,
            Self::GuessesExhausted | Self::TooManyOpenRequests | Self::TooManyRequests => Code::RateLimited,
            Self::DeviceGrantNotAllowed | Self::IntrospectionNotAllowed => Code::UnauthorizedClient,
            Self::GrantTypeUnsupported => Code::UnsupportedGrantType,
            Self::AlreadyDecided | Self::NotTheViewer | Self::UserCodeUnusable => Code::UnknownCode,
            Self::ApproverExists | Self::ClientExists => Code::Exists,
            Self::CrossSiteRequest
            | Self::DecisionInvalid
            | Self::EnrollmentLinkInvalid
            | Self::KeyAlreadyRegistered
            | Self::LastPasskey
            | Self::PasskeyInvalid
            | Self::PasskeyKindUnsupported
            | Self::ReauthenticationRequired
            | Self::RequesterIsApprover
            | Self::SignInRequired
            | Self::SoftwareKeyNotAllowed => Code::Refused,
        }
    }

    /// One fixed sentence for people: `error_description`, in the characters RFC 6749 §5.2 allows.
    /// Never carries what was sent.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::AccessDenied => "The request was declined.",
            Self::ApproverDisabled | Self::GrantEnded => "What was approved no longer stands.",
            Self::ApproverExists => "An approver of this name exists already.",
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
            Self::ClientExists => "This client_id was given before; identifiers are never reused.",
            Self::CodeExpired => "The code has expired. Start again when somebody is there to approve.",
            Self::CrossSiteRequest => "This did not come from a current page of this server. Load the page again.",
            Self::DecisionInvalid => "The signature does not fit this decision.",
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
            Self::GrantTypeUnsupported => "This grant type is not offered here.",
            Self::GuessesExhausted => "Too many codes were tried. Wait a few minutes.",
            Self::IntrospectionNotAllowed => "This client is not registered to introspect tokens.",
            Self::KeyAlreadyRegistered => "This key is registered already.",
            Self::LastPasskey => "The last passkey cannot be removed: add another one first.",
            Self::AlreadyDecided | Self::NotTheViewer | Self::UserCodeUnusable => {
                "This code is unknown, expired, used, or open in another browser."
            }
            Self::ParameterMissing(_) => "A required parameter is missing.",
            Self::ParameterRepeated => "A parameter is repeated.",
            Self::ParameterUnknown => "A parameter is not understood, and this client is registered as strict.",
            Self::PasskeyInvalid => "The passkey was not accepted.",
            Self::PasskeyKindUnsupported => {
                "This device makes passkeys of a kind that is not accepted here (ES256 and RS256 are). Use another one."
            }
            Self::ReauthenticationRequired => "Sign in again to do this.",
            Self::RefreshTokenUnknown | Self::RefreshTokenVoided => {
                "The refresh token is unknown, used up, or not this client's."
            }
            Self::RequestMalformed => "The request is not a well-formed form of a kind this endpoint takes.",
            Self::RequesterIsApprover => "The key that asks is an approver's: a requester is never its own approver.",
            Self::ResourceMalformed => "A resource must be an absolute URI without a fragment.",
            Self::ResourceNotAllowed => "This client may not ask for that resource.",
            Self::ScopeAmbiguous => "These scopes belong to different resources: name one resource.",
            Self::ScopeMalformed => "The scope is not well-formed.",
            Self::ScopeNotAllowed => "The scope is wider than this client may ask for, or than what was granted.",
            Self::SignInRequired => "Sign in first.",
            Self::SlowDown => "Polled too soon: keep to the interval from now on.",
            Self::SoftwareKeyNotAllowed => "The profile of this client does not allow a decision by a software key.",
            Self::TokenInvalid => "The access token is malformed, expired, revoked or bound to another key.",
            Self::TooManyMethods => "More than one way of client authentication was used.",
            Self::TooManyOpenRequests => "Too many requests are waiting for a decision already.",
            Self::TooManyRequests => "Too many requests from here. Wait a little.",
        }
    }

    /// The HTTP status. 401 only where RFC 6749 §5.2 or RFC 6750 §3 has it, 429 for limits, else 400.
    pub fn status(self) -> u16 {
        match self.code() {
            // RFC 7662 §2.3: the caller is known, and not allowed.
            _ if self == Self::IntrospectionNotAllowed => 403,
            ErrorCode::InvalidClient | ErrorCode::InvalidToken => 401,
            ErrorCode::RateLimited => 429,
            ErrorCode::Refused => 403,
            ErrorCode::UnknownCode => 404,
            ErrorCode::Exists => 409,
            _ => 400,
        }
    }

    /// The parameter that is missing, named so that a developer need not guess.
    pub fn parameter(self) -> Option<&'static str> {
        match self {
            Self::ParameterMissing(name) => Some(name),
            _ => None,
        }
    }
}
