//! Giving less, as the page says it.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes these strings")]

use expect_test::{Expect, expect};

use crate::pages::outline::outline;
use crate::pages::samples;

/// What stands under "What it could do".
#[track_caller]
fn check(page: &str, expected: &Expect) {
    let pages = samples::all();
    let (_, html) = pages.iter().find(|(name, _)| *name == page).unwrap();
    let outline = outline(html);
    let (_, from) = outline.split_once("h2 What it could do").unwrap();
    expected.assert_eq(from.split_once("h2 With which key").unwrap().0);
}

#[test]
fn all_of_it_can_be_narrowed() {
    check(
        "decide-whole",
        &expect![[r#"

            li Read what you can read. scope read
            li See your name. scope profile
            li Keep access without asking again, until it ends. scope offline_access
            li Use it at this address resource https://id.example.org/as
            p For 8 hours , until 23 November 2026, 13:23 UTC .
            summary Give less
            form [method=get] [action=/as/device/req_7Q2m] What it could do
            input [type=checkbox] [name=scope] [value=read]
            label Read what you can read. read
            input [type=checkbox] [name=scope] [value=profile]
            label See your name. profile
            input [type=checkbox] [name=scope] [value=offline_access]
            label Keep access without asking again, until it ends. offline_access
            input [type=hidden] [name=resource] [value=https://id.example.org/as]
            label How long as long as asked, until 23 November 2026, 13:23 UTC 10 minutes 1 hour 4 hours
            button [type=submit] Show the request like this
            p Nothing is decided by this yet.
        "#]],
    );
}

#[test]
fn what_is_taken_away_is_said_and_can_be_given_again() {
    check(
        "decide-narrowed",
        &expect![[r#"

            li Read what you can read. scope read
            li Use it at this address resource https://id.example.org/as
            p For 10 minutes , until 23 November 2026, 05:35 UTC .
            p Less than was asked for. You take away profile , offline_access . [href=/as/device/req_7Q2m] Give all of it
            summary Give less
            form [method=get] [action=/as/device/req_7Q2m] What it could do
            input [type=checkbox] [name=scope] [value=read]
            label Read what you can read. read
            input [type=checkbox] [name=scope] [value=profile]
            label See your name. profile
            input [type=checkbox] [name=scope] [value=offline_access]
            label Keep access without asking again, until it ends. offline_access
            input [type=hidden] [name=resource] [value=https://id.example.org/as]
            label How long as long as asked, until 23 November 2026, 13:23 UTC until 23 November 2026, 05:35 UTC 1 hour 4 hours
            button [type=submit] Show the request like this
            p Nothing is decided by this yet.
        "#]],
    );
}

#[test]
fn a22_who_has_no_key_that_is_strong_enough_can_only_decline() {
    let pages = samples::all();
    let (_, html) = pages.iter().find(|(name, _)| *name == "decide-too-weak").unwrap();
    assert!(
        !html.contains("data-passkey") && html.contains("Decline</button>"),
        "{html}"
    );
    assert!(html.contains("Approving takes a stronger passkey than you have here."));
}

/// The person may have changed the form and not looked at the result: what is signed is what is shown.
#[test]
fn the_form_sends_no_more_than_can_be_chosen_and_the_signature_carries_what_is_shown() {
    let pages = samples::all();
    let html = &pages.iter().find(|(name, _)| *name == "decide-narrowed").unwrap().1;
    let form = html
        .split("id=\"less\"")
        .nth(1)
        .unwrap()
        .split("</form>")
        .next()
        .unwrap();
    assert_eq!(form.matches("type=\"checkbox\"").count(), 3);
    assert_eq!(form.matches(" checked").count(), 1);
    assert!(form.contains("<input type=\"hidden\" name=\"resource\" value=\"https://id.example.org/as\">"));
    let approval = html.split("id=\"approval\"").nth(1).unwrap();
    assert!(approval.contains("&#34;scope&#34;:&#34;read&#34;"), "{approval}");
}
