//! What holds for every page, and what each page says and offers, as an outline.

mod details;
mod narrowing;
mod outlines;

use std::collections::HashSet;

use askama::Template as _;

use super::outline::{attribute, tags, unescape};
use super::samples;
use super::{assets, decide::DecidePage, waiting::WaitingList};

/// Every page and variant; written with the assets to `$OUT`, where a browser can be pointed at them.
fn pages() -> Vec<(&'static str, String)> {
    let pages = samples::all();
    if let Some(out) = std::env::var_os("OUT").map(std::path::PathBuf::from) {
        std::fs::create_dir_all(out.join("as/assets")).unwrap();
        for (name, html) in &pages {
            std::fs::write(out.join("as").join(format!("{name}.html")), html).unwrap();
        }
        for name in ["style.css", "passkey.js", "countdown.js", "icon.svg"] {
            std::fs::write(out.join("as/assets").join(name), assets::find(name).unwrap().bytes).unwrap();
        }
    }
    pages
}

fn text(asset: &str) -> String {
    String::from_utf8(assets::find(asset).unwrap().bytes.to_vec()).unwrap()
}

#[test]
fn s08_no_page_carries_inline_code_or_style_or_anything_from_elsewhere() {
    for (name, html) in pages() {
        for tag in tags(&html) {
            assert!(!tag.starts_with("style"), "{name}: {tag}");
            assert!(
                !tag.starts_with("script") || attribute(tag, "src").is_some(),
                "{name}: {tag}"
            );
            for (attribute, value) in super::outline::attributes(tag) {
                assert!(!attribute.starts_with("on") && attribute != "style", "{name}: {tag}");
                if ["src", "href", "action", "data-start", "data-finish"].contains(&attribute) {
                    assert!(value.starts_with("/as/"), "{name}: {tag}");
                }
            }
        }
    }
    for script in ["passkey.js", "countdown.js"] {
        for danger in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "Function(",
            "http:",
            "https:",
            "Storage",
        ] {
            assert!(!text(script).contains(danger), "{script}: {danger}");
        }
    }
    assert!(!text("style.css").contains("url("));
}

#[test]
fn b08_every_form_is_a_post_with_the_session_s_token() {
    for (name, html) in pages() {
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            // The one that only shows: what stands in an address is no secret.
            if form.contains(" method=\"get\"") {
                assert!(name.starts_with("decide-") && !form.contains("csrf"), "{name}");
                continue;
            }
            assert!(form.contains(" method=\"post\""), "{name}");
            assert!(
                form.contains("<input type=\"hidden\" name=\"csrf\" value=\"c5rF-t0ken\">"),
                "{name}"
            );
        }
    }
}

#[test]
fn every_page_can_be_found_around_in_without_seeing_it() {
    for (name, html) in pages() {
        let tags = tags(&html);
        let count = |wanted: &str| {
            tags.iter()
                .filter(|tag| tag.split_whitespace().next() == Some(wanted))
                .count()
        };
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        for landmark in ["h1", "main", "header", "footer", "title"] {
            assert_eq!(count(landmark), 1, "{name}: {landmark}");
        }
        let ids: Vec<&str> = tags.iter().filter_map(|tag| attribute(tag, "id")).collect();
        assert_eq!(
            ids.iter().collect::<HashSet<_>>().len(),
            ids.len(),
            "{name}: an id twice"
        );
        for tag in &tags {
            for reference in ["for", "aria-describedby", "aria-labelledby"] {
                for id in attribute(tag, reference).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(&id), "{name}: {tag}");
                }
            }
            if tag.starts_with("input") && attribute(tag, "type") != Some("hidden") {
                let id = attribute(tag, "id").unwrap();
                assert!(html.contains(&format!("<label for=\"{id}\">")), "{name}: {tag}");
            }
        }
    }
}

#[test]
fn every_kind_of_page_has_a_title_of_its_own() {
    let kinds = [
        "home",
        "sign-in",
        "enroll",
        "verify",
        "decide",
        "approved",
        "declined",
        "reported",
        "known",
        "devices",
        "device",
        "device-remove",
        "account",
        "failure",
        "authorize",
    ];
    let titles: HashSet<String> = pages()
        .into_iter()
        .filter(|(name, _)| kinds.contains(name))
        .map(|(_, html)| {
            html.split("<title>")
                .nth(1)
                .unwrap()
                .split("</title>")
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(titles.len(), kinds.len(), "{titles:#?}");
}

#[test]
fn without_a_path_in_the_issuer_addresses_begin_at_the_root() {
    let frame = super::Frame {
        base: String::new(),
        ..samples::stranger()
    };
    let html = super::home::HomePage {
        frame,
        waiting: WaitingList::default(),
    }
    .render()
    .unwrap();
    assert!(
        html.contains("href=\"/device\"") && html.contains("href=\"/assets/style.css?v="),
        "{html}"
    );
    assert!(!html.contains("href=\"//"));
}

#[test]
fn every_class_has_a_rule_and_every_rule_a_class() {
    let style = text("style.css");
    let html: String = pages().into_iter().map(|(_, html)| html).collect();
    let used: HashSet<&str> = tags(&html)
        .into_iter()
        .filter_map(|tag| attribute(tag, "class"))
        .flat_map(str::split_whitespace)
        .collect();
    let unstyled = ["narrow", "given"];
    for class in &used {
        assert!(
            style.contains(&format!(".{class}")) || unstyled.contains(class),
            "no rule for .{class}"
        );
    }
    for rule in style
        .split(['.', ' ', ',', '{', ':', '\n'])
        .filter(|word| style.contains(&format!("\n.{word} {{")))
    {
        // Set by countdown.js.
        assert!(used.contains(rule) || rule == "short", "no page uses .{rule}");
    }
}

#[test]
fn d13_x14_declining_comes_first_and_enter_never_approves() {
    let html = samples::decide(&samples::view()).render().unwrap();
    let decline = html.find(">Decline</button>").unwrap();
    let approve = html.find(">Approve with passkey</button>").unwrap();
    let report = html.find(">I did not start this</button>").unwrap();
    assert!(decline < approve && approve < report);
    let submits: Vec<&str> = tags(&html)
        .into_iter()
        .filter(|tag| tag.starts_with("button type=\"submit\""))
        .collect();
    assert_eq!(submits.len(), 2, "Decline and the report: {submits:?}");
    let approval = html
        .split("id=\"approval\"")
        .nth(1)
        .unwrap()
        .split("</form>")
        .next()
        .unwrap();
    assert!(
        !approval.contains("<button") && !approval.contains("type=\"submit\""),
        "nothing on the page submits the approval"
    );
    assert_eq!(html.matches("/approve\"").count(), 1);
}

#[test]
fn x14_the_question_names_everything_that_was_asked() {
    let view = samples::view();
    let html = samples::decide(&view).render().unwrap();
    let mut expected = vec![
        "build-cli",
        "Build command line",
        "Platform team",
        "Publish release builds",
        "203.0.113.24",
        "8 hours",
        "Decline unless you started this yourself",
    ];
    expected.extend(
        view.permissions
            .iter()
            .flat_map(|permission| [permission.name.as_str(), permission.sentence.as_str()]),
    );
    expected.extend(view.consequences.iter().map(String::as_str));
    expected.extend(view.key_words.as_deref().unwrap().split(' '));
    for words in expected {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn x13_every_page_says_that_codes_are_never_sent() {
    for (name, html) in pages() {
        assert!(html.contains("It never sends you codes"), "{name}");
    }
    assert!(
        samples::verify(None, None)
            .render()
            .unwrap()
            .contains("We never send you codes.")
    );
}

#[test]
fn hostile_text_is_shown_and_does_nothing() {
    let html = samples::decide(&samples::hostile_view()).render().unwrap();
    for raw in [
        "<script>alert",
        "<img src=x",
        "onload='",
        "\u{202e}",
        "\u{1b}",
        "\u{200b}",
        "\u{440}",
    ] {
        assert!(!html.contains(raw), "{raw:?}");
    }
    for shown in [
        "stock&#60;U+202E&#62;ilc&#60;U+001B&#62;[2J",
        "(364 more characters)",
        "Some of this text holds hidden or imitated characters",
    ] {
        assert!(html.contains(shown), "{shown}");
    }
    assert!(
        !samples::decide(&samples::view())
            .render()
            .unwrap()
            .contains("imitated characters")
    );
}

#[test]
fn a_fact_stands_only_under_its_own_source_and_an_unknown_source_is_a_claim() {
    let page = |view| -> Vec<(&'static str, Vec<String>)> {
        let page: DecidePage = samples::decide(&view);
        page.facts
            .into_iter()
            .map(|group| (group.source, group.facts.into_iter().map(|fact| fact.label).collect()))
            .collect()
    };
    let labels = |labels: &[&str]| labels.iter().map(|&label| label.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        page(samples::view()),
        [
            ("proven", labels(&["Address", "Key"])),
            ("derived", labels(&["Network"])),
            ("claimed", labels(&["Program"]))
        ]
    );
    assert_eq!(
        page(samples::hostile_view()),
        [
            ("proven", vec![]),
            ("derived", vec![]),
            ("claimed", labels(&["Address", "Program"]))
        ]
    );
    assert!(
        samples::decide(&samples::hostile_view()).address.is_none(),
        "an address that is only claimed is not where it came from"
    );
}

#[test]
fn the_options_of_the_ceremony_survive_the_attribute() {
    let page = samples::decide(&samples::view());
    let html = page.render().unwrap();
    let button = tags(&html)
        .into_iter()
        .find(|tag| attribute(tag, "data-passkey") == Some("approve"))
        .unwrap();
    let options = unescape(attribute(button, "data-options").unwrap());
    assert_eq!(options, page.options);
    assert!(serde_json::from_str::<serde_json::Value>(&options).unwrap()["challenge"].is_string());
}

#[test]
fn an_hour_grant_looked_at_late_is_still_an_hour_grant() {
    let mut view = samples::view();
    for (seconds, lasts) in [
        (28_800 - 90, "8 hours"),
        (3_600 - 5, "1 hour"),
        (900, "15 minutes"),
        (40, "1 minute"),
        (-5, "no time"),
    ] {
        view.grant_expires_at = samples::NOW.millis() + seconds * 1000;
        assert_eq!(samples::decide(&view).grant_lasts, lasts);
    }
}

/// WCAG 2.2 §1.4.3 and §1.4.11, in both colour schemes.
#[test]
fn every_pair_of_colours_has_the_contrast_it_needs() {
    let style = text("style.css");
    let (light, rest) = style.split_once("@media (prefers-color-scheme: dark)").unwrap();
    let texts = [
        ("ink", "ground"),
        ("ink", "paper"),
        ("soft", "ground"),
        ("soft", "paper"),
        ("accent", "ground"),
        ("accent", "paper"),
        ("on-accent", "accent"),
        ("on-decline", "decline"),
        ("good", "good-ground"),
        ("paper", "good"),
        ("doubt", "doubt-ground"),
        ("doubt", "paper"),
        ("bad", "ground"),
        ("ink", "bad-ground"),
        ("ink", "doubt-ground"),
        ("ink", "good-ground"),
    ];
    let edges = [
        ("edge", "paper"),
        ("edge", "ground"),
        ("focus", "ground"),
        ("focus", "paper"),
        ("bad", "paper"),
    ];
    for scheme in [light, rest.split_once("\n}\n").unwrap().0] {
        for ((front, back), least) in texts
            .map(|pair| (pair, 4.5))
            .into_iter()
            .chain(edges.map(|pair| (pair, 3.0)))
        {
            let contrast = contrast(luminance(scheme, front), luminance(scheme, back));
            assert!(contrast >= least, "{front} on {back}: {contrast:.2}");
        }
    }
}

fn contrast(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(scheme: &str, name: &str) -> f64 {
    let value = scheme.split(&format!("--{name}: #")).nth(1).unwrap().get(..6).unwrap();
    let channel = |at: usize| {
        let part = f64::from(u8::from_str_radix(value.get(at..at + 2).unwrap(), 16).unwrap()) / 255.0;
        if part <= 0.040_45 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}
