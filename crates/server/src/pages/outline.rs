//! Reading our own pages in tests: tags, attributes, and an outline of texts and controls.

/// What an outline gives a line of its own.
const TOLD: [&str; 11] = [
    "h1", "h2", "h3", "p", "li", "dt", "label", "summary", "form", "input", "button",
];
/// What a control is and does.
const SAID: [&str; 9] = [
    "type",
    "method",
    "action",
    "name",
    "value",
    "href",
    "disabled",
    "data-passkey",
    "data-start",
];

/// The inside of every opening tag.
pub fn tags(html: &str) -> Vec<&str> {
    html.split('<')
        .skip(1)
        .filter_map(|piece| piece.split_once('>'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.starts_with(['/', '!']))
        .collect()
}

/// Name and value of each attribute; our templates always quote values with `"`.
pub fn attributes(tag: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = tag.split_once(' ').map_or("", |(_, rest)| rest);
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => ("", after),
        };
        found.push((name, value));
        rest = after.trim_start();
    }
    found
}

pub fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    attributes(tag)
        .into_iter()
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

pub fn unescape(text: &str) -> String {
    text.replace("&#34;", "\"")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
}

/// What a person is told in the main part and what each control does, in order, one a line. Blind to style.
pub fn outline(html: &str) -> String {
    let main = html.split("<main>").nth(1).unwrap().split("</main>").next().unwrap();
    let mut lines: Vec<String> = Vec::new();
    for piece in main.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let name = tag.split_whitespace().next().unwrap_or_default();
        if TOLD.contains(&name) {
            lines.push(name.to_owned());
        }
        if let (true, Some(line)) = (TOLD.contains(&name) || name == "a", lines.last_mut()) {
            for (name, value) in attributes(tag).into_iter().filter(|(name, _)| SAID.contains(name)) {
                line.extend([" [", name, if value.is_empty() { "" } else { "=" }, value, "]"]);
            }
        }
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let (false, Some(line)) = (text.is_empty(), lines.last_mut()) {
            line.extend([" ", &unescape(&text)]);
        }
    }
    lines.retain(|line| line.contains(' '));
    lines.join("\n") + "\n"
}
