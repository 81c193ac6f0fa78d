//! Details of the type `ssh`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::detail("ssh", bytes));
