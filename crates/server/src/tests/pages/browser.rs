//! A browser: it keeps its cookie, says where a post comes from, and finds the forms on a page.

use std::cell::RefCell;

use axum::body::Body;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};

use super::passkey::Passkey;
use crate::extract::session::Begun;
use crate::pages::outline::{attribute, tags, unescape};
use crate::peer::{SeenAddress, Via};
use crate::tests::world::{Answer, World};

pub struct Browser<'a> {
    pub world: &'a World,
    cookie: RefCell<Option<String>>,
    /// Of a sign-in elsewhere that is under way.
    pub journey: RefCell<Option<String>>,
    /// Of this browser's site, unless a test says otherwise.
    headers: RefCell<Vec<(&'static str, &'static str)>>,
}

impl Answer {
    pub fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.html);
        self.headers[LOCATION].to_str().unwrap()
    }

    /// The value of a hidden field.
    pub fn field(&self, name: &str) -> String {
        let input = tags(&self.html)
            .into_iter()
            .find(|tag| attribute(tag, "name") == Some(name));
        unescape(attribute(input.unwrap_or_else(|| panic!("no {name}: {}", self.html)), "value").unwrap())
    }

    /// What the passkey is asked to sign on the page that asks for a decision.
    pub fn decision_options(&self) -> Value {
        let button = tags(&self.html)
            .into_iter()
            .find(|tag| attribute(tag, "data-options").is_some());
        let options = attribute(
            button.unwrap_or_else(|| panic!("nothing to sign: {}", self.html)),
            "data-options",
        );
        serde_json::from_str(&unescape(options.unwrap())).unwrap()
    }
}

impl<'a> Browser<'a> {
    pub fn new(world: &'a World) -> Self {
        Self {
            world,
            cookie: RefCell::default(),
            journey: RefCell::default(),
            headers: RefCell::default(),
        }
    }

    /// Somebody enrolled, signed in, with the passkey.
    pub async fn enrolled(world: &'a World, name: &str) -> (Self, Passkey) {
        let browser = Self::new(world);
        let passkey = Passkey::new();
        let token = browser.link(name).await;
        let answer = browser.enroll(&token, &passkey).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.html);
        (browser, passkey)
    }

    /// The token of a new approver's link.
    pub async fn link(&self, name: &str) -> String {
        let added = self
            .world
            .administer("POST", "/local/approvers", &json!({ "name": name }))
            .await;
        added.text("enrollment_link").split_once('#').unwrap().1.to_owned()
    }

    pub async fn enroll(&self, token: &str, passkey: &Passkey) -> Answer {
        let started = self.call("/enroll/start", &json!({ "enrollment_token": token })).await;
        assert_eq!(started.status, StatusCode::OK, "{}", started.html);
        let credential = passkey.create(&started.body["options"]);
        let finish = json!({
            "ceremony": started.body["ceremony"], "enrollment_token": token, "label": "Laptop", "credential": credential,
        });
        self.call("/enroll/finish", &finish).await
    }

    pub async fn sign_in(&self, passkey: &Passkey) -> Answer {
        let started = self.call("/sign-in/start", &json!({})).await;
        let credential = passkey.get(&started.body["options"]);
        let finish = json!({ "ceremony": started.body["ceremony"], "next": "", "credential": credential });
        self.call("/sign-in/finish", &finish).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub async fn call(&self, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn csrf(&self) -> String {
        self.get("/account").await.field("csrf")
    }

    /// A form of ours, with its token.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        self.post_raw(path, &[&[("csrf", csrf.as_str())], form].concat()).await
    }

    pub async fn post_raw(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Types a code; the address of the request.
    pub async fn type_code(&self, user_code: &str) -> String {
        self.post("/device", &[("user_code", user_code)])
            .await
            .location()
            .to_owned()
    }

    /// Signs what the page at this address asks for.
    pub async fn approve(&self, page: &str, passkey: &Passkey) -> Answer {
        let shown = self.get(page).await;
        let credential = passkey.get(&shown.decision_options()).to_string();
        let mut form = vec![("credential", credential)];
        if shown.html.contains("name=\"granted\"") {
            form.push(("granted", shown.field("granted")));
        }
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = page.split_once('?').map_or(page, |(path, _)| path);
        self.post(&format!("{path}/approve"), &form).await
    }

    /// A session that began at the very moment when its approver was disabled.
    pub async fn slip_in(&self, name: &str) {
        let app = &self.world.app;
        let approver = app.store.approver_named(name).await.unwrap().unwrap();
        let address = SeenAddress {
            address: None,
            counted: [127, 0, 0, 1].into(),
            via: Via::Direct,
        };
        let begun = Begun::new(app, &approver, &HeaderMap::new(), address);
        app.store.commit(begun.batch(address).unwrap()).await.unwrap();
        let cookie = begun.cookie(app).unwrap();
        self.set_cookie(cookie.to_str().unwrap().split(';').next().map(str::to_owned));
    }

    /// From now on posts say that they come from there.
    pub fn pretend(&self, headers: &[(&'static str, &'static str)]) {
        *self.headers.borrow_mut() = headers.to_vec();
    }

    pub fn cookie(&self) -> Option<String> {
        self.cookie.borrow().clone()
    }

    pub fn set_cookie(&self, cookie: Option<String>) {
        *self.cookie.borrow_mut() = cookie;
    }

    pub async fn send(&self, mut request: Request<Body>) -> Answer {
        for cookie in self.cookie().into_iter().chain(self.journey.borrow().clone()) {
            request
                .headers_mut()
                .append(COOKIE, HeaderValue::from_str(&cookie).unwrap());
        }
        for (name, value) in self.headers.borrow().iter() {
            request
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let answer = self.world.send(request).await;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap().to_owned();
            let is_journey = pair.contains("-upstream");
            let pair = (!pair.ends_with('=')).then_some(pair);
            if is_journey {
                self.journey.replace(pair);
            } else {
                self.set_cookie(pair);
            }
        }
        answer
    }
}
