//! Details of the type `api`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::detail("api", bytes));
