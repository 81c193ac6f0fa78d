use std::fs;

use expect_test::expect;
use serde_json::{Value, json};

use super::mmdb::database;
use super::*;

/// The databases that the tests of other crates read too.
const OPERATORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/operators.mmdb");
const COUNTRIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/countries.mmdb");

fn operator(number: u32, name: &str) -> Value {
    json!({ "autonomous_system_number": number, "autonomous_system_organization": name })
}

fn country(code: &str) -> Value {
    json!({ "continent": { "code": "EU" }, "country": { "iso_code": code, "names": { "en": "Somewhere" } } })
}

fn operators() -> Vec<u8> {
    let hostile = format!("\u{1b}]0;owned\u{7}<b>\u{202e}{}", "x".repeat(500));
    database(
        "Test-ASN",
        &[
            ("192.0.2.0/24", operator(64_496, "Example Fibre")),
            ("198.51.100.0/24", operator(64_497, "Example Mobile")),
            ("203.0.113.0/24", operator(64_498, "Example Hosting")),
            ("203.0.113.128/25", operator(64_511, &hostile)),
            ("2001:db8:1::/48", operator(64_496, "Example Fibre")),
            ("2001:db8:2::/48", operator(64_497, "Example Mobile")),
            ("10.0.0.0/8", operator(64_499, "Nobody announces these")),
        ],
    )
}

fn countries() -> Vec<u8> {
    database(
        "Test-Country",
        &[
            ("192.0.2.0/24", country("DE")),
            ("198.51.100.0/24", country("DE")),
            ("203.0.113.0/24", country("FR")),
            ("203.0.113.128/25", country("<b>")),
            ("2001:db8:1::/48", country("DE")),
            ("2001:db8:2::/48", country("FR")),
        ],
    )
}

/// A file of this test, removed in the end.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let file = Self(std::env::temp_dir().join(format!("waypass-place-{}-{name}.mmdb", std::process::id())));
        file.write(bytes);
        file
    }

    /// As a download does it: beside it, then moved over it.
    fn write(&self, bytes: &[u8]) {
        let beside = self.0.with_extension("new");
        fs::write(&beside, bytes).unwrap();
        fs::rename(beside, &self.0).unwrap();
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn open(operators: &Path, countries: &Path) -> Result<Places, Problem> {
    Places::open(&Networks {
        operator_database: Some(operators.to_owned()),
        country_database: Some(countries.to_owned()),
        ..Networks::default()
    })
}

fn told(places: &Places, address: &str) -> String {
    let place = places.place(address.parse().ok());
    let operator = place.operator.map_or_else(
        || "-".to_owned(),
        |operator| format!("AS{} {}", operator.number, shown(&operator.name)),
    );
    format!(
        "{address}: {operator}, {}",
        place.country.unwrap_or_else(|| "-".to_owned())
    )
}

#[test]
fn the_committed_databases_are_what_is_written_here() {
    for (path, bytes) in [(OPERATORS, operators()), (COUNTRIES, countries())] {
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(path, &bytes).unwrap();
        }
        assert!(
            fs::read(path).unwrap() == bytes,
            "{path}: run once with UPDATE_EXPECT=1"
        );
    }
}

#[test]
fn an_address_has_an_operator_and_a_country_and_a_private_one_has_neither() {
    let places = open(Path::new(OPERATORS), Path::new(COUNTRIES)).ok().unwrap();
    let addresses = [
        "192.0.2.7",
        "::ffff:192.0.2.7",
        "198.51.100.7",
        "203.0.113.7",
        "203.0.113.200",
        "2001:db8:1::7",
        "2001:db8:2:ffff::7",
        "2001:db8:3::7",
        "233.252.0.7",
        "10.1.2.3",
        "127.0.0.1",
        "::1",
        "nowhere",
    ];
    let table: Vec<String> = addresses.map(|address| told(&places, address) + "\n").into();
    expect![[r"
        192.0.2.7: AS64496 Example Fibre, DE
        ::ffff:192.0.2.7: AS64496 Example Fibre, DE
        198.51.100.7: AS64497 Example Mobile, DE
        203.0.113.7: AS64498 Example Hosting, FR
        203.0.113.200: AS64511 <U+001B>]0;owned<U+0007><b><U+202E>xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx, -
        2001:db8:1::7: AS64496 Example Fibre, DE
        2001:db8:2:ffff::7: AS64497 Example Mobile, FR
        2001:db8:3::7: -, -
        233.252.0.7: -, -
        10.1.2.3: -, -
        127.0.0.1: -, -
        ::1: -, -
        nowhere: -, -
    "]]
    .assert_eq(&table.concat());
}

#[test]
fn without_databases_nothing_is_known_but_the_address() {
    let places = Places::open(&Networks::default()).ok().unwrap();
    places.reload();
    assert_eq!(told(&places, "192.0.2.7"), "192.0.2.7: -, -");
    assert_eq!(places.place(None), Place::default());
}

#[test]
fn a_file_that_is_no_such_database_is_a_problem_at_the_start() {
    let whole = operators();
    let mut damaged = whole.clone();
    // The first record's map becomes a pointer to nowhere.
    let records = whole.windows(16).position(|window| window == [0; 16]).unwrap() + 16;
    damaged[records] = 0x3f;
    let cases = [
        ("empty", Vec::new()),
        ("text", b"# no database\n".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("headless", whole[whole.len() / 2..].to_vec()),
        ("damaged", damaged),
        ("countries", countries()),
        ("nothing", database("Test-ASN", &[])),
    ];
    let mut table = String::new();
    for (name, bytes) in cases {
        let file = File::new(name, &bytes);
        let problem = open(&file.0, Path::new(COUNTRIES))
            .err()
            .map(|problem| problem.to_string());
        table += &format!(
            "{}\n",
            problem.unwrap_or_default().replace(file.0.to_str().unwrap(), name)
        );
    }
    let missing = open(Path::new("/nowhere/asn.mmdb"), Path::new(COUNTRIES));
    table += &missing.err().unwrap().to_string();
    expect![[r"
        network.operator_database empty: no database in MaxMind's format, or not a whole one
        network.operator_database text: no database in MaxMind's format, or not a whole one
        network.operator_database cut: no database in MaxMind's format, or not a whole one
        network.operator_database headless: no database in MaxMind's format, or not a whole one
        network.operator_database damaged: a damaged database: invalid database at offset 41713174: unexpected end of buffer
        network.operator_database countries: says nothing of the kind: is it a database of something else?
        network.operator_database nothing: says nothing of the kind: is it a database of something else?
        network.operator_database /nowhere/asn.mmdb: cannot be read: No such file or directory (os error 2)"]]
    .assert_eq(&table);
}

#[test]
fn a_changed_file_is_read_again_and_a_broken_one_leaves_the_old_in_use() {
    let file = File::new("changed", &operators());
    let places = open(&file.0, Path::new(COUNTRIES)).ok().unwrap();
    let changed = |number| database("Test-ASN", &[("192.0.2.0/24", operator(number, "Changed"))]);
    assert_eq!(told(&places, "192.0.2.7"), "192.0.2.7: AS64496 Example Fibre, DE");
    file.write(&changed(64_500));
    places.reload();
    assert_eq!(told(&places, "192.0.2.7"), "192.0.2.7: AS64500 Changed, DE");
    file.write(b"half a downlo");
    places.reload();
    fs::remove_file(&file.0).unwrap();
    places.reload();
    assert_eq!(told(&places, "192.0.2.7"), "192.0.2.7: AS64500 Changed, DE");
    file.write(&changed(64_501));
    places.reload();
    assert_eq!(told(&places, "192.0.2.7"), "192.0.2.7: AS64501 Changed, DE");
}

#[test]
fn no_damage_to_a_database_makes_a_lookup_panic() {
    let whole = operators();
    for position in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[position] ^= 0xff;
        let Ok(reader) = Reader::from_source(damaged) else {
            continue;
        };
        let _ = reader.verify();
        for address in ["192.0.2.7", "203.0.113.200", "2001:db8:1::7"] {
            let _ = reader
                .lookup(address.parse().unwrap())
                .map(|found| found.decode::<Record>());
        }
    }
}
