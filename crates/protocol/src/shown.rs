//! Hostile text made fit to be read: on pages, in terminals and in logs. What has no shape of its own,
//! moves other text, or passes for another character is written as `<U+200B>`, the way `less` does it.
//! HTML escaping is not here: the templates do that.

use std::collections::HashSet;
use std::sync::LazyLock;

/// The longest result, in characters, before the note on what was left out.
const LIMIT: usize = 256;

/// The text as a person may see it. Every `<U+` in the result is ours (one that was sent has its `<`
/// escaped), so the result says exactly what was sent. To be called once, where text meets a person.
pub fn shown(text: &str) -> String {
    render(text, LIMIT).0
}

/// All of a text that is bounded already, for whoever asked to see exactly what it is.
pub fn shown_whole(text: &str) -> String {
    render(text, usize::MAX).0
}

/// Whether [`shown`] had to escape something: worth a warning beside the text.
pub fn is_disguised(text: &str) -> bool {
    render(text, LIMIT).1
}

fn render(text: &str, limit: usize) -> (String, bool) {
    let characters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len().min(LIMIT * 2));
    let mut written = 0;
    let mut is_disguised = false;
    let mut position = 0;
    for word in characters.chunk_by(|a, b| is_of_word(*a) == is_of_word(*b)) {
        let imitates = Imitation::of(word, &characters);
        for &character in word {
            if written >= limit {
                return (cut(out, characters.len() - position), is_disguised);
            }
            if imitates.with(character) || must_escape(&characters, position, character) {
                is_disguised = true;
                let escape = format!("<U+{:04X}>", u32::from(character));
                written += escape.len();
                out.push_str(&escape);
            } else {
                written += 1;
                out.push(character);
            }
            position += 1;
        }
    }
    (out, is_disguised)
}

fn cut(out: String, left: usize) -> String {
    out + &format!("… ({left} more characters)")
}

/// What a character is by itself or beside its neighbours, whatever word it stands in.
fn must_escape(characters: &[char], position: usize, character: char) -> bool {
    let before = position.checked_sub(1).and_then(|place| characters.get(place)).copied();
    match character {
        // Padding pushes text out of sight in a terminal and vanishes on a page.
        ' ' => before.is_none_or(|c| c == ' ') || position + 1 == characters.len(),
        '<' => characters.get(position + 1..position + 3) == Some(&['U', '+']),
        _ if character.is_ascii() => character.is_ascii_control(),
        _ if is_unseen(character) => true,
        _ if is_combining(character) => {
            // Two marks on a letter are a language; more are a stain over the lines beside it.
            let piled = |back: usize| {
                position
                    .checked_sub(back)
                    .and_then(|p| characters.get(p))
                    .is_some_and(|c| is_combining(*c))
            };
            before.is_none_or(|c| !c.is_alphanumeric() && !is_combining(c)) || (piled(1) && piled(2))
        }
        _ => is_styled(character) || (script(character) == Script::Common && is_homoglyph(character)),
    }
}

/// No shape, a shape that is only room, or power over the order of other text.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || character.is_whitespace()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f
            | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0x2800 | 0x3164
            | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xffff
            | 0x1_bca0..=0x1_bca3 | 0x1_d173..=0x1_d17a | 0xe_0000..=0x10_ffff)
        || u32::from(character) & 0xfffe == 0xfffe
}

/// ASCII in costume: full-width, mathematical, letter-like, Roman numerals, circled, squared, regional.
fn is_styled(character: char) -> bool {
    matches!(u32::from(character),
        0xff01..=0xff5e | 0x1_d400..=0x1_d7ff | 0x2102..=0x2115 | 0x2119..=0x211d | 0x2124 | 0x2128..=0x2134 | 0x2139
        | 0x213c..=0x2149 | 0x2160..=0x217f | 0x2460..=0x24ff | 0x1_f100..=0x1_f1ff | 0x1_fbf0..=0x1_fbf9 | 0x2070..=0x209c)
}

fn is_combining(character: char) -> bool {
    matches!(u32::from(character), 0x300..=0x36f | 0x483..=0x489 | 0x1ab0..=0x1aff | 0x1dc0..=0x1dff | 0x20d0..=0x20ff | 0xfe20..=0xfe2f)
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || is_combining(character)
}

/// The scripts whose letters pass for ours. `Other` never does (Han, Arabic, …).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Armenian,
    Cherokee,
    Common,
    Coptic,
    Cyrillic,
    Greek,
    Latin,
    Lisu,
    Other,
}

fn script(character: char) -> Script {
    if !character.is_alphabetic() {
        return Script::Common;
    }
    match u32::from(character) {
        0x1c0..=0x1c3 => Script::Common,
        0..=0x2b8 | 0x1d00..=0x1d25 | 0x1e00..=0x1eff | 0x2c60..=0x2c7f | 0xa720..=0xa7ff | 0xab30..=0xab64 => {
            Script::Latin
        }
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f | 0x1c80..=0x1c8f | 0x2de0..=0x2dff | 0xa640..=0xa69f => Script::Cyrillic,
        0x530..=0x58f => Script::Armenian,
        0x13a0..=0x13ff | 0xab70..=0xabbf => Script::Cherokee,
        0x2c80..=0x2cff => Script::Coptic,
        0xa4d0..=0xa4ff => Script::Lisu,
        _ => Script::Other,
    }
}

/// Which letters of one word imitate others.
enum Imitation {
    None,
    /// Latin words: the few Latin letters that pass for another one.
    OddLatin,
    /// Words of several scripts that look alike: every letter outside Latin.
    Mixed,
    /// Words of one other script, made only of letters that read as ours.
    Whole,
}

impl Imitation {
    fn of(word: &[char], text: &[char]) -> Self {
        let mut has_latin = false;
        let mut foreign = Script::Common;
        for &character in word {
            match script(character) {
                Script::Latin => has_latin = true,
                Script::Common | Script::Other => {}
                found if foreign == Script::Common || foreign == found => foreign = found,
                _ => return Self::Mixed,
            }
        }
        match (has_latin, foreign) {
            (true, Script::Common) => Self::OddLatin,
            (true, _) => Self::Mixed,
            (false, Script::Common) => Self::None,
            (false, _) if is_plainly(foreign, word) => Self::None,
            // "с" or "оса" in a Russian sentence is Russian; alone, or as long as a name, it is a disguise.
            (false, _) if word.len() <= 3 && is_plainly(foreign, text) => Self::None,
            (false, _) => Self::Whole,
        }
    }

    fn with(&self, character: char) -> bool {
        match self {
            Self::None => false,
            Self::OddLatin => !character.is_ascii() && is_homoglyph(character),
            Self::Mixed => !matches!(script(character), Script::Latin | Script::Common | Script::Other),
            Self::Whole => is_homoglyph(character),
        }
    }
}

/// Whether some letter says openly which script this is.
fn is_plainly(foreign: Script, characters: &[char]) -> bool {
    characters.iter().any(|&c| script(c) == foreign && !is_homoglyph(c))
}

fn is_homoglyph(character: char) -> bool {
    static TABLE: LazyLock<HashSet<char>> = LazyLock::new(|| homoglyphs().map(|(character, _)| character).collect());
    TABLE.contains(&character)
}

fn homoglyphs() -> impl Iterator<Item = (char, &'static str)> {
    include_str!("homoglyphs.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (code_point, ascii) = line.split_once(' ')?;
            Some((char::from_u32(u32::from_str_radix(code_point, 16).ok()?)?, ascii))
        })
}

#[cfg(test)]
mod tests;
