//! How often and when people are asked, and what they are taught: X11, X37, X13.

use http::StatusCode;

use super::{HOME, LINUX, profile, told, under};

#[test]
fn x11_a_prompt_too_many_within_the_hour_is_refused_and_the_requester_learns_nothing() {
    let limits = profile("\"same_address\"", "X11 = { prompts_per_hour = 2 }");
    under("prompts", &limits, "", async |world, alice| {
        let home = world.at(HOME, LINUX);
        let (first, second, third) = (home.ask().await, home.ask().await, home.ask().await);
        assert_eq!(home.view(&first, alice).await.status, StatusCode::OK);
        assert_eq!(home.view(&second, alice).await.status, StatusCode::OK);
        // A reload is no prompt.
        assert_eq!(home.view(&first, alice).await.status, StatusCode::OK);
        for _ in 0..12 {
            let refused = home.view(&third, alice).await;
            assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
            assert!(
                refused.text("error_description").contains("asked too often"),
                "{}",
                refused.body
            );
        }
        let reason = told(world, "device.refused", &["reason", "error.code"]).await;
        assert_eq!(reason, "reason: \"too_many_prompts\"\nerror.code: \"rate_limited\"\n");
        assert_eq!(
            world.poll(&third.text("device_code")).await.error(),
            "authorization_pending"
        );
        let bob = world.approver("bob").await;
        assert_eq!(home.view(&third, &bob).await.status, StatusCode::OK);
        world.advance(3600);
        let later = home.ask().await;
        assert_eq!(home.view(&later, alice).await.status, StatusCode::OK);
    });
}

#[test]
fn x37_nobody_is_asked_in_quiet_hours() {
    // The tests' clock begins at 08:00 UTC.
    let quiet = "X11 = { quiet_hours = { from = \"07:00\", to = \"09:00\", offset = \"+00:00\" } }";
    under(
        "quiet",
        &profile("\"same_address\"", quiet),
        "",
        async |world, alice| {
            let home = world.at(HOME, LINUX);
            let asked = home.ask().await;
            let refused = home.view(&asked, alice).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
            assert!(
                refused.text("error_description").contains("quiet hours"),
                "{}",
                refused.body
            );
            assert_eq!(
                told(world, "device.refused", &["reason"]).await,
                "reason: \"quiet_hours\"\n"
            );
            assert_eq!(
                world.poll(&asked.text("device_code")).await.error(),
                "authorization_pending"
            );
            world.advance(3600);
            assert_eq!(home.view(&home.ask().await, alice).await.status, StatusCode::OK);
        },
    );
}

#[test]
fn x13_the_page_carries_the_profiles_own_words() {
    use crate::tests::pages::browser::Browser;

    let words = "Only <you> start this. Nobody calls you about it.";
    let education = format!("X13 = \"{words}\"");
    under(
        "education",
        &profile("\"same_address\"", &education),
        "",
        async |world, alice| {
            let home = world.at(HOME, LINUX);
            let view = home.view(&home.ask().await, alice).await.body;
            assert_eq!(view["education"], words);
            let (browser, _) = Browser::enrolled(world, "carol").await;
            let asked = world.ask("cli").await;
            let page = browser.type_code(&asked.text("user_code")).await;
            let shown = browser.get(&page).await;
            assert!(shown.html.contains("Only &#60;you&#62; start this."), "{}", shown.html);
        },
    );
}
