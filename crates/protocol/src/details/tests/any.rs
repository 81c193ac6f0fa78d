//! Values that a schema takes, out of few, so that many of them compare.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::details::schema::{Form, Schema};

/// Of these a text is drawn: those that its schema takes.
const TEXTS: [&str; 27] = [
    "a",
    "b",
    "v1",
    "v2",
    "test",
    "production",
    "GET",
    "PUT",
    "/",
    "/a",
    "/a/b",
    "/a/*",
    "/*/b",
    "/a/**",
    "/**",
    "https://a.example",
    "https://b.example/c",
    "192.0.2.7",
    "2001:db8::/32",
    "0000000000000000000000000000000000000000",
    "1111111111111111111111111111111111111111",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "1111111111111111111111111111111111111111111111111111111111111111",
    "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "LANG",
    "escaped",
];

pub fn value(schema: &Schema) -> BoxedStrategy<Value> {
    let taken = |candidates: Vec<Value>| -> Vec<Value> {
        let is_taken = |value: &Value| schema.check(value, Form::Detail).is_ok();
        candidates.into_iter().filter(is_taken).collect()
    };
    let constant = schema.constant().map(|only| vec![only.clone()]);
    let texts = TEXTS.map(Value::from).to_vec();
    let mut plain = taken(
        [
            constant.unwrap_or(texts),
            (0..4).map(Value::from).collect(),
            vec![json!(true), json!(false)],
        ]
        .concat(),
    );
    // Where everything is taken, two are enough to differ.
    if plain.len() > 8 {
        plain.truncate(2);
    }
    if !plain.is_empty() {
        return select(plain).boxed();
    }
    match schema.item() {
        Some(item) => prop::collection::vec(value(item), 1..3).prop_map(Value::from).boxed(),
        None => object(schema),
    }
}

fn object(schema: &Schema) -> BoxedStrategy<Value> {
    let known = schema.members().map(|(name, is_required)| {
        let member = value(schema.member(name).unwrap());
        let is_there = if is_required {
            Just(true).boxed()
        } else {
            // Where many may be there or not, two that are there alike would be rare.
            prop::bool::weighted(0.25).boxed()
        };
        (Just(name.to_owned()), is_there, member).boxed()
    });
    let others = ["LANG", "a", "b"].into_iter().filter_map(|name| {
        let alone = |value: Value| Value::from(Map::from_iter([(name.to_owned(), value)]));
        let is_open = schema.members().next().is_none();
        let member = match schema.member(name) {
            Some(each) => value(each),
            None => select(vec![json!(1), json!("a"), json!({"b": [true, null]})]).boxed(),
        };
        let is_taken = is_open
            && TEXTS
                .iter()
                .any(|text| schema.check(&alone(json!(text)), Form::Detail).is_ok());
        is_taken.then(|| (Just(name.to_owned()), any::<bool>().boxed(), member).boxed())
    });
    let members: Vec<_> = known.chain(others).collect();
    let object = members.prop_map(|members| {
        let members = members.into_iter().filter(|(_, is_there, _)| *is_there);
        let members: Map<String, Value> = members.map(|(name, _, value)| (name, value)).collect();
        Value::from(members)
    });
    object.boxed()
}
