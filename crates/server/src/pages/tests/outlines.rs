//! What each page says and offers, in the order of reading.

#![expect(clippy::needless_raw_string_hashes, reason = "expect-test writes these strings")]

use expect_test::{Expect, expect};

use crate::pages::outline::outline;
use crate::pages::samples;

#[track_caller]
fn check(page: &str, expected: &Expect) {
    let pages = samples::all();
    let (_, html) = pages.iter().find(|(name, _)| *name == page).unwrap();
    expected.assert_eq(&outline(html));
}

#[test]
fn home() {
    check(
        "home",
        &expect![[r#"
        h1 A program wants to act for you?
        p Here you see exactly what it asks, and you allow or decline it. [href=/as/device] Enter a code [href=/as/sign-in] Sign in
    "#]],
    );
}

#[test]
fn sign_in() {
    check(
        "sign-in",
        &expect![[r#"
        h1 Sign in
        p Your device asks for your fingerprint, face or PIN. There is no name to type and no password.
        p Signing in needs JavaScript: a browser gives a page no other way to ask for a passkey. Allow it for id.example.org and load this page again.
        button [type=button] [disabled] [data-passkey=sign-in] [data-start=/as/sign-in/start] Sign in with a passkey
        p No passkey yet, or lost it? An administrator of this server gives you an enrollment link.
    "#]],
    );
}

#[test]
fn enroll() {
    check(
        "enroll",
        &expect![[r#"
        h1 Set up your passkey
        p You are being enrolled as . Programs will ask to act in your name; with this passkey you allow or decline it. It stays on your device and works only on id.example.org .
        p Setting up a passkey needs JavaScript: a browser gives a page no other way to make one. Allow it for id.example.org and open your link again.
        label Name of this passkey
        input [name=label]
        p So that you know it again later. For example: This phone, Work laptop.
        button [type=button] [disabled] [data-passkey=enroll] [data-start=/as/enroll/start] Create my passkey
        p The link works once and only for a few minutes. If somebody you do not know sent it to you, close this page.
    "#]],
    );
}

#[test]
fn d12_verify() {
    check(
        "verify",
        &expect![[r#"
        h1 Enter the code
        form [method=post] [action=/as/device]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        p It stands on the screen of the device that is asking.
        label Code
        input [name=user_code]
        p Eight letters. Capitals, spaces and dashes do not matter.
        p Only type a code that your own screen shows you now. We never send you codes.
        button [type=submit] Continue
        p Nothing is allowed yet: the next page shows who asks and for what.
    "#]],
    );
}

#[test]
fn d17_verify_with_the_first_half_from_the_link() {
    check(
        "verify-link-wrong",
        &expect![[r#"
        h1 Enter the code This code is unknown, expired, used, open in another browser, or not yours to decide.
        form [method=post] [action=/as/device]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        p Your link brought the first half. Type the rest from the screen of the device that is asking.
        label The last four letters
        input [type=hidden] [name=first_half] [value=WDJB] The code begins with WDJB -
        input [name=user_code]
        p Only type what your own screen shows you now. If the first half is not there, somebody else sent you this link: close the page.
        button [type=submit] Continue
        p Nothing is allowed yet: the next page shows who asks and for what.
    "#]],
    );
}

#[test]
fn verify_throttled() {
    check(
        "verify-throttled",
        &expect![[r#"
        h1 Enter the code Too many codes were tried. Wait a few minutes.
        p Your code is not lost: as long as it has not expired you can type it after the pause. [href=/as/device] Try again
    "#]],
    );
}

#[test]
fn decide() {
    check(
        "decide",
        &expect![[r#"
            p Open until 23 November 2026, 05:33 UTC
            h1 Allow “ Build command line ” to act for you?
            p Decline unless you started this yourself, just now, on a device that is yours or in front of you.
            h2 Who asks
            p Verified by an administrator
            dt Client build-cli
            dt Owner Platform team
            dt Purpose Publish release builds
            dt Asked 23 November 2026, 05:23 UTC , from 203.0.113.24
            h2 What it could do
            li Read what you can read. scope read
            li See your name. scope profile
            li Keep access without asking again, until it ends. scope offline_access
            p For 8 hours , until 23 November 2026, 13:23 UTC .
            h2 With which key
            p Compare with what your terminal shows. The same six words, in the same order, or decline.
            li amber
            li canoe
            li harbor
            li lemon
            li orbit
            li velvet
            h2 What is known
            h3 proven
            p Checked by this server, by signature or connection.
            dt Address 203.0.113.24
            dt Key 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I
            h3 derived
            p Looked up from what is proven. It can be wrong.
            dt Network Not the network you are on
            h3 claimed
            p What the requester says about itself. Anybody could write it.
            dt Program waypass/0.1 (linux x86_64)
            h2 If you approve
            li It can act as you, within these permissions, without asking again until the end.
            li You can take it back at any time under your account.
            li Your decision is signed by your passkey and kept.
            h2 Your decision
            p Approving needs JavaScript: a browser gives a page no other way to ask for a passkey. Declining works as it is.
            form [method=post] [action=/as/device/req_7Q2m/deny]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] Decline
            button [type=button] [disabled] [data-passkey=approve] Approve with passkey
            p Approving asks for your passkey. The Enter key never approves.
            form [method=post] [action=/as/device/req_7Q2m/deny]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=report] [value=true]
            button [type=submit] I did not start this
            p Declines, and tells the administrators that somebody tried.
            form [method=post] [action=/as/device/req_7Q2m/approve]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=credential] [value]
            summary For the record
            dt Request req_7Q2m
            dt Digest 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
            dt Profile standard
        "#]],
    );
}

#[test]
fn approved() {
    check(
        "approved",
        &expect![[r#"
        p ✓
        h1 Approved
        p “ Build command line ” may act for you until 23 November 2026, 13:25 UTC .
        p Go back to your device. It goes on by itself in a few seconds. You can close this page.
        p You can take this back at any time, under [href=/as/account] your account .
    "#]],
    );
}

#[test]
fn declined() {
    check(
        "declined",
        &expect![[r#"
        p ✕
        h1 Declined
        p “ Build command line ” got nothing.
        p Go back to your device. It learns in a few seconds that the answer is no. You can close this page.
    "#]],
    );
}

#[test]
fn reported() {
    check(
        "reported",
        &expect![[r#"
        p ✕
        h1 Declined and reported
        p “ Build command line ” got nothing, and the administrators of this server can see that somebody tried.
        p If somebody gave you the code or the link, that person meant to act in your name. Tell your security people how it reached you. You can close this page.
    "#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a page, one line a thing on it")]
fn account() {
    check(
        "account",
        &expect![[r#"
        h1 Your account
        p [href=/as/device] Enter a code to answer a device that is asking. [href=/as/account/devices] Your devices may ask without one.
        p The passkey was added.
        h2 What acts for you
        p Build command line build-cli
        p May use read offline_access
        p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
        p Key: amber canoe harbor lemon orbit velvet
        form [method=post] [action=/as/account/grants/gr_1/revoke]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Revoke Build command line, since 23 November 2026, 04:25 UTC
        p Nightly report build-cli AI agent
        p May use read offline_access
        p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
        p Bound to no key
        form [method=post] [action=/as/account/grants/gr_2/revoke]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Revoke Nightly report, since 23 November 2026, 04:25 UTC
        h2 Passkeys
        p This phone
        p Added 12 November 2026, 19:25 UTC
        p Last used 23 November 2026, 05:24 UTC
        form [method=post] [action=/as/account/passkeys/pk_1/remove]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Remove This phone
        p Work laptop
        p Added 22 November 2026, 05:25 UTC
        p Never used
        form [method=post] [action=/as/account/passkeys/pk_2/remove]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Remove Work laptop
        label Name of a new passkey
        input [name=label]
        p For example: This phone, Work laptop.
        button [type=button] [disabled] [data-passkey=add] [data-start=/as/account/passkeys/start] Add a passkey
        p Adding a passkey needs JavaScript.
        h2 How you are told
        p When a device of yours or a group you are in asks. A notice holds no code and nothing to press: whoever sends you one with either is not us.
        p Browser: Firefox on Linux
        p Since 12 November 2026, 19:25 UTC
        form [method=post] [action=/as/account/notices/remove]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        input [type=hidden] [name=channel] [value=Browser 1]
        button [type=submit] Remove Browser Firefox on Linux
        p E-mail: alice@example.org Off
        p Since 12 November 2026, 19:25 UTC
        form [method=post] [action=/as/account/notices/on]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        input [type=hidden] [name=channel] [value=E-mail 1]
        button [type=submit] Turn on E-mail alice@example.org
        p Webhook: chat.example.org
        p Set up by an administrator for the group ops , since 12 November 2026, 19:25 UTC
        h2 Where you are signed in
        p Chrome on Android This browser
        p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
        p Firefox on Linux
        p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
        form [method=post] [action=/as/account/sessions/bs_2/end]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] End the session of Firefox on Linux, signed in 23 November 2026, 03:25 UTC
        form [method=post] [action=/as/sign-out]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Sign out of this browser
        h2 Software keys
        p They decide from a terminal, for clients that allow it. A key you do not know: tell an administrator at once.
        p basil copper falcon meadow quartz timber
        p Added 17 November 2026, 10:31 UTC
        p 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I
    "#]],
    );
}

#[test]
fn account_long_after_signing_in_offers_to_do_it_again() {
    check(
        "account-signed-in-long-ago",
        &expect![[r#"
        h1 Your account
        p [href=/as/device] Enter a code to answer a device that is asking. [href=/as/account/devices] Your devices may ask without one.
        h2 What acts for you
        p Build command line build-cli
        p May use read offline_access
        p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
        p Key: amber canoe harbor lemon orbit velvet
        form [method=post] [action=/as/account/grants/gr_1/revoke]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Revoke Build command line, since 23 November 2026, 04:25 UTC
        p Nightly report build-cli AI agent
        p May use read offline_access
        p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
        p Bound to no key
        form [method=post] [action=/as/account/grants/gr_2/revoke]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Revoke Nightly report, since 23 November 2026, 04:25 UTC
        h2 Passkeys
        p This phone
        p Added 12 November 2026, 19:25 UTC
        p Last used 23 November 2026, 05:24 UTC
        p Work laptop
        p Added 22 November 2026, 05:25 UTC
        p Never used
        p [href=/as/sign-in?next=/as/account] Sign in again with a passkey to add or remove passkeys.
        h2 How you are told
        p When a device of yours or a group you are in asks. A notice holds no code and nothing to press: whoever sends you one with either is not us.
        p Browser: Firefox on Linux
        p Since 12 November 2026, 19:25 UTC
        form [method=post] [action=/as/account/notices/remove]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        input [type=hidden] [name=channel] [value=Browser 1]
        button [type=submit] Remove Browser Firefox on Linux
        p E-mail: alice@example.org Off
        p Since 12 November 2026, 19:25 UTC
        form [method=post] [action=/as/account/notices/on]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        input [type=hidden] [name=channel] [value=E-mail 1]
        button [type=submit] Turn on E-mail alice@example.org
        p Webhook: chat.example.org
        p Set up by an administrator for the group ops , since 12 November 2026, 19:25 UTC
        h2 Where you are signed in
        p Chrome on Android This browser
        p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
        p Firefox on Linux
        p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
        form [method=post] [action=/as/account/sessions/bs_2/end]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] End the session of Firefox on Linux, signed in 23 November 2026, 03:25 UTC
        form [method=post] [action=/as/sign-out]
        input [type=hidden] [name=csrf] [value=c5rF-t0ken]
        button [type=submit] Sign out of this browser
        h2 Software keys
        p They decide from a terminal, for clients that allow it. A key you do not know: tell an administrator at once.
        p basil copper falcon meadow quartz timber
        p Added 17 November 2026, 10:31 UTC
        p 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I
    "#]],
    );
}

#[test]
fn account_with_one_passkey() {
    check(
        "account-one-passkey",
        &expect![[r#"
            h1 Your account
            p [href=/as/device] Enter a code to answer a device that is asking. [href=/as/account/devices] Your devices may ask without one.
            h2 What acts for you
            p Nothing acts for you now.
            h2 Passkeys
            p This phone
            p Added 12 November 2026, 19:25 UTC
            p Last used 23 November 2026, 05:24 UTC
            p Your only passkey cannot be removed. Add a second one, on another device, so that losing this one does not lock you out.
            label Name of a new passkey
            input [name=label]
            p For example: This phone, Work laptop.
            button [type=button] [disabled] [data-passkey=add] [data-start=/as/account/passkeys/start] Add a passkey
            p Adding a passkey needs JavaScript.
            h2 How you are told
            p When a device of yours or a group you are in asks. A notice holds no code and nothing to press: whoever sends you one with either is not us.
            p Browser: Firefox on Linux
            p Since 12 November 2026, 19:25 UTC
            form [method=post] [action=/as/account/notices/remove]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=channel] [value=Browser 1]
            button [type=submit] Remove Browser Firefox on Linux
            p E-mail: alice@example.org Off
            p Since 12 November 2026, 19:25 UTC
            form [method=post] [action=/as/account/notices/on]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=channel] [value=E-mail 1]
            button [type=submit] Turn on E-mail alice@example.org
            p Webhook: chat.example.org
            p Set up by an administrator for the group ops , since 12 November 2026, 19:25 UTC
            h2 Where you are signed in
            p Chrome on Android This browser
            p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
            p Firefox on Linux
            p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
            form [method=post] [action=/as/account/sessions/bs_2/end]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] End the session of Firefox on Linux, signed in 23 November 2026, 03:25 UTC
            form [method=post] [action=/as/sign-out]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] Sign out of this browser
        "#]],
    );
}

#[test]
fn failure() {
    check(
        "failure",
        &expect![[r#"
        h1 Something broke on our side
        p Nothing was changed. Try again in a moment.
        p If it happens again, tell an administrator this number: 8F2C-11A0 [href=/as/device] Enter a code
    "#]],
    );
}

#[test]
fn authorize() {
    check(
        "authorize",
        &expect![[r#"
        h1 This server issues by device grant only
        p A program sent your browser here to sign in directly. That way is not offered. Nothing was granted.
        h2 If you use the program
        p Look for a way to sign in with a code, often called “device login” or “headless”. It shows a code; you enter it under [href=/as/device] Enter the code .
        h2 If you write the program
        p Use the OAuth 2.0 Device Authorization Grant (RFC 8628). Post your request to
        p https://id.example.org/as/device_authorization
    "#]],
    );
}

#[test]
fn sign_in_elsewhere() {
    check(
        "sign-in-upstream",
        &expect![[r#"
            h1 Sign in
            p Your device asks for your fingerprint, face or PIN. There is no name to type and no password.
            p Signing in needs JavaScript: a browser gives a page no other way to ask for a passkey. Allow it for id.example.org and load this page again.
            button [type=button] [disabled] [data-passkey=sign-in] [data-start=/as/sign-in/start] Sign in with a passkey
            button [type=button] [disabled] [data-passkey=upstream] [data-start=/as/sign-in/upstream/start] Sign in with Example
            p Through Example you can look and decline. Approving takes your passkey, however you signed in.
            p No passkey yet, or lost it? An administrator of this server gives you an enrollment link.
        "#]],
    );
}

#[test]
fn back_from_elsewhere() {
    check(
        "upstream",
        &expect![[r#"
            h1 Signing in
            p You come back from Example .
            p Signing in needs JavaScript. Allow it for id.example.org and start again.
            p If nothing happens, [href=/as/sign-in] start again .
        "#]],
    );
}

#[test]
fn enroll_elsewhere() {
    check(
        "enroll-upstream",
        &expect![[r#"
            h1 Set up your passkey
            p You are being enrolled as . Programs will ask to act in your name; with this passkey you allow or decline it. It stays on your device and works only on id.example.org .
            p Setting up a passkey needs JavaScript: a browser gives a page no other way to make one. Allow it for id.example.org and open your link again.
            label Name of this passkey
            input [name=label]
            p So that you know it again later. For example: This phone, Work laptop.
            button [type=button] [disabled] [data-passkey=enroll] [data-start=/as/enroll/start] Create my passkey
            button [type=button] [disabled] [data-passkey=enroll-upstream] [data-start=/as/enroll/upstream/start] Sign in with Example first
            p That links your account there, and uses up the link. Create your passkey right afterwards, on your account page: within ten minutes.
            p The link works once and only for a few minutes. If somebody you do not know sent it to you, close this page.
        "#]],
    );
}

#[test]
fn account_without_a_passkey() {
    check(
        "account-no-passkey",
        &expect![[r#"
            h1 Your account
            p [href=/as/device] Enter a code to answer a device that is asking. [href=/as/account/devices] Your devices may ask without one.
            p Your groups: builders , operators
            h2 What acts for you
            p Build command line build-cli
            p May use read offline_access
            p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
            p Key: amber canoe harbor lemon orbit velvet
            form [method=post] [action=/as/account/grants/gr_1/revoke]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] Revoke Build command line, since 23 November 2026, 04:25 UTC
            p Nightly report build-cli AI agent
            p May use read offline_access
            p Since 23 November 2026, 04:25 UTC , until 23 November 2026, 12:25 UTC
            p Bound to no key
            form [method=post] [action=/as/account/grants/gr_2/revoke]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] Revoke Nightly report, since 23 November 2026, 04:25 UTC
            h2 Passkeys
            p You have no passkey: you can look and decline, but not approve. An administrator gives you an enrollment link for one.
            h2 Signing in with Example
            p It says who you are. Approving still takes your passkey.
            p a1b2-c3d4
            p Last seen 23 November 2026, 05:24 UTC
            h2 How you are told
            p When a device of yours or a group you are in asks. A notice holds no code and nothing to press: whoever sends you one with either is not us.
            p Browser: Firefox on Linux
            p Since 12 November 2026, 19:25 UTC
            form [method=post] [action=/as/account/notices/remove]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=channel] [value=Browser 1]
            button [type=submit] Remove Browser Firefox on Linux
            p E-mail: alice@example.org Off
            p Since 12 November 2026, 19:25 UTC
            form [method=post] [action=/as/account/notices/on]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            input [type=hidden] [name=channel] [value=E-mail 1]
            button [type=submit] Turn on E-mail alice@example.org
            p Webhook: chat.example.org
            p Set up by an administrator for the group ops , since 12 November 2026, 19:25 UTC
            h2 Where you are signed in
            p Chrome on Android This browser
            p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
            p Firefox on Linux
            p Signed in 23 November 2026, 03:25 UTC , from 198.51.100.7
            form [method=post] [action=/as/account/sessions/bs_2/end]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] End the session of Firefox on Linux, signed in 23 November 2026, 03:25 UTC
            form [method=post] [action=/as/sign-out]
            input [type=hidden] [name=csrf] [value=c5rF-t0ken]
            button [type=submit] Sign out of this browser
            h2 Software keys
            p They decide from a terminal, for clients that allow it. A key you do not know: tell an administrator at once.
            p basil copper falcon meadow quartz timber
            p Added 17 November 2026, 10:31 UTC
            p 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I
        "#]],
    );
}
