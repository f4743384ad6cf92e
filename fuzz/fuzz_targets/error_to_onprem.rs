//! Whatever Graph, or something between it and us, may answer. The first byte chooses the status.
#![no_main]

#[allow(dead_code, reason = "each target uses its part")]
#[path = "../../tests/invariants.rs"]
mod invariants;

/// `{` is 429: the golden bodies, which begin with it, serve as seeds as they are.
const STATUSES: [u16; 8] = [400, 401, 403, 429, 404, 500, 502, 503];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let status = bytes.first().map_or(500, |byte| STATUSES[usize::from(*byte) % STATUSES.len()]);
    invariants::error(status, bytes);
    if let Some((_, rest)) = bytes.split_first() {
        invariants::error(status, rest);
    }
});
