//! The smaller sections: what they mean, and how they are read.

use std::net::IpAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use super::check::{Check, any_secret};
use super::pem;
use super::raw;
use super::secret::Secret;
use super::values::{self, Allowed};
use crate::http_cache::Profile;
use crate::telemetry::LogFormat;

/// The default of `limits.max_body`.
pub const MAX_BODY: usize = 1 << 20;

/// `[server]`
#[derive(Clone, Debug)]
pub struct Server {
    /// How many threads serve clients.
    pub workers: usize,
}

/// `[limits]`: how much a client may ask for at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest JSON body, in bytes.
    pub max_body: usize,
    /// The largest file that a client may upload, in bytes.
    pub max_media: usize,
    /// The largest number of header fields.
    pub max_headers: usize,
    /// The largest request head, in bytes.
    pub max_header_bytes: usize,
    /// The largest number of open client connections.
    pub max_connections: usize,
    /// The largest number of callbacks that wait for one number's client.
    pub max_callbacks: usize,
    /// How long a request head may take to arrive.
    pub header_timeout: Duration,
    /// How long a request body may take to arrive.
    pub body_timeout: Duration,
    /// How long a TLS handshake may take.
    pub tls_handshake_timeout: Duration,
}

/// `cloud.http`: which HTTP messages travel with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1: as many connections as there are calls under way.
    #[default]
    Http1,
    /// HTTP/2 where the server agrees to it in the TLS handshake, and HTTP/1.1 where not. Without TLS the server has
    /// to speak it (RFC 9113 section 3.3, prior knowledge).
    Http2,
}

/// `[cloud]`: where the Cloud API is, and how long it may take.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Scheme, host, port and path prefix, without trailing slash.
    pub base_url: String,
    /// The Graph version, such as `v26.0`.
    pub version: String,
    /// PEM file of an extra root certificate.
    pub ca_file: Option<PathBuf>,
    /// Which HTTP messages travel with.
    pub http: HttpVersion,
    /// How long the TCP connection may take.
    pub connect_timeout: Duration,
    /// How long the TLS handshake may take.
    pub tls_timeout: Duration,
    /// How long the first byte of an answer may take.
    pub first_byte_timeout: Duration,
    /// How long everything together may take.
    pub total_timeout: Duration,
    /// How long an idle connection is kept.
    pub pool_idle_timeout: Duration,
}

impl Cloud {
    /// Whether tokens leave this machine unencrypted.
    pub(super) fn sends_tokens_in_clear(&self) -> bool {
        let Some(rest) = self.base_url.strip_prefix("http://") else { return false };
        let host = rest.split('/').next().and_then(values::host_key).unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        !(host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()))
    }
}

/// `store.url`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// Everything is forgotten at exit.
    Memory,
    /// A SQLite database file.
    Sqlite(PathBuf),
}

/// `[auth]`
#[derive(Clone, Debug)]
pub struct Auth {
    /// The password of `admin`; without one it is on-prem's `secret`, to be changed at first login.
    pub admin_password: Option<Secret>,
    /// How many passwords are hashed at the same time.
    pub hash_concurrency: usize,
    /// How long a login lasts.
    pub token_lifetime: Duration,
}

/// `[egress]`
#[derive(Clone, Debug)]
pub struct Egress {
    /// Private places that may be fetched from or called back; public ones always may.
    pub allow: Vec<Allowed>,
    /// The ports at which public places may be reached; what `allow` permits may use any.
    pub ports: Vec<u16>,
    /// PEM file of an extra root certificate, for what links lead to.
    pub ca_file: Option<PathBuf>,
}

/// `[media]`
#[derive(Clone, Debug)]
pub struct Media {
    /// How fetched media are cached.
    pub cache_profile: Profile,
    /// What happens to links that no provider is responsible for.
    pub links: Links,
    /// How many links, and how many uploads, are remembered.
    pub max_entries: usize,
    /// How long the fetch of a link may take.
    pub fetch_timeout: Duration,
    /// How long a message waits for its files.
    pub wait_timeout: Duration,
    /// How long an upload to the Cloud API may take.
    pub upload_timeout: Duration,
    /// Where uploaded files are kept, and files on their way; by default beside the store.
    pub folder: Option<PathBuf>,
    /// How many bytes of uploaded files are kept.
    pub keep: usize,
    /// How long an uploaded file is kept after its last use.
    pub keep_for: Duration,
}

/// `media.links`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// Fetch, upload, send the id.
    Upload,
    /// Send the link.
    Pass,
}

/// `[shutdown]`
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long requests are still accepted after readiness is withdrawn.
    pub lame_duck: Duration,
    /// How long open requests may take after that.
    pub drain_timeout: Duration,
}

/// `[log]`
#[derive(Clone, Debug)]
pub struct Log {
    /// The least severe level that is written.
    pub level: tracing::Level,
    /// How lines look.
    pub format: LogFormat,
    /// Whether each request is logged.
    pub requests: bool,
}

const HTTP_VERSIONS: [(&str, HttpVersion); 2] = [("1.1", HttpVersion::Http1), ("2", HttpVersion::Http2)];

pub(super) fn server(raw: &raw::Server, check: &mut Check<'_>) -> Server {
    // One for each core that this process may use.
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    Server { workers: check.count("server.workers", raw.workers, cores, 1..=1024) }
}

pub(super) fn limits(raw: raw::Limits, check: &mut Check<'_>) -> Limits {
    let seconds = Duration::from_secs;
    Limits {
        max_body: check.size("limits.max_body", raw.max_body, MAX_BODY, 1024),
        max_media: check.size("limits.max_media", raw.max_media, 100 << 20, 1024),
        max_headers: check.count("limits.max_headers", raw.max_headers, 64, 1..=4096),
        // hyper cannot read a head with a buffer of less than 8 KiB.
        max_header_bytes: check.size("limits.max_header_bytes", raw.max_header_bytes, 32 << 10, 8 << 10),
        max_connections: check.count("limits.max_connections", raw.max_connections, 10_000, 1..=1_000_000),
        // As many as the on-prem client kept ("High throughput").
        max_callbacks: check.count("limits.max_callbacks", raw.max_callbacks, 100_000, 1..=10_000_000),
        header_timeout: check.timeout("limits.header_timeout", raw.header_timeout, seconds(30)),
        body_timeout: check.timeout("limits.body_timeout", raw.body_timeout, seconds(30)),
        tls_handshake_timeout: check.timeout(
            "limits.tls_handshake_timeout",
            raw.tls_handshake_timeout,
            seconds(10),
        ),
    }
}

pub(super) fn cloud(raw: raw::Cloud, check: &mut Check<'_>) -> Cloud {
    let seconds = Duration::from_secs;
    let cloud = Cloud {
        base_url: check.parsed(
            "cloud.base_url",
            raw.base_url,
            "https://graph.facebook.com".to_owned(),
            |url| values::base_url(&url),
        ),
        version: check.parsed(
            "cloud.version",
            raw.version,
            "v26.0".to_owned(),
            |text| match values::version::<2>(&text) {
                Some(_) => Ok(text),
                None => Err(format!("{text:?} is not a Graph version; write one such as \"v26.0\"")),
            },
        ),
        ca_file: check.file("cloud.ca_file", raw.ca_file, pem::roots).map(|(file, ())| file),
        http: check.word("cloud.http", raw.http, HttpVersion::Http1, &HTTP_VERSIONS),
        connect_timeout: check.timeout("cloud.connect_timeout", raw.connect_timeout, seconds(3)),
        tls_timeout: check.timeout("cloud.tls_timeout", raw.tls_timeout, seconds(5)),
        first_byte_timeout: check.timeout("cloud.first_byte_timeout", raw.first_byte_timeout, seconds(20)),
        total_timeout: check.timeout("cloud.total_timeout", raw.total_timeout, seconds(30)),
        pool_idle_timeout: check.timeout("cloud.pool_idle_timeout", raw.pool_idle_timeout, seconds(30)),
    };
    warn_of_deadlines(&cloud, check);
    cloud
}

/// Deadlines that overlap work, but not as their names say: `total_timeout` ends a call first.
fn warn_of_deadlines(cloud: &Cloud, check: &mut Check<'_>) {
    let Cloud { connect_timeout: connect, tls_timeout: tls, total_timeout: total, .. } = *cloud;
    let first_byte = cloud.first_byte_timeout;
    if first_byte > total {
        let message = format!(
            "{first_byte:?} is longer than cloud.total_timeout ({total:?}), which ends the call first"
        );
        check.report.warn("cloud.first_byte_timeout", message);
    }
    if total < connect + tls {
        let message = format!(
            "{total:?} is shorter than cloud.connect_timeout ({connect:?}) and cloud.tls_timeout ({tls:?}) together, so a slow connection leaves no time for an answer"
        );
        check.report.warn("cloud.total_timeout", message);
    }
}

pub(super) fn store(raw: raw::Store, check: &mut Check<'_>) -> Store {
    let default = Store::Sqlite(PathBuf::from("prembridge.db"));
    // The URL is not quoted: that of PostgreSQL holds a password.
    check.parsed("store.url", raw.url, default, |url| match url.split_once(':') {
        Some(("memory", "")) => Ok(Store::Memory),
        Some(("sqlite", path)) if !path.is_empty() => Ok(Store::Sqlite(PathBuf::from(path))),
        Some(("postgres" | "postgresql", _)) => {
            Err("this version knows only \"memory:\" and \"sqlite:PATH\"; PostgreSQL comes later".to_owned())
        }
        Some(_) | None => Err("is not a store; use \"memory:\" or \"sqlite:PATH\"".to_owned()),
    })
}

pub(super) fn auth(raw: raw::Auth, check: &mut Check<'_>) -> Auth {
    let week = Duration::from_secs(7 * 86_400);
    Auth {
        admin_password: check.secret("auth.admin_password", raw.admin_password, any_secret),
        hash_concurrency: check.count("auth.hash_concurrency", raw.hash_concurrency, 1, 1..=64),
        // Tokens tell their end in whole seconds.
        token_lifetime: check.parsed("auth.token_lifetime", raw.token_lifetime, week, |text| {
            match values::duration(&text)? {
                lifetime if lifetime < Duration::from_secs(1) => {
                    Err(format!("{text:?} is shorter than \"1s\""))
                }
                lifetime => Ok(lifetime),
            }
        }),
    }
}

pub(super) fn egress(raw: raw::Egress, check: &mut Check<'_>) -> Egress {
    let entries = raw.allow.unwrap_or_default().into_iter().enumerate();
    let allow = entries.filter_map(|(i, text)| {
        let path = format!("egress.allow[{i}]");
        check.parsed(&path, Some(text), None, |text| values::allowed(&text).map(Some))
    });
    let allow = allow.collect();
    let entries = raw.ports.unwrap_or_else(|| vec![80, 443, 8080, 8443]).into_iter().enumerate();
    let ports = entries.map(|(i, port)| check.port(&format!("egress.ports[{i}]"), port));
    Egress {
        allow,
        ports: ports.collect(),
        ca_file: check.file("egress.ca_file", raw.ca_file, pem::roots).map(|(file, ())| file),
    }
}

pub(super) fn media(raw: raw::Media, check: &mut Check<'_>) -> Media {
    let profiles = [("rfc", Profile::Rfc), ("documented", Profile::Documented)];
    let links = [("upload", Links::Upload), ("pass", Links::Pass)];
    Media {
        cache_profile: check.word("media.cache_profile", raw.cache_profile, Profile::Rfc, &profiles),
        links: check.word("media.links", raw.links, Links::Upload, &links),
        max_entries: check.count("media.max_entries", raw.max_entries, 100_000, 1..=10_000_000),
        fetch_timeout: check.timeout("media.fetch_timeout", raw.fetch_timeout, Duration::from_secs(60)),
        wait_timeout: check.timeout("media.wait_timeout", raw.wait_timeout, Duration::from_secs(120)),
        upload_timeout: check.timeout("media.upload_timeout", raw.upload_timeout, Duration::from_secs(120)),
        folder: check.parsed("media.folder", raw.folder, None, |text| match text.as_str() {
            "" => Err("is empty; remove it to keep files beside the store".to_owned()),
            _ => Ok(Some(PathBuf::from(text))),
        }),
        keep: check.size("media.keep", raw.keep, 10 << 30, 0),
        keep_for: check.timeout("media.keep_for", raw.keep_for, Duration::from_secs(30 * 86_400)),
    }
}

pub(super) fn shutdown(raw: raw::Shutdown, check: &mut Check<'_>) -> Shutdown {
    Shutdown {
        lame_duck: check.duration("shutdown.lame_duck", raw.lame_duck, Duration::from_secs(1)),
        drain_timeout: check.duration("shutdown.drain_timeout", raw.drain_timeout, Duration::from_secs(30)),
    }
}

pub(super) fn log(raw: raw::Log, check: &mut Check<'_>) -> Log {
    use tracing::Level;
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    Log {
        level: check.word("log.level", raw.level, Level::INFO, &levels),
        format: check.word(
            "log.format",
            raw.format,
            LogFormat::Json,
            &[("json", LogFormat::Json), ("text", LogFormat::Text)],
        ),
        requests: raw.requests.unwrap_or(true),
    }
}
