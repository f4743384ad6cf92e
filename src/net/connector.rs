//! The connector of the client pools.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use tower_service::Service;

use super::egress::Guard;
use super::error::ConnectError;
use super::stream::Stream;

/// How long each step of opening a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Name resolution, and then each address.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
}

/// Opens plain and TLS connections.
#[derive(Clone)]
pub struct Connector {
    tls: TlsConnector,
    deadlines: Deadlines,
    guard: Option<Arc<Guard>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("deadlines", &self.deadlines).finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector that trusts what `tls` trusts, for URLs of the operator.
    pub fn new(tls: Arc<rustls::ClientConfig>, deadlines: Deadlines) -> Self {
        Self { tls: TlsConnector::from(tls), deadlines, guard: None }
    }

    /// A connector for URLs of clients: dials only what `guard` lets through.
    pub fn guarded(tls: Arc<rustls::ClientConfig>, deadlines: Deadlines, guard: Arc<Guard>) -> Self {
        Self { guard: Some(guard), ..Self::new(tls, deadlines) }
    }

    /// Opens a connection to where `uri` leads.
    pub async fn open(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let (Some(host), Some(is_tls)) = (uri.host(), is_tls(uri)) else {
            return Err(ConnectError::Url(uri.clone()));
        };
        // A literal IPv6 address stands in brackets in a URL and without them everywhere else.
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let tcp = self.dial(host, port, is_tls).await?;
        if !is_tls {
            return Ok(Stream(Either::Left(tcp)));
        }
        let tls_error = |source| ConnectError::Tls { host: host.to_owned(), source };
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| tls_error(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
        let stream = within(self.deadlines.tls, self.tls.connect(name, tcp)).await.map_err(tls_error)?;
        Ok(Stream(Either::Right(Box::new(stream))))
    }

    /// Tries each address of `host` in the resolver's order.
    async fn dial(&self, host: &str, port: u16, is_tls: bool) -> Result<TcpStream, ConnectError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.addresses(host, port, is_tls).await? {
            match within(self.deadlines.connect, TcpStream::connect(address)).await {
                Ok(stream) => {
                    // Small requests must not wait for an earlier one's acknowledgement.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(ConnectError::Connect { host: host.to_owned(), source: last })
    }

    /// The addresses to dial: looked up once, and with a guard those that it judged.
    async fn addresses(&self, host: &str, port: u16, is_tls: bool) -> Result<Vec<SocketAddr>, ConnectError> {
        let unresolved = |source| ConnectError::Resolve { host: host.to_owned(), source };
        let limit = self.deadlines.connect;
        match &self.guard {
            None => Ok(within(limit, lookup_host((host, port))).await.map_err(unresolved)?.collect()),
            Some(guard) => timeout(limit, guard.addresses(host, port, is_tls))
                .await
                .unwrap_or_else(|_| Err(unresolved(too_late(limit)))),
        }
    }
}

fn is_tls(uri: &Uri) -> Option<bool> {
    match uri.scheme_str() {
        Some("https") => Some(true),
        Some("http") => Some(false),
        _ => None,
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(too_late(limit)))
}

fn too_late(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}"))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Stream>, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.open(&uri).await.map(TokioIo::new) })
    }
}
