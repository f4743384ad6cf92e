//! Whatever a client may name as a link, and whatever its host may answer as `Location`, on a second line.
#![no_main]

#[allow(dead_code, reason = "each target uses its part")]
#[path = "../../tests/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::link(bytes);
});
