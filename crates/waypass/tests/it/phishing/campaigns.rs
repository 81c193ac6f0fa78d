//! What was seen in the wild between 2024 and 2026, each in its own way with codes and people. The lures
//! are told in a line; what the scripts play is what reaches the server and the victim's browser.

use super::mirror::Mirror;
use super::play::Play;
use super::site::Site;
use super::victim;

/// A chat message with a code made beforehand; with the first token to something that lasts longer.
pub async fn storm_2372(play: &mut Play<'_>) {
    let Some(bait) = play.obtains().await else { return };
    play.is_typed(&bait).await;
    let Some(tokens) = play.collects(&bait).await else {
        return;
    };
    play.mints_more(&tokens).await;
    play.attacker.refreshes(&tokens).await.expect(200);
}

/// A conversation over hours: a code that ends is followed by a fresh one, until the victim is there.
pub async fn cozylarch(play: &mut Play<'_>) {
    for _ in 0..2 {
        if play.obtains().await.is_none() {
            return;
        }
    }
    let Some(bait) = play.obtains().await else { return };
    play.is_talked_through(&bait).await;
    play.collects(&bait).await;
    play.thinks_again().await;
}

/// On the telephone: “type these eight letters to connect the data loader”.
pub async fn unc6040(play: &mut Play<'_>) {
    let Some(bait) = play.obtains().await else { return };
    play.is_talked_through(&bait).await;
    play.collects(&bait).await;
    play.thinks_again().await;
}

/// The code is made when the victim clicks, and the click leads to the true page with the link's half of it.
pub async fn graphish(play: &mut Play<'_>) {
    let (site, browser) = (Site::open().await, &play.stage.person.browser);
    tokio::join!(browser.open(&site.origin), async {
        let visit = site.visit("/").await;
        visit.shows("<a href=/go>Open the repository</a>").await;
    });
    let ((), bait) = tokio::join!(browser.click("a"), async {
        let visit = site.visit("/go").await;
        let bait = play.obtains().await;
        match &bait {
            Some(bait) => visit.leads_to(bait.link()).await,
            None => visit.shows("Try again later").await,
        }
        bait
    });
    let Some(bait) = bait else { return };
    play.is_finished(&bait).await;
    play.collects(&bait).await;
}

/// The attacker's page shows the code that the visit made, and sends the victim on with it.
pub async fn academic_flare(play: &mut Play<'_>) {
    let site = Site::open().await;
    let Some(bait) = site
        .shows_code(play, |code| format!("Your one-time code: <b>{code}</b>"))
        .await
    else {
        return;
    };
    play.is_typed(&bait).await;
    play.collects(&bait).await;
}

/// A hosted page puts the code into the clipboard, and the victim pastes it into the true page.
pub async fn evil_tokens(play: &mut Play<'_>) {
    let (site, browser) = (Site::open().await, &play.stage.person.browser);
    let copying = |code: &str| {
        let copy = "code.select();document.execCommand('copy')";
        format!("<input id=code value={code}><button onclick=\"{copy}\">Copy and go on</button>")
    };
    let Some(bait) = site.shows_code(play, copying).await else {
        return;
    };
    browser.click("button").await;
    browser.open(&play.stage.world.htu("/device")).await;
    browser.paste_into("#user-code").await;
    browser.click("main form button[type=submit]").await;
    play.is_decided().await;
    play.collects(&bait).await;
}

/// The service binds everything to its own key, for which sender-constrained tokens are no hindrance, and
/// goes for a device registration within minutes.
pub async fn kali365(play: &mut Play<'_>) {
    let Some(bait) = play.obtains_with_a_key().await else {
        return;
    };
    play.is_typed(&bait).await;
    let Some(tokens) = play.collects(&bait).await else {
        return;
    };
    play.mints_more(&tokens).await;
}

/// A page in between hands everything on to the true server, to have the session that comes of it; where
/// the passkey will not sign there, the kit falls back to a code.
pub async fn tycoon(play: &mut Play<'_>) {
    let mirror = Mirror::open(play.stage.world).await;
    let browser = &play.stage.person.browser;
    browser.open(&format!("{}/sign-in", mirror.origin)).await;
    browser.click("[data-passkey=sign-in]").await;
    browser.find("#problem:not(:empty)").await;
    assert_eq!(mirror.sessions(), 0, "a passkey signed in through a page in between");
    let Some(bait) = play.obtains().await else { return };
    play.is_typed(&bait).await;
    play.collects(&bait).await;
}

/// “Paste what your program shows you”: the victim asks, approves, and sends on what comes of it. A stock
/// program where the profile lets one ask, else the victim's own `waypass`.
pub async fn uta0352(play: &mut Play<'_>) {
    let Some(own) = play.victim_asks_with_stock_program().await else {
        return own_token(play).await;
    };
    victim::type_code(&play.stage.person, play.stage.world, &own.user_code).await;
    victim::approves_own(&play.stage.person).await;
    let tokens = play.stage.world.poll(&own).await.expect(200).json();
    play.is_pasted(tokens["access_token"].as_str().unwrap()).await;
}

/// The token of the victim's own command line, sent on.
pub async fn own_token(play: &mut Play<'_>) {
    let home = play.own_machine().await;
    let asking = home.login(play.stage.world, &play.attacker.client).await;
    victim::type_code(&play.stage.person, play.stage.world, &asking.user_code).await;
    victim::approves_own(&play.stage.person).await;
    if play.profile == "privileged" {
        play.stage.with_colleague(&home).await;
    }
    let (code, printed) = asking.ends().await;
    assert_eq!(code, Some(0), "{printed}");
    let token = home.run(&["token"]).await.expect_code(0).stdout;
    play.is_pasted(token.trim()).await;
}
