//! Links as text: what is vetted before anything is resolved.

use thiserror::Error;
use url::{Host, ParseError, Url};

/// The longest link, in bytes. RFC 9110 section 4.1 asks for 8000 at least.
pub const LONGEST: usize = 8192;

/// What is wrong with a link. Never quotes it, because it may hold a password.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadUrl {
    /// Before or after it was normalised.
    #[error("the link is longer than {LONGEST} bytes")]
    TooLong,
    /// URL parsers drop these without a word, so that others read something else than we do.
    #[error(
        "the link has a space, a line break or another control character; write it as %20 or leave it out"
    )]
    Character,
    /// Not UTF-8.
    #[error("the link is not UTF-8")]
    Encoding,
    /// Not a URL.
    #[error("the link is not a URL: {0}")]
    Url(#[from] ParseError),
    /// `file:`, `gopher:`, …
    #[error("the link does not begin with https:// or http://")]
    Scheme,
    /// A host that is neither a name nor an address.
    #[error("the link has a host that is not a host name or IP address")]
    Host,
    /// A user name or a password.
    #[error("the link has a user name or password; credentials belong to a media provider")]
    UserInfo,
    /// A path or query that cannot be put into a request.
    #[error("the link has characters that cannot be sent; write them percent-encoded")]
    Unsendable,
    /// A redirect that gives up encryption.
    #[error("the link leads from https to http")]
    Downgrade,
}

/// The one form of a link: http or https, a host in ASCII without trailing dot, every spelling of an
/// address as the address, no default port, user name, password or fragment. It is also an [`http::Uri`].
pub fn vet_url(url: &str) -> Result<Url, BadUrl> {
    check_text(url)?;
    normalise(Url::parse(url)?)
}

/// Where an answer with this `Location` (RFC 9110 section 10.2.2) leads, vetted like a link. The caller
/// counts the hops and decides who gets credentials, see [`same_origin`].
pub fn redirect(from: &Url, location: &[u8]) -> Result<Url, BadUrl> {
    let location = std::str::from_utf8(location).map_err(|_| BadUrl::Encoding)?;
    check_text(location)?;
    let to = normalise(from.join(location)?)?;
    if from.scheme() == "https" && to.scheme() != "https" { Err(BadUrl::Downgrade) } else { Ok(to) }
}

/// Whether two links share scheme, host and port (RFC 6454 section 5), so that credentials for one may be
/// sent to the other.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    let origin = |url: &Url| (url.port_or_known_default(), url.host_str().map(str::to_owned));
    a.scheme() == b.scheme() && origin(a) == origin(b)
}

/// What has to be seen before the parser drops or escapes it.
fn check_text(text: &str) -> Result<(), BadUrl> {
    if text.len() > LONGEST {
        return Err(BadUrl::TooLong);
    }
    if text.chars().any(|c| c == ' ' || c.is_control()) {
        return Err(BadUrl::Character);
    }
    Ok(())
}

fn normalise(mut url: Url) -> Result<Url, BadUrl> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadUrl::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::UserInfo);
    }
    url.set_fragment(None);
    match url.host() {
        Some(Host::Domain(name)) => {
            if let Some(name) = name.strip_suffix('.').map(str::to_owned) {
                url.set_host(Some(&name))?;
            }
        }
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => {}
        None => return Err(BadUrl::Host),
    }
    if url.domain().is_some_and(|name| !is_host_name(name)) {
        return Err(BadUrl::Host);
    }
    // Escapes take more room than what they stand for.
    if url.as_str().len() > LONGEST {
        return Err(BadUrl::TooLong);
    }
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err(BadUrl::Unsendable);
    }
    Ok(url)
}

/// RFC 1035 section 2.3.4: labels of 63, names of 253 characters in their text form. The underscore is no
/// host name character, but Docker Compose and Windows networks use it.
fn is_host_name(name: &str) -> bool {
    let is_character = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.chars().all(is_character);
    name.len() <= 253 && name.split('.').all(is_label)
}
