//! Parsers of single values. Each error is the end of a sentence about the key it came from.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use http::Uri;

/// A private place that links and callbacks may lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// All addresses that share the first `prefix` bits of `address`; the other bits are 0.
    Network {
        /// The first address.
        address: IpAddr,
        /// How many leading bits count.
        prefix: u8,
    },
    /// A host name in the form of [`host_key`].
    Host(String),
}

/// A host as it is compared: lower case, without port and without trailing dot.
///
/// `None` when nothing is left, or when what is left is not a host.
pub fn host_key(host: &str) -> Option<String> {
    Some(match read_host(host)? {
        Host::Name(name) => name.to_ascii_lowercase(),
        Host::V6(address) => format!("[{address}]"),
    })
}

/// Whether a `Host` header names a host, with or without a port.
pub fn is_host(host: &str) -> bool {
    read_host(host).is_some()
}

/// A host without its port.
enum Host<'t> {
    /// A name or an IPv4 address.
    Name(&'t str),
    V6(Ipv6Addr),
}

fn read_host(host: &str) -> Option<Host<'_>> {
    if let Some(v6) = host.strip_prefix('[') {
        let (address, port) = v6.split_once(']')?;
        let is_whole = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        return if is_whole { address.parse().ok().map(Host::V6) } else { None };
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    let name = name.strip_suffix('.').unwrap_or(name);
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(is_host_character);
    // RFC 1035 section 2.3.4: labels of 63, names of 253 characters in their text form.
    (is_port(port) && name.len() <= 253 && name.split('.').all(label)).then_some(Host::Name(name))
}

/// RFC 3986 section 3.2.3 allows an empty port.
fn is_port(text: &str) -> bool {
    text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The underscore is no host name character, but Docker Compose and Windows networks use it.
fn is_host_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// `250ms`, `5s`, `2m`, `1h`, `7d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    // Far beyond any sensible value, and low enough that adding it to a clock cannot overflow.
    const MAX: Duration = Duration::from_secs(3650 * 86_400);
    let (digits, unit) = split_unit(text);
    let milliseconds_per_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    match digits.parse::<u64>().ok().and_then(|count| count.checked_mul(milliseconds_per_unit)) {
        Some(ms) if milliseconds_per_unit > 0 && Duration::from_millis(ms) <= MAX => {
            Ok(Duration::from_millis(ms))
        }
        Some(_) if milliseconds_per_unit > 0 => {
            Err(format!("{text:?} is too long; the longest is \"3650d\""))
        }
        Some(_) | None => {
            Err(format!("{text:?} is not a duration; write a number and ms, s, m, h or d, such as \"5s\""))
        }
    }
}

/// `512B`, `32KiB`, `16MiB`, `1GiB`, or digits alone for bytes.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = split_unit(text);
    let shift = match unit {
        "" | "B" => Some(0),
        "KiB" => Some(10),
        "MiB" => Some(20),
        "GiB" => Some(30),
        _ => None,
    };
    let bytes = shift.and_then(|shift| digits.parse::<usize>().ok()?.checked_mul(1 << shift));
    bytes.ok_or_else(|| {
        format!("{text:?} is not a size; write a number and B, KiB, MiB or GiB, such as \"16MiB\"")
    })
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// An entry of `egress.allow`.
pub(super) fn allowed(text: &str) -> Result<Allowed, String> {
    if let Some((address, prefix)) = text.split_once('/') {
        return network(text, address, prefix);
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Allowed::Network { address, prefix: width(address) });
    }
    // "10.0.0.256" would be a valid host name, but nobody means one by it.
    let all_digits = text.chars().all(|c| c.is_ascii_digit() || c == '.');
    match host_key(text) {
        Some(host) if !all_digits && !text.contains(':') => Ok(Allowed::Host(host)),
        Some(_) | None => Err(format!(
            "{text:?} is neither a network such as \"10.0.0.0/8\", nor an IP address, nor a host name without port"
        )),
    }
}

fn network(text: &str, address: &str, prefix: &str) -> Result<Allowed, String> {
    let not_a_network =
        || format!("{text:?} is not a network; write one such as \"10.0.0.0/8\" or \"fd00::/8\"");
    let address: IpAddr = address.parse().map_err(|_| not_a_network())?;
    let prefix: u8 = prefix.parse().map_err(|_| not_a_network())?;
    if prefix > width(address) {
        return Err(format!("{text:?} has a prefix longer than {}", width(address)));
    }
    let first = first_address(address, prefix);
    if first != address {
        return Err(format!(
            "{text:?} does not begin a network; write \"{first}/{prefix}\" or \"{address}\""
        ));
    }
    Ok(Allowed::Network { address, prefix })
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    let dropped = u32::from(width(address).saturating_sub(prefix));
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(dropped).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

/// The base URL of the Cloud API, without trailing slash. The error does not quote it, because
/// what is wrong with it may be a password in it.
pub(super) fn base_url(text: &str) -> Result<String, String> {
    let uri = http_url(text)?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(
            "must not have a user name or password; the token of each number is sent instead".to_owned()
        );
    }
    if text.contains(['?', '#']) {
        return Err("must not have a query or fragment; end it after the path".to_owned());
    }
    let scheme = uri.scheme_str().unwrap_or("https");
    Ok(format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')))
}

/// A URL with scheme http or https and a host. The error does not quote it, see [`base_url`].
pub(super) fn http_url(text: &str) -> Result<Uri, String> {
    const WANTED: &str = "is not a URL such as \"https://host/path\"";
    let uri: Uri = text.parse().map_err(|_| WANTED.to_owned())?;
    let Some(authority) = uri.authority() else { return Err(WANTED.to_owned()) };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("must begin with https:// or http://".to_owned());
    }
    let address = authority.as_str().rsplit('@').next().unwrap_or_default();
    let after_host = address.rsplit(']').next().unwrap_or_default();
    if authority.port_u16().is_none() && after_host.contains(':') {
        return Err("has a port that is not a number from 0 to 65535".to_owned());
    }
    if host_key(authority.host()).is_none() {
        return Err("has a host that is not a host name or IP address".to_owned());
    }
    Ok(uri)
}

/// Text that may stand in an HTTP header: one or more visible ASCII characters.
pub(super) fn is_visible_ascii(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())
}

/// Between `min` and `max` of ASCII letters, digits, `_` and `-`.
pub(super) fn is_plain_name(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The numbers of `v26.0` or `v2.45.1`; `None` unless there are exactly `COUNT`.
pub(super) fn version<const COUNT: usize>(text: &str) -> Option<[u32; COUNT]> {
    let number = |part: &str| part.chars().all(|c| c.is_ascii_digit()).then(|| part.parse().ok())?;
    let parts: Option<Vec<u32>> = text.strip_prefix('v')?.split('.').map(number).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
