//! Who presents a device code, and what the code is bound to. RFC 8628 §3.4, RFC 9449, RFC 8705 §3.

use crate::refusal::Refusal;

/// How what is presented came into the world, and so what it can become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// A `device_code` (RFC 8628 §3.2).
    Device,
    /// An `auth_req_id` (CIBA §7.3).
    Backchannel,
    /// A `device_code` that becomes an enrolled instance, and never a token.
    Enrollment,
}

/// Who presents a code, and which.
#[derive(Clone, Copy, Debug)]
pub struct Poller<'a> {
    pub client_id: &'a str,
    /// Thumbprint of the DPoP proof's key, if there was a proof.
    pub jkt: Option<&'a str>,
    /// Thumbprint of the certificate that the connection shows.
    pub x5t: Option<&'a str>,
    pub kind: CodeKind,
}

/// What a code is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    pub client_id: &'a str,
    pub jkt: Option<&'a str>,
    pub x5t: Option<&'a str>,
    pub kind: CodeKind,
}

impl Poller<'_> {
    /// D38, P22: another's code, or one for another purpose, is as unknown as none; another key or certificate
    /// consumes nothing.
    pub fn must_hold(&self, code: Binding<'_>) -> Result<(), Refusal> {
        if self.client_id != code.client_id || self.kind != code.kind {
            return Err(Refusal::DeviceCodeUnknown);
        }
        if code.jkt.is_some() && code.jkt != self.jkt {
            return Err(Refusal::DpopKeyMismatch);
        }
        if code.x5t.is_some() && code.x5t != self.x5t {
            return Err(Refusal::CertificateMismatch);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p31_a_code_of_a_certificate_is_of_no_use_without_it() {
        let code = Binding {
            client_id: "cli",
            jkt: Some("key"),
            x5t: Some("certificate"),
            kind: CodeKind::Device,
        };
        for (jkt, x5t, outcome) in [
            (Some("key"), Some("certificate"), Ok(())),
            (Some("key"), Some("other"), Err(Refusal::CertificateMismatch)),
            (Some("key"), None, Err(Refusal::CertificateMismatch)),
            (None, Some("certificate"), Err(Refusal::DpopKeyMismatch)),
        ] {
            let by = Poller {
                client_id: "cli",
                jkt,
                x5t,
                kind: CodeKind::Device,
            };
            assert_eq!(by.must_hold(code), outcome);
        }
    }
}
