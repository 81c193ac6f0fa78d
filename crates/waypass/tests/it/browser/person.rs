//! A person with a browser and a passkey, in the words of the pages.

use super::driver::Browser;
use crate::chance::unique;
use crate::world::{Started, World};

pub struct Person {
    pub name: String,
    pub browser: Browser,
}

impl Person {
    /// Somebody enrolled by a link, and signed in by it. None where there is no browser.
    pub async fn enrolled(world: &World) -> Option<Self> {
        let browser = Browser::start().await?;
        let person = Self {
            name: unique("person"),
            browser,
        };
        let link = world.enrollment_link(&person.name).await;
        person.enroll(&link).await;
        Some(person)
    }

    pub async fn enroll(&self, link: &str) {
        self.browser.open(link).await;
        self.browser.type_into("#label", "This laptop").await;
        self.browser.click("[data-passkey=enroll]").await;
        self.browser.wait_for_text(&format!("Signed in as {}", self.name)).await;
    }

    pub async fn sign_in(&self, world: &World) {
        self.browser.open(&world.htu("/sign-in")).await;
        self.browser.click("[data-passkey=sign-in]").await;
        self.browser.wait_for_text(&format!("Signed in as {}", self.name)).await;
    }

    pub async fn sign_out(&self, world: &World) {
        self.browser.open(&world.htu("/account")).await;
        self.browser.click("form[action$='/sign-out'] button").await;
        self.browser.find("[data-passkey=sign-in], a[href$='/sign-in']").await;
    }

    /// Types a code and stands before whatever comes of it.
    pub async fn type_code(&self, world: &World, code: &str) {
        self.browser.open(&world.htu("/device")).await;
        self.browser.type_into("#user-code", code).await;
        self.browser.click("main form button[type=submit]").await;
    }

    /// Opens what stands in the inbox with these words, and stands before the page that asks for a decision.
    pub async fn opens_waiting(&self, world: &World, words: &str) {
        self.browser.open(&world.htu("/inbox")).await;
        self.browser.wait_for_text(words).await;
        self.browser.click(&self.waiting_with(words).await).await;
        self.browser.find("[data-passkey=approve]").await;
    }

    /// The button of what is listed with these words.
    pub async fn waiting_with(&self, words: &str) -> String {
        let form = "const line = [...document.querySelectorAll('.things li')].find(line => line.innerText.includes(arguments[0]));
            if (!line) return document.body.innerText;
            return line.querySelector('form').getAttribute('action')";
        let action = self.browser.script(form, &[words.into()]).await;
        format!("form[action='{}'] button", action.as_str().unwrap())
    }

    /// Stands before the page that asks for a decision.
    pub async fn view(&self, world: &World, started: &Started) {
        self.type_code(world, &started.user_code).await;
        self.browser.find("[data-passkey=approve]").await;
    }

    pub async fn approve(&self) {
        self.browser.click("[data-passkey=approve]").await;
        self.browser.wait_for_text("Go back to your device").await;
    }

    pub async fn decline(&self) {
        self.browser.click("button.decline").await;
        self.browser.wait_for_text("Declined").await;
    }
}
