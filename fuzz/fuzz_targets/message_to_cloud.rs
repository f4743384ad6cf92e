//! Whatever a client may post to `/v1/messages`.
#![no_main]

#[allow(dead_code, reason = "each target uses its part")]
#[path = "../../tests/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::message(bytes);
});
