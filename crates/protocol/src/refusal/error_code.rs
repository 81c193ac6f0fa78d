//! The codes of refusals on the wire, each of an RFC or, for our own interfaces, ours.

/// The `error` member of a response: RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2, RFC 9396 §5, RFC 9449 §5 and §8,
/// RFC 6750 §3.1, RFC 9470 §5, CIBA §13, draft-ietf-oauth-attestation-based-client-auth, and a few of our own for our own interfaces
/// (the terminal approver, the local API).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    AccessDenied,
    AuthorizationPending,
    Exists,
    ExpiredToken,
    InvalidAuthorizationDetails,
    InvalidBindingMessage,
    InvalidClient,
    InvalidClientAttestation,
    InvalidConfirmation,
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
    UnmetAuthenticationRequirements,
    UnsupportedGrantType,
    UseAttestationChallenge,
    UseDpopNonce,
    UseFreshAttestation,
}

impl ErrorCode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::Exists => "exists",
            Self::ExpiredToken => "expired_token",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidBindingMessage => "invalid_binding_message",
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientAttestation => "invalid_client_attestation",
            Self::InvalidConfirmation => "invalid_confirmation",
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
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UseAttestationChallenge => "use_attestation_challenge",
            Self::UseDpopNonce => "use_dpop_nonce",
            Self::UseFreshAttestation => "use_fresh_attestation",
        }
    }
}
