//! Details of the type `tool_call`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::detail("tool_call", bytes));
