//! Details of the type `command`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::detail("command", bytes));
