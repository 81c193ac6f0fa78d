//! Patterns of paths. `*` stands for one segment that is not empty (`/contacts/` is the list, and no contact), `**` at the
//! end for any that follow, or none. What a pattern covers has one spelling, so comparing patterns compares what they
//! cover.

/// Whether `wide` covers every path that `narrow` covers. A path without stars is a pattern that covers
/// itself, so this is also how a resource server asks about one request.
pub fn is_within(narrow: &str, wide: &str) -> bool {
    let narrow: Vec<_> = narrow.split('/').collect();
    let wide: Vec<_> = wide.split('/').collect();
    covers(&wide, &narrow)
}

fn covers(wide: &[&str], narrow: &[&str]) -> bool {
    match (wide, narrow) {
        (["**"], _) | ([], []) => true,
        (["*", wide @ ..], [segment, narrow @ ..]) if !["", "**"].contains(segment) => covers(wide, narrow),
        ([same, wide @ ..], [segment, narrow @ ..]) if same == segment => covers(wide, narrow),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        for (narrow, wide, expected) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/*", true),
            ("/a/*", "/a/*", true),
            ("/a/b/c", "/a/**", true),
            ("/a", "/a/**", true),
            ("/a/*/c/**", "/a/**", true),
            ("/", "/**", true),
            ("/a/b/c", "/a/*", false),
            ("/a", "/a/*", false),
            ("/a/**", "/a/*", false),
            ("/a/*", "/a/b", false),
            ("/ab", "/a/**", false),
            ("/a/", "/a", false),
            ("/a/", "/a/*", false),
            ("/", "/*", false),
            ("/a//b", "/a/*/b", false),
            ("/a/", "/a/**", true),
            ("a", "/a", false),
            ("/**", "/a/**", false),
        ] {
            assert_eq!(is_within(narrow, wide), expected, "{narrow} within {wide}");
        }
    }

    /// What a pattern covers, told in another way: by trying every path of a small world.
    fn matches(pattern: &[&str], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (Some((&"**", [])), _) | (None, None) => true,
            (Some((&star, pattern)), Some((&segment, path))) => {
                (star == segment || (star == "*" && !segment.is_empty())) && matches(pattern, path)
            }
            _ => false,
        }
    }

    /// Every path of so many segments at most, out of these.
    fn paths(segments: &[&'static str], longest: usize) -> Vec<Vec<&'static str>> {
        let mut all = vec![vec![]];
        for length in 0..longest {
            let shorter: Vec<_> = all.iter().filter(|path| path.len() == length).cloned().collect();
            let longer = shorter
                .iter()
                .flat_map(|path| segments.iter().map(|&segment| [path.clone(), vec![segment]].concat()));
            all.extend(longer);
        }
        all
    }

    #[test]
    fn one_pattern_is_within_another_exactly_where_all_its_paths_are() {
        let starred = paths(&["a", "*", ""], 3);
        let rest = |path: Vec<&'static str>| [path, vec!["**"]].concat();
        let patterns: Vec<_> = starred
            .iter()
            .cloned()
            .chain(starred.iter().cloned().map(rest))
            .collect();
        let world = paths(&["a", "b", ""], 5);
        for (narrow, wide) in patterns.iter().flat_map(|a| patterns.iter().map(move |b| (a, b))) {
            let covered = |path: &&Vec<&str>| matches(narrow, path);
            let expected = world.iter().filter(covered).all(|path| matches(wide, path));
            assert_eq!(covers(wide, narrow), expected, "{narrow:?} within {wide:?}");
        }
    }
}
