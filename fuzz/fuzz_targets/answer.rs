//! Whatever bytes may come from where Graph should be, in whatever pieces.
#![no_main]

#[path = "../../tests/pool/splits.rs"]
mod splits;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    splits::answer(bytes);
});
