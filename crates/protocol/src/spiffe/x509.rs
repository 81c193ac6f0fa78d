//! X.509-SVIDs: the certificate that a workload shows on the TLS connection, whose handshake proved its key.
//! Judged by the trust domain's own authorities, never by the system's. Absent: revocation; an SVID lives hours.

use rustls_pki_types::CertificateDer;
use webpki::{EndEntityCert, anchor_from_trusted_cert};

use crate::client_certificate::must_lead_to;
use crate::jwk::Flaw;
use crate::refusal::Refusal;
use crate::spiffe::{SpiffeId, TrustBundle, VerifiedSvid};
use crate::time::Timestamp;

/// `chain`: the leaf first, as TLS has it. What is outside of `bundle` counts for nothing.
pub fn verify(
    chain: &[CertificateDer<'_>],
    subject: &SpiffeId,
    bundle: &TrustBundle,
    now: Timestamp,
) -> Result<VerifiedSvid, Refusal> {
    judge(chain, subject, bundle, now).map_err(|_| Refusal::WorkloadTokenInvalid)?;
    Ok(VerifiedSvid { bearer: None })
}

/// Whether an administrator's certificate can be built upon.
pub(super) fn is_authority(der: &[u8]) -> bool {
    anchor_from_trusted_cert(&CertificateDer::from(der)).is_ok()
}

fn judge(chain: &[CertificateDer<'_>], subject: &SpiffeId, bundle: &TrustBundle, now: Timestamp) -> Result<(), Flaw> {
    let leaf = chain.first().ok_or(Flaw("no certificate"))?;
    let leaf = EndEntityCert::try_from(leaf).map_err(|_| Flaw("the certificate cannot be read"))?;
    // X.509-SVID §2: "An X.509 SVID MUST contain exactly one URI SAN". With two, each side would read its own.
    let mut names = leaf.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(only), None) if only == subject.as_str() => {}
        (Some(_), None) => return Err(Flaw("the URI SAN is another workload")),
        _ => return Err(Flaw("there is not exactly one URI SAN")),
    }
    must_lead_to(chain, &bundle.authorities(), now)
        .map_err(|_| Flaw("the chain does not lead to the trust domain's authorities now"))
}

#[cfg(test)]
pub(crate) mod tests {
    use expect_test::expect;

    use super::*;

    /// Made with OpenSSL for a hundred years from November 2026 (`short`: for a day).
    pub(crate) fn certificate(name: &str) -> String {
        let lines = include_str!("testdata/certificates.txt").lines();
        let mut named = lines.filter_map(|line| line.split_once(' '));
        named.find(|(own, _)| *own == name).unwrap().1.to_owned()
    }

    fn bundle(names: &[&str]) -> TrustBundle {
        TrustBundle {
            jwt: None,
            x509: names.iter().map(|name| certificate(name)).collect(),
        }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn verdict(chain: &[&str], authorities: &[&str], now: Timestamp) -> &'static str {
        let ders = bundle(chain).authorities();
        let chain: Vec<CertificateDer<'_>> = ders.into_iter().map(CertificateDer::from).collect();
        let subject = SpiffeId::parse("spiffe://example.org/app").unwrap();
        let bundle = bundle(authorities);
        let judged = judge(&chain, &subject, &bundle, now);
        let refusal = judged.err().map(|_| Refusal::WorkloadTokenInvalid);
        assert_eq!(verify(&chain, &subject, &bundle, now).err(), refusal);
        judged.map_or_else(|flaw| flaw.0, |()| "accepted")
    }

    #[test]
    fn c30_each_rule_of_an_x509_svid_refuses_by_itself() {
        let mut table = String::new();
        for (chain, authorities) in [
            (&["leaf"][..], &["authority"][..]),
            (&["leaf"], &["other_authority", "authority"]),
            (&["leaf_of_intermediate", "intermediate"], &["authority"]),
            (&["leaf_of_intermediate"], &["authority"]),
            (&["leaf"], &["other_authority"]),
            (&["leaf", "authority"], &["other_authority"]),
            (&["leaf"], &[]),
            (&[], &["authority"]),
            (&["two_uris"], &["authority"]),
            (&["no_uri"], &["authority"]),
            (&["another"], &["authority"]),
            (&["signing"], &["authority"]),
            (&["server_only"], &["authority"]),
            (&["short"], &["authority"]),
        ] {
            let verdict = verdict(chain, authorities, NOW);
            table.push_str(&format!(
                "{:36} by {:26} {verdict}\n",
                chain.join(" "),
                authorities.join(" ")
            ));
        }
        table.push_str(&format!(
            "before it begins: {}\n",
            verdict(&["leaf"], &["authority"], Timestamp::default())
        ));
        expect![[r#"
            leaf                                 by authority                  accepted
            leaf                                 by other_authority authority  accepted
            leaf_of_intermediate intermediate    by authority                  accepted
            leaf_of_intermediate                 by authority                  the chain does not lead to the trust domain's authorities now
            leaf                                 by other_authority            the chain does not lead to the trust domain's authorities now
            leaf authority                       by other_authority            the chain does not lead to the trust domain's authorities now
            leaf                                 by                            the chain does not lead to the trust domain's authorities now
                                                 by authority                  no certificate
            two_uris                             by authority                  there is not exactly one URI SAN
            no_uri                               by authority                  there is not exactly one URI SAN
            another                              by authority                  the URI SAN is another workload
            signing                              by authority                  the chain does not lead to the trust domain's authorities now
            server_only                          by authority                  the chain does not lead to the trust domain's authorities now
            short                                by authority                  the chain does not lead to the trust domain's authorities now
            before it begins: the chain does not lead to the trust domain's authorities now
        "#]].assert_eq(&table);
    }
}
