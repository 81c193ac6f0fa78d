//! A profile's text to a [`Profile`], or every mistake in it: whoever writes one mends it in one go.

use serde_json::Value;

use super::posture;
use super::table::{Mistake, Table, note};
use super::{
    Approval, ApprovedBy, AskingKey, Assessment, Ceremony, Lifetimes, Limits, NoticeChannel, Otherwise, Profile,
    Proximity, QuietHours, Repeated, SameDevice, StarterProof,
};
use crate::digest::{Digest, canonical_json};
use crate::network::NetworkMatch;
use crate::scope::Scope;
use crate::time::Lifetime;

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTE;

pub fn profile(value: &Value) -> Result<Profile, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let profile = whole(value, &mut mistakes);
    match profile {
        Some(profile) if mistakes.is_empty() => Ok(profile),
        _ => Err(mistakes),
    }
}

/// None only where a mistake was noted.
fn whole(value: &Value, mistakes: &mut Vec<Mistake>) -> Option<Profile> {
    let canonical = canonical_json(value).map_err(|_| note(mistakes, "profile", "holds a number that has no one form"));
    let mut top = Table::of(value, "", mistakes)?;
    let (name, purpose) = (top.name("name", mistakes), top.required_text("purpose", mistakes));
    let warning = top.text("warning", mistakes);
    let interval = top.seconds("interval", 1..=60, mistakes);
    let assessment = top
        .table("assessment", mistakes)
        .and_then(|table| assessment(table, mistakes));
    let approval = top
        .table("approval", mistakes)
        .and_then(|table| approval(table, mistakes));
    let held = top.table("mitigations", mistakes);
    let posture = top
        .optional_table("posture", mistakes)
        .and_then(|table| posture::demand(table, mistakes));
    top.finish(mistakes);
    let mut held = held?;
    if held.is_empty() {
        note(
            mistakes,
            "mitigations",
            "names none; RFC 10027 asks for at least one (X24)",
        );
    }
    let (key, ceremony) = asking(&mut held, mistakes);
    let profile = Profile {
        version: Digest::of(canonical.ok()?.as_bytes()),
        interval: interval.unwrap_or(Lifetime::from_seconds(5)),
        proximity: held
            .optional_table("X01", mistakes)
            .and_then(|table| proximity(table, mistakes)),
        code_lifetime: held.seconds("X02", 30..=30 * MINUTE, mistakes),
        repeated: repeated(held.optional_table("X04", mistakes), mistakes),
        key,
        ceremony,
        networks: held.networks("X08", mistakes),
        scopes: held.text("X09", mistakes).and_then(|text| scopes(&text, mistakes)),
        lifetimes: held
            .optional_table("X10", mistakes)
            .map_or_else(Lifetimes::default, |table| lifetimes(table, mistakes)),
        limits: held
            .optional_table("X11", mistakes)
            .map_or_else(Limits::default, |table| limits(table, mistakes)),
        education: held.text("X13", mistakes),
        initiator: held.switch("X15", mistakes),
        confirm_back: held.switch("X16", mistakes),
        binding_data: held.switch("X17", mistakes),
        same_device: same_device(&mut held, mistakes),
        posture,
        warning,
        name: name?,
        purpose: purpose?,
        assessment: assessment?,
        approval: approval?,
    };
    held.finish(mistakes);
    fits_together(&profile, mistakes);
    Some(profile)
}

/// X12 alone demands a proof; X07 a proof by a key that is known.
fn asking(held: &mut Table, mistakes: &mut Vec<Mistake>) -> (AskingKey, Ceremony) {
    let proof = held.switch("X12", mistakes);
    let Some(mut table) = held.optional_table("X07", mistakes) else {
        return (if proof { AskingKey::Proof } else { AskingKey::Any }, Ceremony::Off);
    };
    let known = [
        ("off", Ceremony::Off),
        ("with_network", Ceremony::WithNetwork),
        ("alone", Ceremony::Alone),
    ];
    let ceremony = table.one_of("ceremony", &known, mistakes);
    table.finish(mistakes);
    (AskingKey::Enrolled, ceremony.unwrap_or(Ceremony::Off))
}

fn assessment(mut table: Table, mistakes: &mut Vec<Mistake>) -> Option<Assessment> {
    let (risk, residual) = (
        table.required_text("risk", mistakes),
        table.required_text("residual", mistakes),
    );
    table.finish(mistakes);
    Some(Assessment {
        risk: risk?,
        residual: residual?,
    })
}

fn approval(mut table: Table, mistakes: &mut Vec<Mistake>) -> Option<Approval> {
    let by = [
        ("anyone", ApprovedBy::Anyone),
        ("owner", ApprovedBy::Owner),
        ("group", ApprovedBy::Group),
    ];
    let by = table.required_one_of("by", &by, mistakes);
    let channels = NoticeChannel::ALL.map(|channel| (channel.as_str(), channel));
    let starter = [
        ("own_instance", StarterProof::OwnInstance),
        ("group_instance", StarterProof::GroupInstance),
        ("same_address", StarterProof::SameAddress),
        ("listed_network", StarterProof::ListedNetwork),
        ("carried_back", StarterProof::CarriedBack),
    ];
    let approval = Approval {
        group: table.text("group", mistakes),
        quorum: table.number("quorum", 1..=10, mistakes).unwrap_or(1),
        acr: table.text("acr", mistakes),
        max_age: table.seconds("max_age", MINUTE..=DAY, mistakes),
        software_keys: table.switch("software_keys", mistakes),
        link: table.switch("link", mistakes),
        token_env: table.switch("token_env", mistakes),
        runs: table.number("runs", 1..=1000, mistakes).unwrap_or(1),
        escalate_after: table.seconds("escalate_after", 10..=30 * MINUTE, mistakes),
        notices: table
            .some_of("notices", &channels, mistakes)
            .unwrap_or_else(|| NoticeChannel::ALL.to_vec()),
        starter: table.some_of("starter", &starter, mistakes).unwrap_or_default(),
        by: by?,
    };
    table.finish(mistakes);
    Some(approval)
}

fn proximity(mut table: Table, mistakes: &mut Vec<Mistake>) -> Option<Proximity> {
    let rungs = NetworkMatch::ALL.map(|rung| (rung.as_str(), rung));
    let at_least = table.required_one_of("at_least", &rungs, mistakes);
    let otherwise = [("warn", Otherwise::Warn), ("refuse", Otherwise::Refuse)];
    let otherwise = table.required_one_of("otherwise", &otherwise, mistakes);
    table.finish(mistakes);
    Some(Proximity {
        at_least: at_least?,
        otherwise: otherwise?,
    })
}

/// Seen by default, and an event; ending the request has to be asked for.
fn repeated(table: Option<Table>, mistakes: &mut Vec<Mistake>) -> Repeated {
    let Some(mut table) = table else {
        return Repeated {
            presenters: 1,
            ends: false,
        };
    };
    let presenters = table.number("presenters", 1..=100, mistakes).unwrap_or(1);
    let ends = table.one_of("then", &[("report", false), ("end", true)], mistakes);
    table.finish(mistakes);
    Repeated {
        presenters,
        ends: ends.unwrap_or(false),
    }
}

fn scopes(text: &str, mistakes: &mut Vec<Mistake>) -> Option<Scope> {
    let scope = Scope::parse(text);
    scope
        .map_err(|refusal| note(mistakes, "mitigations.X09", refusal.sentence()))
        .ok()
}

fn lifetimes(mut table: Table, mistakes: &mut Vec<Mistake>) -> Lifetimes {
    let lifetimes = Lifetimes {
        token: table.seconds("token", MINUTE..=DAY, mistakes),
        refresh: table.seconds("refresh", MINUTE..=90 * DAY, mistakes),
        grant: table.seconds("grant", MINUTE..=90 * DAY, mistakes),
    };
    table.finish(mistakes);
    if lifetimes
        .token
        .zip(lifetimes.grant)
        .is_some_and(|(token, grant)| token > grant)
    {
        note(
            mistakes,
            "mitigations.X10.token",
            "longer than `grant`, but no token outlives its grant",
        );
    }
    lifetimes
}

fn limits(mut table: Table, mistakes: &mut Vec<Mistake>) -> Limits {
    let limits = Limits {
        prompts_per_hour: table.number("prompts_per_hour", 1..=1_000, mistakes),
        open_requests: table.number("open_requests", 1..=1_000_000, mistakes),
        quiet_hours: table
            .optional_table("quiet_hours", mistakes)
            .and_then(|table| quiet_hours(table, mistakes)),
    };
    table.finish(mistakes);
    limits
}

fn quiet_hours(mut table: Table, mistakes: &mut Vec<Mistake>) -> Option<QuietHours> {
    let (from, to) = (table.clock("from", mistakes), table.clock("to", mistakes));
    let offset = table.clock("offset", mistakes);
    table.finish(mistakes);
    Some(QuietHours {
        from: from?,
        to: to?,
        offset: offset?,
    })
}

fn same_device(held: &mut Table, mistakes: &mut Vec<Mistake>) -> SameDevice {
    let known = [
        ("off", SameDevice::Off),
        ("warn", SameDevice::Warn),
        ("refuse", SameDevice::Refuse),
    ];
    held.one_of("X25", &known, mistakes).unwrap_or(SameDevice::Warn)
}

/// What is right by itself and wrong together.
fn fits_together(profile: &Profile, mistakes: &mut Vec<Mistake>) {
    let approval = &profile.approval;
    let is_known = profile.key == AskingKey::Enrolled;
    let proves = |proof| approval.starter.contains(&proof);
    let rules = [
        (
            approval.starter.is_empty() && profile.name != Profile::OPEN,
            "approval.starter",
            "is empty: only `open` may let a token depend on an approve click alone",
        ),
        (
            approval.by == ApprovedBy::Owner && !is_known,
            "approval.by",
            "an owner decides, but without X07 nobody owns the key that asks",
        ),
        (
            proves(StarterProof::OwnInstance) && !is_known,
            "approval.starter",
            "`own_instance` needs X07: only an enrolled key is anybody's own",
        ),
        (
            proves(StarterProof::GroupInstance) && (!is_known || approval.group.is_none()),
            "approval.starter",
            "`group_instance` needs X07 and a group: it is the group that an enrolled key is known to",
        ),
        (
            approval.escalate_after.is_some()
                && !(approval.by == ApprovedBy::Owner && proves(StarterProof::GroupInstance)),
            "approval.escalate_after",
            "needs `by = \"owner\"` and the starter `group_instance`: else the group's members could not decide",
        ),
        (
            proves(StarterProof::CarriedBack) && !profile.confirm_back,
            "approval.starter",
            "`carried_back` needs X16: nothing is carried back otherwise",
        ),
        (
            profile.ceremony == Ceremony::Alone && !profile.confirm_back,
            "mitigations.X07.ceremony",
            "`alone` needs X16: else an approve click alone makes a stranger's key somebody's own",
        ),
        (
            approval.by == ApprovedBy::Group && approval.group.is_none(),
            "approval.group",
            "is missing: whose members decide?",
        ),
        (
            approval.quorum > 1 && approval.group.is_none(),
            "approval.group",
            "is missing: who are the others of the quorum?",
        ),
        (
            profile.posture.is_some() && !profile.demands_key(),
            "posture",
            "needs X07 or X12: without a key it is nobody's posture",
        ),
        (
            approval.link && !profile.approval.starter.is_empty() && !is_known,
            "approval.link",
            "a link can be mailed: it goes with `open` or with X07 only",
        ),
    ];
    for (_, place, text) in rules.into_iter().filter(|(is_wrong, ..)| *is_wrong) {
        note(mistakes, place, text);
    }
}
