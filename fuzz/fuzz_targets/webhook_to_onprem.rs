//! Whatever may be posted to the webhook, if it were signed.
#![no_main]

#[allow(dead_code, reason = "each target uses its part")]
#[path = "../../tests/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    invariants::webhook(bytes);
});
