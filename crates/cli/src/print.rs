//! Everything that reaches the terminal. What comes from a network may hold terminal commands, text
//! that runs backwards, or characters nobody sees; so a [`Printer`] takes only [`Escaped`] text.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::Value;

/// Text that can do nothing to a terminal but stand there. One line: a line break is escaped too.
pub struct Escaped(String);

impl Escaped {
    pub fn of(text: &str) -> Self {
        let mut safe = String::with_capacity(text.len());
        for character in text.chars() {
            if is_hostile(character) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            } else {
                safe.push(character);
            }
        }
        Self(safe)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn width(&self) -> usize {
        self.0.chars().count()
    }
}

/// Control characters (C0, C1, ESC), bidi marks and overrides, zero-width and other invisible ones.
fn is_hostile(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}' | '\u{ffa0}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Terminal,
    ColouredTerminal,
}

/// One stream of ours: standard output or standard error.
pub struct Printer {
    sink: Box<dyn Write + Send>,
    kind: Kind,
    live: bool,
    closed: bool,
}

impl Printer {
    pub fn new(sink: Box<dyn Write + Send>, is_terminal: bool) -> Self {
        Self {
            sink,
            kind: if is_terminal { Kind::Terminal } else { Kind::Plain },
            live: false,
            closed: false,
        }
    }

    /// Whether headings and asides may look it. Nothing is, where there is no terminal.
    pub fn coloured(mut self, colours: bool) -> Self {
        if colours && self.is_terminal() {
            self.kind = Kind::ColouredTerminal;
        }
        self
    }

    pub fn is_terminal(&self) -> bool {
        self.kind != Kind::Plain
    }

    /// Whoever read from us has gone (a closed pipe): an endless command ends then.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    pub fn line(&mut self, text: &Escaped) {
        self.end_live();
        self.write(&format!("{}\n", text.0));
    }

    /// A line in bold.
    pub fn heading(&mut self, text: &Escaped) {
        self.styled("1", text);
    }

    /// A line that can be passed over.
    pub fn aside(&mut self, text: &Escaped) {
        self.styled("2", text);
    }

    fn styled(&mut self, code: &str, text: &Escaped) {
        self.end_live();
        if self.kind == Kind::ColouredTerminal {
            self.write(&format!("\x1b[{code}m{}\x1b[0m\n", text.0));
        } else {
            self.write(&format!("{}\n", text.0));
        }
    }

    /// A question whose answer stands on the same line.
    pub fn question(&mut self, text: &Escaped) {
        self.end_live();
        self.write(&text.0);
    }

    /// A line that the next one replaces. Nothing where there is no terminal.
    pub fn live(&mut self, text: &Escaped) {
        if self.is_terminal() {
            self.live = true;
            self.write(&format!("\r\x1b[K{}", text.0));
        }
    }

    /// Removes the live line.
    pub fn end_live(&mut self) {
        if self.live {
            self.live = false;
            self.write("\r\x1b[K");
        }
    }

    /// What somebody else sent: to a program as it is, to a terminal escaped, line by line.
    pub fn document(&mut self, bytes: &[u8]) {
        self.end_live();
        if self.is_terminal() {
            for line in String::from_utf8_lossy(bytes).lines() {
                self.line(&Escaped::of(line));
            }
        } else {
            let written = self.sink.write_all(bytes).and_then(|()| self.sink.flush());
            self.closed |= written.is_err();
        }
    }

    /// One JSON value on one line. Hostile characters are written as `\u001b`: the same value to a
    /// program, harmless to a terminal.
    pub fn json(&mut self, value: &Value) {
        self.end_live();
        self.write(&format!("{}\n", json_text(value)));
    }

    /// Columns as wide as they need to be, under headings.
    pub fn table<const N: usize>(&mut self, headings: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
        let mut all = vec![headings.map(str::to_owned).to_vec()];
        all.extend(rows.into_iter().map(Vec::from));
        self.columns(&all);
    }

    /// Names and what they mean, one line each.
    pub fn fields<'a>(&mut self, fields: impl IntoIterator<Item = (&'a str, String)>) {
        let rows: Vec<_> = fields
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect();
        self.columns(&rows);
    }

    pub fn columns(&mut self, rows: &[Vec<String>]) {
        let rows: Vec<Vec<Escaped>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| Escaped::of(cell)).collect())
            .collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                rows.iter()
                    .filter_map(|row| row.get(column))
                    .map(Escaped::width)
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &rows {
            let mut text = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                // Writing to a String cannot fail.
                let _ = write!(text, "{:width$}  ", cell.0);
            }
            self.write(&format!("{}\n", text.trim_end()));
        }
    }

    /// The same, in lines short enough to be read on any terminal.
    pub fn record(&mut self, fields: &[(&str, String)]) {
        const WIDTH: usize = 80;
        let of_name = |(name, _): &(&str, String)| Escaped::of(name).width();
        let indent = fields.iter().map(of_name).max().unwrap_or(0) + 2;
        let folded = fields.iter().flat_map(|(name, text)| {
            let names = std::iter::once(*name).chain(std::iter::repeat(""));
            names.zip(fold(text, WIDTH.saturating_sub(indent)))
        });
        self.fields(folded);
    }

    fn write(&mut self, text: &str) {
        let written = self.sink.write_all(text.as_bytes()).and_then(|()| self.sink.flush());
        self.closed |= written.is_err();
    }
}

/// Breaks at spaces only: a long word stays whole and can be copied.
fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// What is not known, or not set.
pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

fn json_text(value: &Value) -> String {
    let mut safe = String::new();
    for character in value.to_string().chars() {
        if is_hostile(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// `say!(io.output, "Open {}", uri)`: one line, escaped as a whole.
macro_rules! say {
    ($printer:expr, $($text:tt)+) => {
        $printer.line(&$crate::print::Escaped::of(&format!($($text)+)))
    };
}
pub(crate) use say;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_command_a_terminal_is_shown_and_not_obeyed() {
        for (hostile, shown) in [
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\r\nb\tc\u{7f}\u{9b}1m", "a\\u{d}\\u{a}b\\u{9}c\\u{7f}\\u{9b}1m"),
            ("\u{202e}drawkcab\u{2066}", "\\u{202e}drawkcab\\u{2066}"),
            (
                "zero\u{200b}width\u{feff}\u{2060}",
                "zero\\u{200b}width\\u{feff}\\u{2060}",
            ),
            ("tag\u{e0041}\u{ad}", "tag\\u{e0041}\\u{ad}"),
            ("Grüße, 日本 \u{2588}", "Grüße, 日本 \u{2588}"),
        ] {
            assert_eq!(Escaped::of(hostile).as_str(), shown);
        }
    }

    #[test]
    fn long_lines_fold_at_spaces_and_long_words_stay_whole() {
        assert_eq!(fold("one two three", 7), ["one two", "three"]);
        assert_eq!(fold("an-unbroken-word x", 5), ["an-unbroken-word", "x"]);
        assert_eq!(fold("", 5), [""]);
    }

    #[test]
    fn json_keeps_the_value_and_loses_the_danger() {
        let value = json!({"name": "a\u{1b}\u{202e}\u{9b}\u{7f}\u{e0041}b"});
        let text = json_text(&value);
        assert!(!text.chars().any(is_hostile), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
