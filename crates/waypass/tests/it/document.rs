//! Documents that hold what tests measured: a run compares, and with `UPDATE_EXPECT=1` writes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;

/// Tests that run beside each other write one page.
static PAGE: Mutex<()> = Mutex::new(());

/// The folder `docs`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// What stands in `docs/PAGE` between `<!-- measured: NAME -->` and `<!-- end -->`.
pub fn compare_section(page: &str, name: &str, measured: &str) {
    let _alone = PAGE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let file = folder().join(page);
    let page = std::fs::read_to_string(&file).unwrap();
    let begin = format!("<!-- measured: {name} -->\n");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("no {begin}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    let expected = format!("{before}{begin}\n{measured}\n<!-- end -->{after}");
    expect_test::expect_file![file].assert_eq(&expected);
}

/// The members that a table of `docs/PAGE` has for what is printed: what stands in backticks in its second column.
pub fn members(page: &str, printed: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join(page)).unwrap();
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| `{printed}` | ")))
        .unwrap_or_else(|| panic!("docs/{page} has no {printed}"));
    let names = row.split(" | ").next().unwrap().split('`').skip(1).step_by(2);
    names.map(str::to_owned).collect()
}

/// Those of an object.
pub fn members_of(object: &Value) -> BTreeSet<String> {
    object.as_object().unwrap().keys().cloned().collect()
}
