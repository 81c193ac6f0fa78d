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

/// Whether `pattern` covers a path that is below this one.
pub fn meets(pattern: &str, own: &str) -> bool {
    let pattern: Vec<_> = pattern.split('/').collect();
    let own: Vec<_> = own.split('/').collect();
    overlaps(&pattern, &own)
}

fn overlaps(pattern: &[&str], own: &[&str]) -> bool {
    match (pattern, own) {
        (["**"], _) | (_, []) | ([_, ..], [""]) => true,
        (["*", pattern @ ..], [segment, own @ ..]) if !segment.is_empty() => overlaps(pattern, own),
        ([same, pattern @ ..], [segment, own @ ..]) if same == segment => overlaps(pattern, own),
        _ => false,
    }
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

    /// Of so many segments at most before the stars at its end.
    fn patterns(longest: usize) -> Vec<Vec<&'static str>> {
        let starred = paths(&["a", "*", ""], longest);
        let rest = |path: &Vec<&'static str>| [path.clone(), vec!["**"]].concat();
        let ended: Vec<_> = starred.iter().map(rest).collect();
        [starred, ended].concat()
    }

    #[test]
    fn one_pattern_is_within_another_exactly_where_all_its_paths_are() {
        let patterns = patterns(3);
        let world = paths(&["a", "b", ""], 5);
        for (narrow, wide) in patterns.iter().flat_map(|a| patterns.iter().map(move |b| (a, b))) {
            let covered = |path: &&Vec<&str>| matches(narrow, path);
            let expected = world.iter().filter(covered).all(|path| matches(wide, path));
            assert_eq!(covers(wide, narrow), expected, "{narrow:?} within {wide:?}");
        }
    }

    #[test]
    fn a_pattern_meets_what_is_below_a_path_exactly_where_one_of_its_paths_is() {
        let written = |segments: &Vec<&str>| format!("/{}", segments.join("/"));
        let some = |longest| {
            paths(&["a", "b", ""], longest)
                .into_iter()
                .filter(|path| !path.is_empty())
        };
        let world: Vec<_> = some(5).collect();
        let patterns: Vec<_> = patterns(3).into_iter().filter(|pattern| !pattern.is_empty()).collect();
        for (own, pattern) in some(3).flat_map(|own| patterns.iter().map(move |pattern| (own.clone(), pattern))) {
            let (own, pattern_written) = (written(&own), written(pattern));
            let slashed = if own.ends_with('/') {
                own.clone()
            } else {
                format!("{own}/")
            };
            let below = |path: &String| *path == own || path.starts_with(&slashed);
            let covered = world.iter().filter(|path| matches(pattern, path));
            let expected = covered.map(written).any(|path| below(&path));
            assert_eq!(meets(&pattern_written, &own), expected, "{pattern_written} below {own}");
        }
    }
}
