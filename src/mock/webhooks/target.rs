//! The connections to the endpoint that is subscribed.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// What is read of an answer; nobody has to say more than a challenge.
const LONGEST_ANSWER: usize = 64 << 10;
/// By this name access logs know Graph.
const USER_AGENT: &str = "facebookexternalua";

/// An endpoint's pool of connections, which are kept alive.
#[derive(Debug)]
pub(super) struct Target {
    client: Client<Connector, Full<Bytes>>,
}

/// What an endpoint said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The body; none when it was too long or broke off.
    pub(super) body: Option<Bytes>,
}

impl Target {
    /// Trusts the public roots and those in this PEM.
    pub(super) fn new(extra_roots: Option<&str>) -> Result<Self, String> {
        let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        if let Some(pem) = extra_roots {
            let more = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
            let more = more.map_err(|error| format!("the further roots: {error}"))?;
            if more.is_empty() {
                return Err("the further roots hold no certificate".to_owned());
            }
            for certificate in more {
                roots.add(certificate).map_err(|error| format!("the further roots: {error}"))?;
            }
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(Connector(TlsConnector::from(Arc::new(config))));
        Ok(Self { client })
    }

    /// Posts a body with its signature.
    pub(super) async fn post(&self, url: &str, signature: &str, body: Bytes) -> Result<Answer, String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-hub-signature-256", signature);
        self.call(request, body).await
    }

    /// Asks for what is there.
    pub(super) async fn get(&self, url: &str) -> Result<Answer, String> {
        self.call(Request::builder().method(Method::GET).uri(url), Bytes::new()).await
    }

    async fn call(&self, request: http::request::Builder, body: Bytes) -> Result<Answer, String> {
        let request = request
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::ACCEPT, "*/*")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| reasons(&error))?;
        let status = answer.status().as_u16();
        // A body that is read to its end leaves the connection for the next post.
        let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
        Ok(Answer { status, body: body.ok().map(http_body_util::Collected::to_bytes) })
    }
}

/// An error with all that caused it.
fn reasons(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Opens plain and TLS connections.
#[derive(Clone)]
struct Connector(TlsConnector);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

async fn open(tls: TlsConnector, uri: Uri) -> io::Result<TokioIo<Stream>> {
    let wrong = |what: &'static str| io::Error::new(io::ErrorKind::InvalidInput, what);
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return Err(wrong("neither http nor https")),
    };
    let host = uri.host().ok_or_else(|| wrong("no host"))?;
    // A literal IPv6 address stands in brackets in a URL and without them everywhere else.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tcp = TcpStream::connect((host, port)).await?;
    // Without this the end of a body may wait for an acknowledgement. A failure costs only time.
    let _ = tcp.set_nodelay(true);
    if !is_tls {
        return Ok(TokioIo::new(Stream(Box::new(tcp))));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| wrong("the host is no name for TLS"))?;
    Ok(TokioIo::new(Stream(Box::new(tls.connect(name, tcp).await?))))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(open(self.0.clone(), uri))
    }
}

/// An open connection of either kind.
struct Stream(Box<dyn Duplex>);

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, to)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, from)
    }
}
