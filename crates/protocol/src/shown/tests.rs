//! Texts that lie, and texts that must not suffer for it.

use proptest::prelude::*;

use super::*;

/// Reads a result back: the proof that it says exactly what was sent.
fn read_back(shown: &str) -> String {
    let mut out = String::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once("<U+") {
        let (code_point, tail) = after.split_once('>').unwrap();
        out.push_str(before);
        out.push(char::from_u32(u32::from_str_radix(code_point, 16).unwrap()).unwrap());
        rest = tail;
    }
    out + rest
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(text), expected, "{}", text.escape_unicode());
    assert_eq!(is_disguised(text), text != expected);
}

#[test]
fn honest_text_of_any_language_stays_as_it_is() {
    for text in [
        "",
        "build-cli",
        "Ann O'Neill <ann@example.org>",
        "curl/8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0 \\ C:\\Users\\ann",
        "a < b, 5 > 3 & \"quoted\"",
        "Größe, naïve café, Işıl Yılmaz, Đặng Thị Hồng, Zażółć gęślą jaźń",
        "Сборка для отдела с кодом",
        "Ελληνικά και η γλώσσα",
        "Հայերեն",
        "日本語のビルド",
        "Java言語",
        "שלום עולם",
        "مرحبا بالعالم",
        "한국어",
        "हिन्दी",
        "e\u{301}te\u{301}",
        "ship it \u{1f680} – „jetzt“ … 20 °C, 5 µm, 3 €",
    ] {
        check(text, text);
    }
}

#[test]
fn terminal_escapes_and_control_characters_lose_their_power() {
    check("\u{1b}[2J\u{1b}]0;root\u{7}", "<U+001B>[2J<U+001B>]0;root<U+0007>");
    check("a\r\nb\tc\0", "a<U+000D><U+000A>b<U+0009>c<U+0000>");
    check("\u{9b}31m\u{85}\u{7f}", "<U+009B>31m<U+0085><U+007F>");
}

#[test]
fn nothing_reorders_the_text_beside_it() {
    for control in ('\u{202a}'..='\u{202e}')
        .chain('\u{2066}'..='\u{2069}')
        .chain(['\u{200e}', '\u{200f}', '\u{61c}'])
    {
        check(
            &format!("cli{control}gpj.exe"),
            &format!("cli<U+{:04X}>gpj.exe", u32::from(control)),
        );
    }
}

#[test]
fn what_cannot_be_seen_is_named() {
    for unseen in [
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{2060}',
        '\u{feff}',
        '\u{ad}',
        '\u{34f}',
        '\u{115f}',
        '\u{3164}',
        '\u{ffa0}',
        '\u{180e}',
        '\u{2800}',
        '\u{fe0f}',
        '\u{e0041}',
        '\u{e0100}',
        '\u{a0}',
        '\u{2003}',
        '\u{3000}',
        '\u{2028}',
        '\u{2029}',
        '\u{e000}',
        '\u{f0000}',
        '\u{fffd}',
        '\u{1fffe}',
        '\u{fdd0}',
    ] {
        check(
            &format!("ad{unseen}min"),
            &format!("ad<U+{:04X}>min", u32::from(unseen)),
        );
    }
}

#[test]
fn padding_with_spaces_is_counted_out() {
    check("a  b", "a <U+0020>b");
    check(" a ", "<U+0020>a<U+0020>");
}

#[test]
fn a_word_of_two_scripts_names_every_letter_that_is_not_latin() {
    check("p\u{430}ypal", "p<U+0430>ypal");
    check("bui\u{4cf}d-cli", "bui<U+04CF>d-cli");
    check("Micr\u{3bf}s\u{3bf}ft", "Micr<U+03BF>s<U+03BF>ft");
    check("\u{13a1}oot", "<U+13A1>oot");
    check("\u{43e}\u{3bf}", "<U+043E><U+03BF>");
}

#[test]
fn a_word_of_one_script_that_reads_as_ours_is_named_whole() {
    check(
        "\u{440}\u{430}\u{443}\u{440}\u{430}\u{4cf}",
        "<U+0440><U+0430><U+0443><U+0440><U+0430><U+04CF>",
    );
    check("\u{0441}2-\u{0441}li", "<U+0441>2-<U+0441>li");
    // A Russian word beside it is no cover for a disguise as long as a name.
    check(
        "Жук \u{430}\u{440}\u{440}\u{4cf}\u{435}",
        "Жук <U+0430><U+0440><U+0440><U+04CF><U+0435>",
    );
}

#[test]
fn letters_and_signs_in_costume_are_named() {
    check("\u{ff52}oot", "<U+FF52>oot");
    check("\u{1d42b}oot", "<U+1D42B>oot");
    check("\u{24d0}dmin", "<U+24D0>dmin");
    check("\u{2170}d", "<U+2170>d");
    check("\u{1f1e6}", "<U+1F1E6>");
    check("lo\u{261}in", "lo<U+0261>in");
    check("example.org\u{2215}device", "example.org<U+2215>device");
    check("evil\u{2024}example", "evil<U+2024>example");
    check("allow\u{1c3}", "allow<U+01C3>");
}

#[test]
fn marks_do_not_pile_up() {
    check("a\u{301}\u{302}\u{303}\u{304}", "a\u{301}\u{302}<U+0303><U+0304>");
    check("\u{301}a", "<U+0301>a");
    check("- \u{338}=", "- <U+0338>=");
}

#[test]
fn an_escape_cannot_be_forged() {
    check("p<U+0430>ypal", "p<U+003C>U+0430>ypal");
    check("<u+0430>", "<u+0430>");
    check("<U", "<U");
    check("<U+", "<U+003C>U+");
}

#[test]
fn markup_is_left_to_the_template() {
    check("<script>alert(1)</script>", "<script>alert(1)</script>");
}

#[test]
fn long_text_is_cut_and_says_how_much() {
    let text = "x".repeat(1000);
    assert_eq!(shown(&text), format!("{}… (744 more characters)", "x".repeat(256)));
    check(&"x".repeat(256), &"x".repeat(256));
    // Escapes count at their own length: a text of nothing else stays as short.
    assert!(shown(&"\u{200b}".repeat(60_000)).chars().count() < 300);
}

#[test]
fn the_table_of_homoglyphs_is_well_formed() {
    let lines = include_str!("../homoglyphs.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .count();
    let read: HashSet<char> = homoglyphs().map(|(character, _)| character).collect();
    assert_eq!(read.len(), lines, "a line is malformed or repeated");
    for (character, ascii) in homoglyphs() {
        assert!(
            !character.is_ascii() && ascii.len() == 1 && ascii.is_ascii(),
            "{character}"
        );
        assert!(script(character) != Script::Other, "{character} can never be escaped");
        assert!(
            is_disguised(&character.to_string()) || script(character) == Script::Latin,
            "{character}"
        );
        if script(character) == Script::Latin {
            assert!(is_disguised(&format!("x{character}")), "{character}");
        }
    }
}

proptest! {
    #[test]
    fn the_result_says_exactly_what_was_sent(text in "(\\PC|\\PC|[\\x00-\\x20<U+аеορ\u{200b}\u{202e}]){0,30}") {
        let result = shown(&text);
        if !result.contains("more characters") {
            prop_assert_eq!(read_back(&result), text);
        }
    }

    #[test]
    fn nothing_unseen_or_controlling_comes_out(text in any::<String>()) {
        let result = shown(&text);
        prop_assert!(result.chars().all(|c| c == ' ' || !(is_unseen(c) || is_styled(c) || c.is_control())));
        prop_assert!(!result.contains("  "));
        prop_assert!(result.chars().count() < LIMIT + 48);
    }
}
