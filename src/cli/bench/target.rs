//! Where messages go.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use url::{Host, Url};

use crate::config::in_words;
use crate::net::{Stream, client_config};

/// An endpoint that speaks on-prem.
pub struct Target {
    /// The URL as it was given.
    pub url: String,
    /// What `Host` says.
    pub host: String,
    pub path: String,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// The endpoint at a base URL, looked up once; `ca_file` is a root to trust beside the public ones.
    pub fn find(text: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let url = Url::parse(text)
            .map_err(|_| format!("--url {text}: give a base URL such as http://127.0.0.1:9090"))?;
        let is_bare = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let (Some(host), Some(port), true) = (url.host(), url.port_or_known_default(), is_bare) else {
            return Err(format!("--url {text}: give a base URL such as http://127.0.0.1:9090"));
        };
        let is_tls = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(format!("--url {text}: only http and https are spoken")),
        };
        let name = match &host {
            Host::Domain(name) => (*name).to_owned(),
            Host::Ipv4(ip) => ip.to_string(),
            Host::Ipv6(ip) => ip.to_string(),
        };
        let addresses: Vec<_> = (name.as_str(), port)
            .to_socket_addrs()
            .map_err(|error| format!("--url {text}: {name} cannot be resolved: {}", in_words(&error)))?
            .collect();
        let tls = if is_tls {
            let config = client_config(ca_file).map_err(|error| format!("--ca-file: {error}"))?;
            let name = ServerName::try_from(name).map_err(|error| format!("--url {text}: {error}"))?;
            Some((TlsConnector::from(config), name))
        } else {
            None
        };
        let host = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        let path = format!("{}/v1/messages", url.path().trim_end_matches('/'));
        Ok(Self { url: text.to_owned(), host, path, addresses, tls })
    }

    /// Whether it is on this machine, at every address that its name has.
    pub fn is_here(&self) -> bool {
        !self.addresses.is_empty() && self.addresses.iter().all(|address| address.ip().is_loopback())
    }

    /// Opens a connection to the first address that takes one.
    pub async fn dial(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.addresses.as_slice()).await?;
        // A request is one write and must not wait for the acknowledgement of the last.
        stream.set_nodelay(true)?;
        Ok(Stream(match &self.tls {
            None => Either::Left(stream),
            Some((connector, name)) => {
                Either::Right(Box::new(connector.connect(name.clone(), stream).await?))
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_says_where_messages_go() {
        for (url, host, path, here) in [
            ("http://127.0.0.1:9090", "127.0.0.1:9090", "/v1/messages", true),
            ("http://[::1]:9090/", "[::1]:9090", "/v1/messages", true),
            ("https://127.0.0.9/wa/", "127.0.0.9", "/wa/v1/messages", true),
            ("http://192.0.2.1:80", "192.0.2.1", "/v1/messages", false),
            ("http://0.0.0.0:8080", "0.0.0.0:8080", "/v1/messages", false),
        ] {
            let target = Target::find(url, None).unwrap();
            assert_eq!(
                (target.host.as_str(), target.path.as_str(), target.is_here()),
                (host, path, here),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for url in [
            "",
            "127.0.0.1:9090",
            "ftp://127.0.0.1",
            "http://127.0.0.1/?a=b",
            "http://u:p@127.0.0.1/",
            "http://127.0.0.1/#a",
        ] {
            assert!(Target::find(url, None).is_err(), "{url}");
        }
        let missing = Target::find("https://127.0.0.1", Some(Path::new("/nowhere.pem")));
        assert!(missing.err().unwrap().contains("/nowhere.pem"));
    }
}
