use super::*;
use crate::posture::Stated;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn demand() -> PostureDemand {
    PostureDemand {
        must_be_proven: true,
        max_age: Lifetime::from_seconds(60),
        os: [("debian", "12"), ("macos", "14.5"), ("arch", "0")]
            .into_iter()
            .map(|(os, least)| (os.to_owned(), Version::parse(least).unwrap()))
            .collect(),
        disk_encrypted: true,
        screen_lock: true,
        not_root: true,
        max_uptime: Some(Lifetime::from_seconds(3_600)),
        binary_sha256: vec!["a".repeat(64)],
    }
}

fn good() -> Stated {
    Stated {
        os: Some("macos".to_owned()),
        os_version: Some("14.5".to_owned()),
        disk_encrypted: Some(true),
        screen_lock: Some(true),
        root: Some(false),
        uptime_s: Some(3_600),
        binary_sha256: Some("a".repeat(64)),
    }
}

fn posture(stated: Stated, source: Source) -> Posture {
    Posture {
        stated,
        source,
        issued_at: NOW,
    }
}

fn lacking(stated: Stated, source: Source) -> Vec<Lack> {
    match demand().must_be_met_by(&posture(stated, source), NOW) {
        Ok(()) => Vec::new(),
        Err(Refusal::PostureUnmet(lacks)) => lacks.iter().collect(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn each_demand_is_lacking_by_itself_and_what_is_absent_is_not_met() {
    assert_eq!(lacking(good(), Source::Proven), []);
    let with = |change: &dyn Fn(&mut Stated)| {
        let mut stated = good();
        change(&mut stated);
        lacking(stated, Source::Proven)
    };
    assert_eq!(with(&|stated| stated.os = Some("plan9".to_owned())), [Lack::Os]);
    assert_eq!(with(&|stated| stated.os = None), [Lack::Os]);
    assert_eq!(
        with(&|stated| stated.os_version = Some("14.4.9".to_owned())),
        [Lack::OsVersion]
    );
    assert_eq!(
        with(&|stated| stated.os_version = Some("rolling".to_owned())),
        [Lack::OsVersion]
    );
    assert_eq!(with(&|stated| stated.os_version = None), [Lack::OsVersion]);
    assert_eq!(
        with(&|stated| stated.disk_encrypted = Some(false)),
        [Lack::DiskEncrypted]
    );
    assert_eq!(with(&|stated| stated.disk_encrypted = None), [Lack::DiskEncrypted]);
    assert_eq!(with(&|stated| stated.screen_lock = None), [Lack::ScreenLock]);
    assert_eq!(with(&|stated| stated.root = Some(true)), [Lack::Root]);
    assert_eq!(with(&|stated| stated.root = None), [Lack::Root]);
    assert_eq!(with(&|stated| stated.uptime_s = Some(3_601)), [Lack::Uptime]);
    assert_eq!(with(&|stated| stated.uptime_s = Some(u64::MAX)), [Lack::Uptime]);
    assert_eq!(
        with(&|stated| stated.binary_sha256 = Some("b".repeat(64))),
        [Lack::Binary]
    );
    assert_eq!(lacking(good(), Source::Claimed), [Lack::Proof]);
}

#[test]
fn everything_that_is_lacking_is_told_at_once() {
    let lacks = lacking(Stated::default(), Source::Claimed);
    assert_eq!(lacks.len(), 7, "{lacks:?}");
    assert_eq!(
        Refusal::PostureUnmet(Lacks::of([Lack::DiskEncrypted, Lack::Root])).told(),
        "This machine is not as the profile of this client demands: its disk has to be encrypted; the program has to run \
         without the rights of root. Mend that and try again."
    );
    assert_eq!(Lacks::ALL.iter().count(), Lack::ALL.len());
    for letter in Lacks::ALL.sentence().chars() {
        assert!(
            matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\'),
            "{letter:?}"
        );
    }
}

#[test]
fn a_posture_is_stale_when_it_is_older_than_the_profile_takes() {
    let posture = posture(good(), Source::Proven);
    let at = |seconds| demand().must_be_met_by(&posture, NOW + Lifetime::from_seconds(seconds));
    assert_eq!(at(60), Ok(()));
    assert_eq!(at(61), Err(Refusal::PostureStale));
}

#[test]
fn versions_are_compared_number_by_number() {
    let version = |text| Version::parse(text).unwrap();
    assert!(version("14.10") > version("14.9"));
    assert!(version("12") > version("11.99.99"));
    assert_eq!(version("12.0.0"), version("12"));
    assert!(version("10.0.22631") >= version("10"));
    for text in [
        "",
        ".",
        "12.",
        "12-sp5",
        "+1",
        "1..2",
        "1.2.3.4.5.6.7.8.9",
        "99999999999999999999",
        "١",
    ] {
        assert!(Version::parse(text).is_none(), "{text}");
    }
    let mut rolling = good();
    rolling.os = Some("arch".to_owned());
    rolling.os_version = None;
    assert_eq!(lacking(rolling, Source::Proven), [], "0 is any version");
}

#[test]
fn a_demand_is_told_in_words() {
    assert_eq!(
        demand().told(),
        "signed by an attester not longer than 60 s before; at least arch of any version or debian 12 or macos 14.5; \
         its disk encrypted; its screen locking by itself; not run by root; started at most 3600 s ago; one of 1 programs"
    );
}
