//! The targets of `fuzz/`, for a while and without libFuzzer: real details, changed here and there. The seed is
//! printed, so that what was found once is found again: `WAYPASS_FUZZ_SEED=SEED`, longer with
//! `WAYPASS_TESTS_LONG=1`.

#[cfg(test)]
#[path = "."]
mod fuzz {
    #[path = "../../../fuzz/src/lib.rs"]
    mod targets;

    use protocol::details::Types;
    use serde_json::Value;

    /// Pieces that a change puts in: what JSON, our types and terminals are made of.
    const PIECES: [&str; 24] = [
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "null",
        "true",
        "-1",
        "0.5",
        "1e999",
        "9007199254740993",
        "\"type\":",
        "\"argv\"",
        "\"/a/**\"",
        "\"/a/../b\"",
        "\\u0000",
        "\\ud800",
        "\\u202e",
        "\u{1b}[2J",
        "\u{2028}",
        "{member}",
        "\"x-narrower\":\"path\"",
    ];

    /// SplitMix64.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, bound: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(bound.max(1)).unwrap()).unwrap()
        }
    }

    /// One change: a byte, a piece put in, a stretch taken out or doubled.
    fn changed(mut bytes: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
        let place = chance.below(bytes.len());
        let end = (place + 1 + chance.below(12)).min(bytes.len());
        match chance.below(4) {
            0 if place < bytes.len() => bytes[place] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(bytes.splice(place..place, PIECES[chance.below(PIECES.len())].bytes())),
            2 if place < end => drop(bytes.drain(place..end)),
            _ if place < end => {
                let stretch = bytes[place..end].to_vec();
                bytes.splice(place..place, stretch);
            }
            _ => {}
        }
        bytes
    }

    fn seed() -> u64 {
        let given = std::env::var("WAYPASS_FUZZ_SEED")
            .ok()
            .and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
        println!("WAYPASS_FUZZ_SEED={seed}");
        seed
    }

    fn fuzz(start: &str, target: impl Fn(&[u8])) {
        let rounds = if std::env::var_os("WAYPASS_TESTS_LONG").is_some() {
            500_000
        } else {
            4_000
        };
        let mut chance = Chance(seed());
        for _ in 0..rounds {
            let mut bytes = start.as_bytes().to_vec();
            for _ in 0..=chance.below(6) {
                bytes = changed(bytes, &mut chance);
            }
            target(&bytes);
        }
    }

    #[test]
    fn no_bytes_break_the_details_of_any_type() {
        let metadata = Types::built_in().metadata();
        for (name, known) in metadata.as_object().unwrap() {
            let example: &Value = &known["schema"]["examples"][0];
            fuzz(&example.to_string(), |bytes| targets::detail(name, bytes));
        }
    }

    #[test]
    fn no_bytes_break_the_reading_of_an_operators_type() {
        fuzz(include_str!("../src/details/tests/deploy.json"), targets::own_type);
    }
}
