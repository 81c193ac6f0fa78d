//! Ten agents that ask one owner at once: one page, a limit on prompts, and each request decided for itself.

use std::time::{Duration, Instant};

use super::Stage;
use super::chat::Chat;
use super::telling::Record;
use super::terminal::{Asking, Terminal};
use crate::browser::person::Person;
use crate::chance::until;

const ASK: &str = "waypass login --details @docs/stories/asks/agent.json";
const AGENTS: usize = 10;
/// `prompts_per_hour` of docs/stories/profiles/agent.toml.
const PROMPTS: usize = 20;
/// As docs/notices.md has it: so long a channel rests after each notice.
const REST: Duration = Duration::from_secs(30);

pub async fn story(stage: &Stage<'_>) {
    let told = &stage.telling;
    let Some(alice) = told.person("alice").await else {
        return;
    };
    let admin = Terminal::new(told);
    let add = "waypass client add crew --data data --public --kind agent --profile agent \\
    --resource https://crm.example.com --details-type tool_call --details-type api";
    admin.types(add).await.expect_code(0);
    let mut agents = Vec::new();
    for number in 1..=AGENTS {
        let agent = Terminal::new(told);
        enrolls(&agent, &admin, number).await;
        agents.push(agent);
    }
    let chat = Chat::open().await;
    told.calls(&chat.url, "https://chat.example.com");
    let hook = "waypass notice webhook add https://chat.example.com/alice --approver alice --data data";
    admin.runs(hook).await.expect_code(0);
    told.prints(&format!("$ {hook}"));
    told.block("setup");

    // The inbox is open, and nobody loads it again.
    alice.browser.open(&told.world.htu("/inbox")).await;
    alice.browser.wait_for_text("This page keeps itself up to date").await;
    let began = Instant::now();
    let mut waiting = ask(&agents, true).await;
    told.block("asks");
    for asking in &waiting {
        alice.browser.wait_for_text(&asking.words).await;
    }
    assert_eq!(listed(&alice).await, AGENTS);
    told.picture(&alice, "inbox").await;

    // Each is decided for itself: the third by its words, the seventh declined.
    let (seventh, third) = (waiting.remove(6), waiting.remove(2));
    alice.opens_waiting(told.world, &third.words).await;
    alice.approve().await;
    assert_eq!(third.ends().await, Some(0));
    told.block("approved");
    alice.opens_waiting(told.world, &seventh.words).await;
    told.fresh_events().await;
    alice.decline().await;
    assert_eq!(seventh.ends().await, Some(5));
    told.block("declined");
    let declined = Record::Act("device.denied");
    told.refuses("what the owner declines", "access_denied", declined).await;
    alice.browser.open(&told.world.htu("/inbox")).await;
    alice.browser.find(".things li").await;
    assert_eq!(listed(&alice).await, AGENTS - 2);

    // As often as they like: what one owner is asked in an hour has an end.
    let more = ask(&agents, false).await;
    assert_eq!(waiting.len() + more.len() + 2, PROMPTS);
    let refused = agents[0].types(ASK).await;
    assert_ne!(refused.code, 0);
    told.block("too many");
    let said = agents[0].runs(&format!("{ASK} --json")).await;
    assert!(said.stderr.contains("\"rate_limited\""), "{}", said.stderr);
    told.fresh_events().await;
    told.refuses("the twenty-first request of an hour", "rate_limited", Record::Nothing)
        .await;
    alice.browser.open(&told.world.htu("/inbox")).await;
    alice.browser.find(".things li").await;
    assert_eq!(listed(&alice).await, PROMPTS - 2);
    no_storm(&chat, began).await;
}

/// Of twenty requests as many notices as there were rests, and one.
async fn no_storm(chat: &Chat, began: Instant) {
    let patience = Duration::from_mins(1);
    until("a notice", patience, async || chat.told().pop()).await;
    let notices = chat.told();
    let most = 1 + began.elapsed().as_secs() / REST.as_secs();
    assert!(
        notices.len() as u64 <= most,
        "{} in {:?}: {notices:#?}",
        notices.len(),
        began.elapsed()
    );
    for notice in notices {
        let waiting = notice["data"]["waiting"].as_u64().unwrap();
        assert_eq!(notice["data"]["recipient"]["name"], "alice");
        assert!((1..=PROMPTS as u64).contains(&waiting), "{notice}");
    }
}

async fn enrolls(agent: &Terminal<'_>, admin: &Terminal<'_>, number: usize) {
    let key = format!("waypass instance key --server http://localhost:8628 --client-id crew > crew-{number}.jwk");
    let add = format!(
        "waypass instance add crew --data data --owner alice --name crew-{number} --jwk-file crew-{number}.jwk --expires 1d"
    );
    let enroll = format!("waypass enroll --name crew-{number}");
    // The others are as the first.
    if number == 1 {
        agent.types(&key).await.expect_code(0);
        admin.types(&add).await.expect_code(0);
    } else {
        agent.types_unseen(&key).await.expect_code(0);
        admin.runs(&add).await.expect_code(0);
    }
    agent.runs(&enroll).await.expect_code(0);
}

/// All at once; what the first prints is told.
async fn ask<'a>(agents: &[Terminal<'a>], is_told: bool) -> Vec<Asking<'a>> {
    let mut asking = Vec::new();
    for (index, agent) in agents.iter().enumerate() {
        asking.push(if is_told && index == 0 {
            agent.asks(ASK).await
        } else {
            agent.asks_unseen(ASK).await
        });
    }
    asking
}

async fn listed(alice: &Person) -> usize {
    let count = "return document.querySelectorAll('.things li').length";
    let count = alice.browser.script(count, &[]).await;
    usize::try_from(count.as_u64().unwrap()).unwrap()
}
