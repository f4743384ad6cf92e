//! Whatever headers a provider may send: an answer, what answers its revalidation, and a redirect,
//! as lines with an empty line between them.
#![no_main]

#[path = "../../tests/freshness/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::answers(bytes);
});
