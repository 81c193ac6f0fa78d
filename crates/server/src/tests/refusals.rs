//! Every refusal on one screen: its code, its status, and that its sentence is one that RFC 6749 §5.2
//! allows. Reasons that an outsider must not tell apart share a line's end on purpose.

use expect_test::expect;
use protocol::refusal::Refusal;
use serde_json::json;

use super::world::on_both;

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one line a reason")]
fn b04_the_table_of_refusals() {
    let mut table = String::new();
    for &refusal in Refusal::ALL {
        table += &format!(
            "{} {:22} {}\n",
            refusal.status(),
            refusal.code().as_str(),
            name(refusal)
        );
    }
    expect![[r#"
        400 access_denied          AccessDenied
        404 unknown_code           AlreadyDecided
        400 invalid_grant          ApprovalTooWeak
        400 invalid_grant          ApproverDisabled
        409 exists                 ApproverExists
        400 access_denied          AskedInQuietHours
        401 invalid_client         AssertionInvalid
        401 invalid_client         AssertionReplayed
        400 use_attestation_challenge AttestationChallengeRequired
        401 invalid_client_attestation AttestationInvalid
        400 use_fresh_attestation  AttestationNotFresh
        401 invalid_client_attestation AttestationReplayed
        400 invalid_request        AuthenticationDemandMalformed
        400 unmet_authentication_requirements AuthenticationTooOld
        403 refused                AuthenticationTooWeak
        400 unmet_authentication_requirements AuthenticationUnmet
        400 authorization_pending  AuthorizationPending
        400 invalid_request        BackchannelParameterInvalid
        400 invalid_request        BindingDataMissing
        403 refused                BindingDataWrong
        400 invalid_binding_message BindingMessageInvalid
        403 refused                CeremonyNotAllowed
        400 invalid_request        CertificateHeaderMalformed
        400 invalid_grant          CertificateMismatch
        400 invalid_request        CertificateMissing
        401 invalid_client         ClientAuthenticationFailed
        401 invalid_client         ClientAuthenticationMissing
        400 unauthorized_client    ClientCredentialsNotAllowed
        400 unauthorized_client    ClientCredentialsUnused
        401 invalid_client         ClientDisabled
        409 exists                 ClientExists
        401 invalid_client         ClientExpired
        401 invalid_client         ClientUnknown
        400 expired_token          CodeExpired
        403 unauthorized_client    CodeReportsNotAllowed
        400 invalid_confirmation   ConfirmationWrong
        403 refused                CrossSiteRequest
        403 refused                DecisionInvalid
        400 invalid_authorization_details DetailsMalformed
        400 invalid_authorization_details DetailsMemberMissing
        400 invalid_authorization_details DetailsMemberUnknown
        400 invalid_authorization_details DetailsNotAllowed
        400 invalid_authorization_details DetailsTypeUnknown
        400 invalid_authorization_details DetailsValueInvalid
        400 invalid_authorization_details DetailsValueOfWrongType
        400 invalid_grant          DeviceCodeUnknown
        400 unauthorized_client    DeviceGrantNotAllowed
        400 unauthorized_client    DeviceGrantUnused
        400 invalid_grant          DpopKeyMismatch
        400 use_dpop_nonce         DpopNonceRequired
        400 invalid_dpop_proof     DpopProofInvalid
        400 invalid_dpop_proof     DpopProofMissing
        400 invalid_dpop_proof     DpopProofReplayed
        403 refused                EnrollmentLinkInvalid
        400 invalid_request        EnrollmentMalformed
        400 unauthorized_client    EnrollmentNotOffered
        400 invalid_grant          GrantEnded
        400 unsupported_grant_type GrantTypeUnsupported
        403 refused                GrantedTooMuch
        409 exists                 GroupMemberExists
        429 rate_limited           GuessesExhausted
        400 invalid_request        InitiatorInvalid
        400 invalid_request        InitiatorMissing
        400 unauthorized_client    InstanceExpired
        400 invalid_grant          InstanceGone
        409 exists                 InstanceKeyTaken
        400 unauthorized_client    InstanceSuspended
        400 unauthorized_client    InstanceUnknown
        403 unauthorized_client    IntrospectionNotAllowed
        403 refused                KeyAlreadyRegistered
        403 refused                LastPasskey
        400 unauthorized_client    NetworkNotAllowed
        404 unknown_code           NotTheViewer
        404 unknown_code           NotYoursToDecide
        403 refused                NothingGranted
        400 invalid_request        ParameterMissing
        400 invalid_request        ParameterRepeated
        400 invalid_request        ParameterUnknown
        403 refused                PasskeyInvalid
        403 refused                PasskeyKindUnsupported
        400 access_denied          PolicyForbids
        400 invalid_request        PostureInvalid
        400 invalid_request        PostureMissing
        400 invalid_request        PostureStale
        400 unauthorized_client    PostureUnmet
        403 refused                QuietHours
        403 refused                ReauthenticationRequired
        400 invalid_grant          RefreshTokenUnknown
        400 invalid_grant          RefreshTokenVoided
        400 invalid_request        RequestMalformed
        403 refused                RequesterIsApprover
        400 invalid_target         ResourceMalformed
        400 invalid_target         ResourceNotAllowed
        403 refused                RotationNotAllowed
        400 invalid_authorization_details RunsNotAllowed
        400 invalid_grant          RunsUsedUp
        403 refused                SameDevice
        400 invalid_scope          ScopeAmbiguous
        400 invalid_scope          ScopeMalformed
        400 invalid_scope          ScopeNotAllowed
        403 refused                SignInRequired
        400 slow_down              SlowDown
        403 refused                SoftwareKeyNotAllowed
        403 refused                StarterUnproven
        400 invalid_authorization_details TokenHandoverNotAllowed
        401 invalid_token          TokenInvalid
        403 refused                TooFarAway
        400 invalid_request        TooManyMethods
        429 rate_limited           TooManyOpenRequests
        429 rate_limited           TooManyPrompts
        429 rate_limited           TooManyRequests
        403 refused                UpstreamIdentityTaken
        403 refused                UpstreamIdentityUnknown
        403 refused                UpstreamSignInInvalid
        404 unknown_code           UserCodeUnusable
        400 invalid_grant          WorkloadTokenInvalid
        400 invalid_grant          WorkloadTokenReplayed
    "#]]
    .assert_eq(&table);
}

fn name(refusal: Refusal) -> String {
    format!("{refusal:?}").split('(').next().unwrap().to_owned()
}

#[test]
fn b05_every_sentence_is_in_the_characters_that_an_error_description_may_have() {
    for &refusal in Refusal::ALL {
        let sentence = refusal.told();
        let is_allowed = |byte: u8| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(sentence.bytes().all(is_allowed), "{refusal:?}: {sentence}");
    }
}

#[test]
fn what_an_outsider_must_not_tell_apart_looks_the_same() {
    let groups: [&[Refusal]; 3] = [
        &[
            Refusal::ClientUnknown,
            Refusal::ClientDisabled,
            Refusal::ClientExpired,
            Refusal::ClientAuthenticationFailed,
        ],
        &[
            Refusal::UserCodeUnusable,
            Refusal::NotTheViewer,
            Refusal::AlreadyDecided,
        ],
        &[Refusal::RefreshTokenUnknown, Refusal::RefreshTokenVoided],
    ];
    for group in groups {
        for refusal in group {
            let seen = |refusal: &Refusal| (refusal.code(), refusal.status(), refusal.sentence());
            assert_eq!(seen(refusal), seen(&group[0]), "{refusal:?}");
        }
    }
}

#[test]
fn why_a_code_opened_nothing_is_on_the_record_and_nowhere_else() {
    on_both(async |world| {
        world.cli().await;
        let (alice, bob) = (world.approver("alice").await, world.approver("bob").await);
        let asked = world.ask("cli").await.text("user_code");
        let mut answers = Vec::new();
        let view = world.view(&asked, &alice).await;
        answers.push(world.view(&asked, &bob).await.html);
        let denied = json!({ "request_id": view.text("request_id") });
        world.call("/approver/deny", &denied, &alice).await;
        answers.push(world.view(&asked, &bob).await.html);
        let asked = world.ask("cli").await.text("user_code");
        world.advance(601);
        answers.push(world.view(&asked, &bob).await.html);
        answers.push(world.view("BBBB-BBBB", &bob).await.html);
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");

        let refused = world.events("device.refused").await;
        let mut states: Vec<&str> = refused
            .iter()
            .map(|event| event["detail"]["request.state"].as_str().unwrap())
            .collect();
        states.sort_unstable();
        assert_eq!(states, ["denied", "expired", "viewed"]);
    });
}
