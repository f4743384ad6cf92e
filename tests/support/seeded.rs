//! How many cases a property test tries, and which: the same ones each time, unless somebody asks for others.
//!
//! Kept here and compiled into the library's own tests, too.

use std::env;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use proptest::test_runner::{Config, RngSeed};

/// Any will do, as long as it stays.
const USUAL: u64 = 1;
/// A number, or `random`.
const SEED: &str = "PREMBRIDGE_PROPTEST_SEED";
/// As many cases of each property, instead of its own number.
const CASES: &str = "PREMBRIDGE_PROPTEST_CASES";

/// A run of `cases` cases. It writes no file: what it finds becomes a case of its own beside the fix.
pub fn config(cases: u32) -> Config {
    static SET: LazyLock<(u64, Option<u32>)> = LazyLock::new(|| {
        let seed = match env::var(SEED).as_deref() {
            Err(_) => USUAL,
            Ok("random") => RandomState::new().hash_one(SEED),
            Ok(number) => number.parse().expect("PREMBRIDGE_PROPTEST_SEED must be a number or random"),
        };
        let number = |text: String| text.parse().expect("PREMBRIDGE_PROPTEST_CASES must be a number");
        (seed, env::var(CASES).ok().map(number))
    });
    let (seed, more) = *SET;
    // Shown with each failure, since tests show what they printed.
    println!("{SEED}={seed} repeats this run");
    let cases = more.unwrap_or(cases);
    Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() }
}
