//! Details of the type `workload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::detail("workload", bytes));
