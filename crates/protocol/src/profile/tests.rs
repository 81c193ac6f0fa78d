use serde_json::json;

use super::*;

fn standard() -> Value {
    json!({
        "name": "mine",
        "purpose": "a test",
        "assessment": { "risk": "phishing", "residual": "little" },
        "approval": { "by": "owner", "acr": "phr", "starter": ["own_instance"] },
        "mitigations": {
            "X01": { "at_least": "same_country", "otherwise": "warn" },
            "X07": { "ceremony": "with_network" },
            "X10": { "token": 300, "grant": 3600 },
            "X11": { "prompts_per_hour": 20, "quiet_hours": { "from": "22:00", "to": "06:30", "offset": "+01:00" } },
            "X16": true,
        },
    })
}

fn mistakes(value: &Value) -> Vec<String> {
    Profile::read(value)
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn x23_a_profile_tells_its_mitigations_by_their_ids() {
    let profile = Profile::read(&standard()).unwrap();
    let told: Vec<String> = profile
        .mitigations()
        .iter()
        .map(|held| format!("{} {}", held.id, held.how))
        .collect();
    expect_test::expect![[r#"
        X01 less than same_country warns
        X03 one use; open in one browser only
        X04 a code presented by 1 more is reported
        X05 codes have one recognisable shape, and may be reported
        X06 what came of a reported code ends at once
        X07 only enrolled keys ask, its owner decides; a person enrolls one from the same address or a listed network only
        X10 token 5 min, grant 1 h
        X11 20 prompts an hour for each approver, quiet from 22:00 to 06:30
        X12 codes and tokens are bound to a key
        X14 who, what, from where and what follows; declining comes first
        X16 six digits go back to where it was started
        X25 approving on the device that asks warns"#]].assert_eq(&told.join("\n"));
}

#[test]
fn every_mistake_is_named_at_once() {
    let mut wrong = standard();
    wrong["purpose"] = json!("");
    wrong["colour"] = json!("green");
    wrong["approval"]["by"] = json!("everyone");
    wrong["approval"]["notices"] = json!(["mail", "pigeon"]);
    wrong["approval"]["starter"] = json!(["own_instance", "trust me"]);
    wrong["mitigations"]["X01"]["at_least"] = json!("near");
    wrong["mitigations"]["X08"] = json!(["10.0.0.0/33"]);
    wrong["mitigations"]["X10"]["token"] = json!(1);
    wrong["mitigations"]["X11"]["quiet_hours"]["to"] = json!("24:00");
    wrong["mitigations"]["X16"] = json!("yes");
    wrong["mitigations"]["X99"] = json!(true);
    expect_test::expect![[r#"
        purpose: must be a text, neither empty nor longer than 2000 bytes
        approval.by: must be one of anyone, owner, group
        approval.notices: "pigeon" is none of webhook, mail, push
        approval.starter: "trust me" is none of own_instance, group_instance, same_address, listed_network, carried_back
        colour: is not known here; known are approval, assessment, interval, mitigations, name, posture, purpose, warning
        mitigations.X01.at_least: must be one of unknown, different, same_country, same_operator, same_prefix, same_address
        mitigations.X08: "10.0.0.0/33" is no network, such as 192.0.2.0/24
        mitigations.X10.token: must be seconds, from 60 to 86400
        mitigations.X11.quiet_hours.to: must be a time such as 22:30, or an offset such as +01:00
        mitigations.X16: must be true or false"#]].assert_eq(&mistakes(&wrong).join("\n"));
}

#[test]
fn x23_a_profile_without_mitigations_or_assessment_does_not_load() {
    let mut none = standard();
    none["mitigations"] = json!({});
    none["approval"]["by"] = json!("anyone");
    assert!(mistakes(&none).contains(&"mitigations: names none; RFC 10027 asks for at least one (X24)".to_owned()));
    let mut unassessed = standard();
    unassessed.as_object_mut().unwrap().remove("assessment");
    assert_eq!(mistakes(&unassessed), ["assessment: is missing"]);
}

#[test]
fn x42_only_open_may_depend_on_an_approve_click_alone() {
    let mut click = standard();
    click["approval"]["starter"] = json!([]);
    assert_eq!(
        mistakes(&click),
        ["approval.starter: is empty: only `open` may let a token depend on an approve click alone"]
    );
    click["name"] = json!("open");
    assert!(Profile::read(&click).unwrap().is_open());
}

#[test]
fn what_a_rule_stands_on_has_to_be_there() {
    let mut unknown = standard();
    unknown["mitigations"].as_object_mut().unwrap().remove("X07");
    unknown["approval"]["quorum"] = json!(2);
    expect_test::expect![[r#"
        approval.by: an owner decides, but without X07 nobody owns the key that asks
        approval.starter: `own_instance` needs X07: only an enrolled key is anybody's own
        approval.group: is missing: who are the others of the quorum?"#]]
    .assert_eq(&mistakes(&unknown).join("\n"));
    let mut carried = standard();
    carried["approval"]["starter"] = json!(["carried_back"]);
    carried["mitigations"]["X16"] = json!(false);
    expect_test::expect!["approval.starter: `carried_back` needs X16: nothing is carried back otherwise"]
        .assert_eq(&mistakes(&carried).join("\n"));
}

#[test]
fn x20_the_version_names_every_letter_of_a_profile() {
    let mut other = standard();
    other["assessment"]["risk"] = json!("phishing.");
    let versions = [&standard(), &other].map(|value| Profile::read(value).unwrap().version);
    assert_ne!(versions[0], versions[1]);
    assert_eq!(versions[0], Profile::read(&standard()).unwrap().version);
}

#[test]
fn x37_quiet_hours_go_over_midnight_and_know_their_offset() {
    let quiet = QuietHours {
        from: 22 * 60,
        to: 6 * 60 + 30,
        offset: 60,
    };
    let at = |hours: i64, minutes: i64| Timestamp::from_millis((hours * 60 + minutes) * 60_000);
    let times = [(20, 59), (21, 0), (23, 59), (0, 0), (5, 29), (5, 30), (12, 0)];
    let told = times.map(|(hours, minutes)| quiet.hold(at(hours, minutes)));
    assert_eq!(told, [false, true, true, true, true, false, false]);
    let by_day = QuietHours {
        from: 60,
        to: 120,
        offset: -60,
    };
    assert_eq!(
        [at(1, 59), at(2, 0), at(3, 0)].map(|now| by_day.hold(now)),
        [false, true, false]
    );
}

#[test]
fn x42_a_person_alone_enrolls_nothing_by_a_click_alone() {
    let mut alone = standard();
    alone["mitigations"]["X07"]["ceremony"] = json!("alone");
    assert!(Profile::read(&alone).is_ok(), "with X16");
    alone["mitigations"]["X16"] = json!(false);
    assert_eq!(
        mistakes(&alone),
        [
            "mitigations.X07.ceremony: `alone` needs X16: else an approve click alone makes a stranger's key somebody's own"
        ]
    );
}

#[test]
fn every_mistake_in_a_posture_is_named() {
    let mut mine = standard();
    mine["posture"] = json!({
        "source": "claimed", "max_age": 120, "os": { "debian": "12" }, "disk_encrypted": true, "not_root": true
    });
    let profile = Profile::read(&mine).unwrap();
    assert_eq!(
        profile.mitigations().last().unwrap().how,
        "signed by the machine's own key not longer than 120 s before; at least debian 12; its disk encrypted; not run by \
         root"
    );
    mine["posture"] = json!({
        "max_age": 5, "os": { "debian": "bookworm", "macos": 14 }, "screen_lock": "yes", "max_uptime": 60,
        "binary_sha256": ["ABC"], "firewall": true
    });
    mine["mitigations"].as_object_mut().unwrap().remove("X07");
    mine["approval"]["by"] = json!("anyone");
    mine["approval"]["starter"] = json!(["same_address"]);
    expect_test::expect![[r#"
        posture.source: is missing: one of claimed, proven
        posture.max_age: must be seconds, from 10 to 86400
        posture.os: the least version of "debian" must be a text such as "14.6", or "0" for any
        posture.os: the least version of "macos" must be a text such as "14.6", or "0" for any
        posture.screen_lock: must be true or false
        posture.max_uptime: must be seconds, from 3600 to 34560000
        posture.binary_sha256: "ABC" is no SHA-256 in 64 lower-case hexadecimal digits
        posture.firewall: is not known here; known are binary_sha256, disk_encrypted, max_age, max_uptime, not_root, os, screen_lock, source"#]]
    .assert_eq(&mistakes(&mine).join("\n"));
    mine["posture"] = json!({ "source": "proven" });
    assert_eq!(
        mistakes(&mine),
        ["posture: needs X07 or X12: without a key it is nobody's posture"]
    );
}

#[test]
fn a_profile_says_how_approvers_are_told_all_ways_where_it_says_nothing() {
    let told = |notices: Option<Value>| {
        let mut mine = standard();
        if let Some(notices) = notices {
            mine["approval"]["notices"] = notices;
        }
        let profile = Profile::read(&mine).unwrap();
        let told = profile.mitigations().into_iter().find(|held| held.id == "notices");
        (profile.approval.notices, told.map(|held| held.how))
    };
    assert_eq!(told(None), (NoticeChannel::ALL.to_vec(), None));
    assert_eq!(told(Some(json!(["push", "mail", "webhook"]))).1, None);
    let some = (vec![NoticeChannel::Push], Some("told by push only".to_owned()));
    assert_eq!(told(Some(json!(["push"]))), some);
    let none = (vec![], Some("nobody is told that a request waits".to_owned()));
    assert_eq!(told(Some(json!([]))), none);
    let mut wrong = standard();
    wrong["approval"]["notices"] = json!("mail");
    assert_eq!(mistakes(&wrong), ["approval.notices: must be a list of texts"]);
}
