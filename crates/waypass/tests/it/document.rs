//! Documents that hold what tests measured: a run compares, and with `UPDATE_EXPECT=1` writes.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

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
