use std::fs;
use std::path::PathBuf;

use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("waypass-profiles-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn x20_x23_every_built_in_profile_loads_with_its_assessment_and_mitigations() {
    let loaded = load(None).unwrap();
    let told: Vec<String> = loaded
        .profiles
        .iter()
        .map(|profile| {
            let ids: Vec<&str> = profile.mitigations().iter().map(|held| held.id).collect();
            format!("{:12} {}", profile.name, ids.join(" "))
        })
        .collect();
    expect_test::expect![[r#"
        break-glass  X01 X02 X03 X04 X05 X06 X10 X11 X12 X13 X14 X16 X25
        open         X03 X04 X05 X06 X13 X14 X25
        privileged   X01 X02 X03 X04 X05 X06 X07 X10 X11 X12 X13 X14 X16 X25
        standard     X01 X02 X03 X04 X05 X06 X07 X10 X11 X12 X13 X14 X25
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn x31_every_built_in_profile_but_open_demands_more_than_a_click() {
    let loaded = load(None).unwrap();
    for profile in loaded.profiles.iter() {
        assert_eq!(profile.is_open(), profile.name == "open", "{}", profile.name);
        assert_eq!(
            profile.warning.is_some(),
            ["open", "break-glass"].contains(&&*profile.name)
        );
    }
}

#[test]
fn the_examples_of_the_documents_load() {
    let page = include_str!("../../../../docs/profiles.md");
    let examples: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 1);
    let mut problems = Vec::new();
    let profile = read("docs/profiles.md", examples[0], &mut problems);
    assert_eq!(problems, []);
    assert_eq!(profile.unwrap().approval.group.as_deref(), Some("shift-leads"));
}

#[test]
fn every_mistake_of_every_file_is_told_with_its_place() {
    let folder = folder("mistakes");
    fs::write(folder.join("a.toml"), "name = 7\ncolour = \"green\"").unwrap();
    fs::write(folder.join("b.toml"), "this is not TOML").unwrap();
    fs::write(folder.join("c.toml"), BUILT_IN[1]).unwrap();
    fs::write(folder.join("notes.txt"), "nobody reads this").unwrap();
    let problems = load(Some(&folder)).err().unwrap();
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let told = told.join("\n") + "\n";
    expect_test::expect![[r#"
        DIR/a.toml: name: must be a text, neither empty nor longer than 2000 bytes
        DIR/a.toml: purpose: is missing
        DIR/a.toml: assessment: is missing
        DIR/a.toml: approval: is missing
        DIR/a.toml: mitigations: is missing
        DIR/a.toml: colour: is not known here; known are approval, assessment, interval, mitigations, name, posture, purpose, warning
        DIR/b.toml: not TOML: key with no value, expected `=`
        DIR/c.toml: there is a profile named "standard" already: give this one another name
    "#]].assert_eq(&told.replace(folder.to_str().unwrap(), "DIR"));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_folder_that_cannot_be_read_is_told() {
    let problems = load(Some(Path::new("/nonexistent/profiles"))).err().unwrap();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .starts_with("/nonexistent/profiles: the folder cannot be read")
    );
}
