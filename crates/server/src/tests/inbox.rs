//! An inbox lists what one person can look at, of every asker: whoever asks often keeps nobody else's requests out of it.

use http::StatusCode;
use serde_json::{Value, json};

use super::backchannel::{self, approve_first, asked};
use super::pages::browser::Browser;
use super::world::{Key, World, with_profiles};

struct Listed {
    ids: Vec<String>,
    more: u64,
}

async fn listed(world: &World, approver: &Key) -> Listed {
    let answer = world.call("/approver/waiting", &json!({}), approver).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let requests = answer.body["requests"].as_array().unwrap().iter();
    let id = |request: &Value| request["request_id"].as_str().unwrap().to_owned();
    Listed {
        ids: requests.map(id).collect(),
        more: answer.body["more"].as_u64().unwrap(),
    }
}

/// From as many networks as it takes: of each only so many wait at once.
async fn ask_often(world: &World, key: &Key, times: u8) {
    let form = [("client_id", "cli"), ("scope", "read")];
    for number in 0..times {
        let from = [203, 0, 113, number / 50];
        let answer = world.post_from(from, "/backchannel_authentication", &form, key).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        world.advance(1);
    }
}

/// Which instances asked what is listed, in this order, and of which each is the how manieth of its own.
async fn named(world: &World, listed: &Listed, keys: &[&Key]) -> Vec<(usize, usize)> {
    let mut own = Vec::new();
    for key in keys {
        let instance = world.instance_of(key).await["instance_id"].as_str().unwrap().to_owned();
        let open = world
            .app
            .store
            .open_requests_of_instance(&instance, world.app.now())
            .await;
        let mut ids: Vec<_> = open.unwrap().into_iter().map(|request| request.content.id).collect();
        ids.sort();
        own.push(ids);
    }
    let place = |id: &String| {
        let place = |ids: &Vec<String>| ids.iter().position(|own| own == id);
        let mut found = own
            .iter()
            .enumerate()
            .filter_map(|(whose, ids)| Some((whose, place(ids)?)));
        found.next().unwrap()
    };
    listed.ids.iter().map(place).collect()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a test reads best with its closure written in place"
)]
fn with_instances(number: usize, test: impl AsyncFn(&World, &Key, Vec<&Key>)) {
    with_profiles(&[backchannel::ON_CALL], async |world| {
        world.client("cli", json!({ "profile": "on-call" })).await;
        let alice = world.approver("alice").await;
        let mut keys = Vec::new();
        for _ in 0..number {
            keys.push(world.enrolled("cli", "alice").await);
        }
        test(world, &alice, keys.iter().collect()).await;
    });
}

/// More of one than are read at once, and then one of another.
#[test]
fn of_one_instance_five_are_listed_the_oldest_and_what_another_asks_is_among_them() {
    with_instances(2, async |world, alice, keys| {
        ask_often(world, keys[0], 110).await;
        asked(world, keys[1], &[]).await;
        let found = listed(world, alice).await;
        let expected = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 0)];
        assert_eq!(named(world, &found, &keys).await, expected);
        assert_eq!(found.more, 94, "a hundred of an inbox are looked at");
        // What is decided makes room.
        approve_first(world, alice).await;
        let next = listed(world, alice).await;
        assert_eq!((next.ids.len(), next.more), (6, 94));
        assert_eq!(next.ids[..4], found.ids[1..5]);
    });
}

#[test]
fn of_many_instances_each_has_its_oldest_listed_before_another_has_its_second() {
    with_instances(9, async |world, alice, keys| {
        for key in &keys[..8] {
            ask_often(world, key, 5).await;
        }
        asked(world, keys[8], &[]).await;
        let found = listed(world, alice).await;
        let mut expected: Vec<_> = (0..8).flat_map(|whose| [(whose, 0), (whose, 1)]).collect();
        expected.extend([(0, 2), (1, 2), (2, 2), (8, 0)]);
        expected.sort_unstable();
        assert_eq!(named(world, &found, &keys).await, expected);
        assert_eq!(found.more, 21);
    });
}

#[test]
fn a_page_says_how_many_more_wait_and_is_another_when_they_are() {
    with_instances(1, async |world, _, keys| {
        let (browser, _) = Browser::enrolled(world, "erin").await;
        let key = world.enrolled("cli", "erin").await;
        let said = async || browser.get("/inbox").await.html;
        let version = |html: &str| {
            let version = html.split("data-version=\"").nth(1).unwrap();
            version.split('"').next().unwrap().to_owned()
        };
        ask_often(world, &key, 5).await;
        let five = said().await;
        assert!(
            five.contains("data-count=\"5\"") && !five.contains(" more wait"),
            "{five}"
        );
        asked(world, &key, &[]).await;
        let six = said().await;
        assert!(
            six.contains("data-count=\"6\"") && six.contains("1 more waits."),
            "{six}"
        );
        assert_ne!(version(&five), version(&six));
        ask_often(world, keys[0], 1).await;
        assert_eq!(version(&said().await), version(&six), "what others are asked is theirs");
        asked(world, &key, &[]).await;
        for page in ["/inbox", "/", "/account"] {
            let html = browser.get(page).await.html;
            assert!(html.contains("2 more wait."), "{page}: {html}");
        }
    });
}
