//! Whatever may come from a client, or from where Graph should be: what the codec accepts, hyper reads in the same way.
#![no_main]

#[path = "../../tests/http1/oracle.rs"]
mod oracle;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    oracle::request(bytes);
    oracle::response(bytes);
});
