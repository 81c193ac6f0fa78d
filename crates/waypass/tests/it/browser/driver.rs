//! A WebDriver client: as much of the W3C protocol as the tests use, the virtual authenticator of
//! WebAuthn Level 3 §11 included. Chromium and its driver end by their process ids.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::chance::within;
use crate::http::CLIENT;
use crate::server::Folder;
use crate::tools;

/// A page on a machine that runs several browsers at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Needed as root and on a closed network; the rest keeps Chromium from talking to its maker.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// What the driver says of an element whose page has made way for another: the second in the moment between the two.
const GONE: [&str; 2] = ["stale element reference", "does not belong to the document"];

pub struct Browser {
    session: String,
    authenticator: String,
    process: u64,
    _driver: Child,
    _profile: Folder,
}

impl Browser {
    /// None, and that said loudly, where Chromium is not installed.
    pub async fn start() -> Option<Self> {
        let found = tools::program(&["chromium", "chromium-browser"]).zip(tools::program(&["chromedriver"]));
        let Some((chromium, chromedriver)) = found else {
            tools::left_out(
                "Chromium (packages chromium and chromium-driver)",
                "every test in a browser",
            );
            return None;
        };
        let profile = Folder::new();
        let (driver, port) = started(&chromedriver, &profile).await;
        let root = format!("http://127.0.0.1:{port}");
        let mut flags: Vec<String> = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.join("profile").display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": flags},
            "goog:loggingPrefs": {"browser": "ALL"},
            "webauthn:virtualAuthenticators": true,
        }}});
        let answer = call("POST", &format!("{root}/session"), &capabilities).await.unwrap();
        let session = format!("{root}/session/{}", answer["sessionId"].as_str().unwrap());
        let process = answer["capabilities"]["goog:processID"].as_u64().unwrap_or_default();
        let mut browser = Self {
            session,
            authenticator: String::new(),
            process,
            _driver: driver,
            _profile: profile,
        };
        let authenticator = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true, "isUserConsenting": true,
        });
        let id = browser.post("/webauthn/authenticator", &authenticator).await;
        browser.authenticator = id.as_str().unwrap().to_owned();
        Some(browser)
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        call("POST", &format!("{}{path}", self.session), body)
            .await
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn get(&self, path: &str) -> Value {
        call("GET", &format!("{}{path}", self.session), &Value::Null)
            .await
            .unwrap()
    }

    pub async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    pub async fn url(&self) -> String {
        self.get("/url").await.as_str().unwrap().to_owned()
    }

    pub async fn back(&self) {
        self.post("/back", &json!({})).await;
    }

    pub async fn reload(&self) {
        self.post("/refresh", &json!({})).await;
    }

    /// The body of a function in the page; its result.
    pub async fn script(&self, body: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": body, "args": arguments}))
            .await
    }

    /// Waits until the element is there and usable.
    pub async fn find(&self, css: &str) -> String {
        let usable = "const e = document.querySelector(arguments[0]);
            return document.readyState === 'complete' && e && !e.disabled ? e : null;";
        let found = within(PATIENCE, async || {
            let body = json!({"script": usable, "args": [css]});
            let found = call("POST", &format!("{}/execute/sync", self.session), &body)
                .await
                .ok()?;
            Some(found.as_object()?.values().next()?.as_str()?.to_owned())
        });
        let Some(found) = found.await else {
            let (url, text) = (self.url().await, self.text().await);
            panic!("{css:?} cannot be used on {url}: {text}");
        };
        found
    }

    /// Waits for the page that has it no more: an element that both pages have does not tell them apart.
    pub async fn wait_until_gone(&self, css: &str) {
        let gone = "return document.readyState === 'complete' && !document.querySelector(arguments[0])";
        let script = json!({"script": gone, "args": [css]});
        let found = within(PATIENCE, async || {
            let gone = call("POST", &format!("{}/execute/sync", self.session), &script).await;
            gone.ok()?.as_bool()?.then_some(())
        });
        if found.await.is_none() {
            let (url, text) = (self.url().await, self.text().await);
            panic!("{css:?} still stands on {url}: {text}");
        }
    }

    pub async fn click(&self, css: &str) {
        // A page that makes way for another between the two takes the element along: it was not clicked.
        for _ in 0..3 {
            let element = self.find(css).await;
            let click = format!("{}/element/{element}/click", self.session);
            match call("POST", &click, &json!({})).await {
                Ok(_) => return,
                Err(error) if GONE.iter().any(|gone| error.contains(gone)) => {}
                Err(error) => panic!("{css:?} cannot be clicked: {error}"),
            }
        }
        panic!("{css:?} is taken away again and again");
    }

    pub async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/value"), &json!({"text": text}))
            .await;
    }

    /// What is in the clipboard.
    pub async fn paste_into(&self, css: &str) {
        let (control, null) = ("\u{E009}", "\u{E000}");
        self.type_into(css, &format!("{control}v{null}")).await;
    }

    /// Keys to whatever has the focus.
    pub async fn press(&self, keys: &str) {
        let mut actions = Vec::new();
        for key in keys.chars() {
            actions.push(json!({"type": "keyDown", "value": key.to_string()}));
            actions.push(json!({"type": "keyUp", "value": key.to_string()}));
        }
        self.post(
            "/actions",
            &json!({"actions": [{"type": "key", "id": "keys", "actions": actions}]}),
        )
        .await;
    }

    /// What stands on the page now.
    pub async fn text(&self) -> String {
        let text = self
            .script("return document.body ? document.body.innerText : ''", &[])
            .await;
        text.as_str().unwrap_or_default().to_owned()
    }

    pub async fn wait_for_text(&self, needle: &str) {
        let script = json!({"script": "return document.body.innerText", "args": []});
        let found = within(PATIENCE, async || {
            let text = call("POST", &format!("{}/execute/sync", self.session), &script).await;
            text.ok()?.as_str()?.contains(needle).then_some(())
        });
        if found.await.is_none() {
            let (url, text) = (self.url().await, self.text().await);
            panic!("{needle:?} does not stand on {url}: {text}");
        }
    }

    pub async fn size(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics).await;
    }

    pub async fn scheme(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features).await;
    }

    /// What a person would be asked for, granted.
    pub async fn permit(&self, name: &str) {
        let granted = json!({"descriptor": {"name": name}, "state": "granted"});
        self.post("/permissions", &granted).await;
    }

    /// Hands a message to the page's service worker, as the browser does that fetched it from its push service.
    pub async fn push(&self, message: &str) {
        let origin = self.script("return location.origin + '/'", &[]).await;
        self.devtools("ServiceWorker.enable", &json!({})).await;
        // The first registration of a new profile.
        let delivered = json!({"origin": origin, "registrationId": "0", "data": message});
        self.devtools("ServiceWorker.deliverPushMessage", &delivered).await;
    }

    /// The whole page as PNG, however long it is, and as wide as the window: no scroll bar is on it.
    pub async fn screenshot(&self) -> Vec<u8> {
        let size = "return { x: 0, y: 0, width: innerWidth, height: document.documentElement.scrollHeight, scale: 1 }";
        let clip = self.script(size, &[]).await;
        let shot = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let answer = self.devtools("Page.captureScreenshot", &shot).await;
        BASE64_STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
            .await
    }

    /// What the console complained about since the last look: refused scripts and styles among it.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({"type": "browser"})).await;
        let severe = entries
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["level"] == "SEVERE");
        severe
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    pub async fn passkeys(&self) -> Vec<Value> {
        let path = format!("/webauthn/authenticator/{}/credentials", self.authenticator);
        self.get(&path).await.as_array().unwrap().clone()
    }

    /// The same person at another browser.
    pub async fn take_passkeys_of(&self, other: &Self) {
        for passkey in other.passkeys().await {
            self.post(
                &format!("/webauthn/authenticator/{}/credential", self.authenticator),
                &passkey,
            )
            .await;
        }
    }

    pub async fn forget_passkeys(&self) {
        let url = format!(
            "{}/webauthn/authenticator/{}/credentials",
            self.session, self.authenticator
        );
        call("DELETE", &url, &Value::Null).await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if self.process > 1 {
            let _ = std::process::Command::new("kill")
                .arg("-KILL")
                .arg(self.process.to_string())
                .output();
        }
    }
}

/// The driver takes a free port of IPv6 and gives up where IPv4's of the same number is taken: begun anew then.
async fn started(chromedriver: &Path, profile: &Folder) -> (Child, u16) {
    for _ in 0..20 {
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            // Whatever the browser leaves there goes with the profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let told = tokio::time::timeout(PATIENCE, port(&mut driver)).await;
        match told.expect("chromedriver says no port") {
            Ok(port) => return (driver, port),
            Err(said) => assert!(said.contains("port not available"), "chromedriver ended: {said}"),
        }
    }
    panic!("chromedriver finds no port");
}

/// The port, or all it said before it ended.
async fn port(driver: &mut Child) -> Result<u16, String> {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(port) = line.split("successfully on port ").nth(1) {
            return Ok(port.trim_end_matches('.').parse().unwrap());
        }
        said += &line;
    }
    Err(said)
}

/// One WebDriver command: its value, or the driver's error.
async fn call(method: &str, url: &str, body: &Value) -> Result<Value, String> {
    let mut request = CLIENT.request(method.parse().unwrap(), url);
    if method == "POST" {
        request = request.json(body);
    }
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let is_good = answer.status() == 200;
    let value = answer.json::<Value>().await.map_err(|error| error.to_string())?["value"].clone();
    if is_good { Ok(value) } else { Err(value.to_string()) }
}
