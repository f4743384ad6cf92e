//! Values of the command line that are refused in our own words.

use std::net::SocketAddr;

/// An error code of either side.
pub fn code(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| "give the number of a code, such as 131026 or 470".to_owned())
}

/// An address to listen on.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let example = "give an address and a port, such as 127.0.0.1:9093 or [::1]:9093";
    text.parse().map_err(|_| example.to_owned())
}

/// An HTTP status.
pub fn http_status(text: &str) -> Result<u16, String> {
    let status = text.parse().ok().filter(|status| (100..=599).contains(status));
    status.ok_or_else(|| "give an HTTP status, from 100 to 599".to_owned())
}

/// A count from `LEAST` to `MOST`.
pub fn count<const LEAST: u16, const MOST: u16>(text: &str) -> Result<u16, String> {
    let count = text.parse().ok().filter(|count| (LEAST..=MOST).contains(count));
    count.ok_or_else(|| format!("give a whole number from {LEAST} to {MOST}"))
}

/// The id of a process.
pub fn process_id(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "give the id of a process, a whole number".to_owned())
}
