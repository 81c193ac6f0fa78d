//! Writes a small database in MaxMind's format (version 2.0, IPv6 tree, records of 32 bits), for tests: no
//! file of anybody else is needed, and every address in it is one for documentation.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

/// Sixteen zero bytes stand between the tree and the records.
const SEPARATOR: usize = 16;

/// Each network with what is known of it; a later one lies over an earlier one.
pub fn database(kind: &str, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut tree: Vec<[Entry; 2]> = vec![[Entry::Nothing; 2]];
    let mut records = Vec::new();
    for (network, record) in networks {
        let entry = Entry::Record(records.len());
        insert(&mut tree, network.parse().unwrap(), entry);
        records.extend(encoded(record));
    }
    let mut file = Vec::new();
    for entry in tree.iter().flatten() {
        let number = match *entry {
            Entry::Nothing => tree.len(),
            Entry::Node(index) => index,
            Entry::Record(offset) => tree.len() + SEPARATOR + offset,
        };
        file.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    file.extend([0; SEPARATOR]);
    file.extend(records);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(control(7, 9));
    let texts = [
        ("database_type", json!(kind)),
        ("description", json!({ "en": "Addresses for documentation" })),
    ];
    for (name, value) in texts.into_iter().chain([("languages", json!([]))]) {
        file.extend([encoded(&json!(name)), encoded(&value)].concat());
    }
    let numbers = [
        ("binary_format_major_version", 5, 2),
        ("binary_format_minor_version", 5, 0),
        ("build_epoch", 9, 1_800_000_000),
        ("ip_version", 5, 6),
        ("node_count", 6, tree.len() as u64),
        ("record_size", 5, 32),
    ];
    for (name, kind, number) in numbers {
        file.extend([encoded(&json!(name)), unsigned(kind, number)].concat());
    }
    file
}

#[derive(Clone, Copy)]
enum Entry {
    Nothing,
    Node(usize),
    Record(usize),
}

/// IPv4 stands at `::/96`.
fn insert(tree: &mut Vec<[Entry; 2]>, network: IpNet, entry: Entry) {
    let (bits, length) = match network.addr() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 96 + network.prefix_len()),
        IpAddr::V6(address) => (address.to_bits(), network.prefix_len()),
    };
    let mut node = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            tree[node][side] = entry;
        } else if let Entry::Node(next) = tree[node][side] {
            node = next;
        } else {
            // What lay over the whole goes on lying over both halves.
            tree.push([tree[node][side]; 2]);
            tree[node][side] = Entry::Node(tree.len() - 1);
            node = tree.len() - 1;
        }
    }
}

/// Text (2), unsigned number (6), array (11), map (7).
fn encoded(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => [control(2, text.len()), text.as_bytes().to_vec()].concat(),
        Value::Number(number) => unsigned(6, number.as_u64().unwrap()),
        Value::Array(values) => {
            let values = values.iter().flat_map(encoded).collect();
            [control(11, 0), values].concat()
        }
        Value::Object(members) => {
            let pairs = members
                .iter()
                .flat_map(|(name, value)| [encoded(&Value::String(name.clone())), encoded(value)]);
            [control(7, members.len()), pairs.flatten().collect()].concat()
        }
        other => panic!("no such type here: {other}"),
    }
}

/// 16 (5), 32 (6) or 64 bits (9), without leading zeros.
fn unsigned(kind: u8, number: u64) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|&byte| byte == 0).collect();
    [control(kind, bytes.len()), bytes].concat()
}

/// The kind in three bits, or in a byte of its own; the length in five, or in one or two more bytes.
fn control(kind: u8, length: usize) -> Vec<u8> {
    let (first, more) = match length {
        0..29 => (length, vec![]),
        29..285 => (29, vec![length - 29]),
        _ => (30, vec![(length - 285) >> 8, (length - 285) & 0xff]),
    };
    let first = u8::try_from(first).unwrap();
    let head = if kind > 7 {
        vec![first, kind - 7]
    } else {
        vec![kind << 5 | first]
    };
    let more = more.into_iter().map(|byte| u8::try_from(byte).unwrap());
    head.into_iter().chain(more).collect()
}
