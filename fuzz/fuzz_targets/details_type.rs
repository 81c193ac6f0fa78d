//! The schema of a type, as an operator would write it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::own_type(bytes));
