//! Accepts connections and serves them until they end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use http::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::ClientStream;
use super::crowd::Crowd;
use super::fast_path::{self, Ended, WaitLimits};
use super::future_pool::PooledFuture;
use super::request::Request;
use super::respond::{After, Reply};
use super::state::State;
use crate::runtime::Workers;

/// The pause when the process has no file descriptor left.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// How long a connection without any request so far may hold up the end.
const SILENT: Duration = Duration::from_millis(500);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at once; further ones wait for one that ends, and idle ones give way to them.
    pub connections: usize,
    /// Time for a head to arrive, and for a connection to stay idle.
    pub header_timeout: Duration,
    /// Bytes of a head.
    pub header_bytes: usize,
    /// Time for a TLS handshake.
    pub tls_handshake: Duration,
}

impl ServeLimits {
    /// The same for at most `max` connections.
    #[must_use]
    pub fn within(self, max: usize) -> Self {
        Self { connections: self.connections.min(max), ..self }
    }

    /// Bytes of a head: hyper takes no buffer below 8 KiB.
    fn head_bytes(&self) -> usize {
        self.header_bytes.max(8192)
    }
}

/// A bound address.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: ServeLimits,
}

impl Listener {
    /// Binds `address`.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<rustls::ServerConfig>>,
        limits: ServeLimits,
    ) -> io::Result<Self> {
        Ok(Self { tcp: TcpListener::bind(address).await?, tls, limits })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// Serves until `closing`, each connection in a task of `tracker`, on `workers` if there are any.
    pub async fn serve<H, F>(
        self,
        state: Arc<State>,
        handler: H,
        closing: CancellationToken,
        tracker: TaskTracker,
        workers: Option<Arc<Workers>>,
    ) where
        H: Fn(Arc<State>, SocketAddr, Request) -> F + Copy + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let crowd = Arc::new(Crowd::default());
        let version: Arc<str> = Arc::from(state.numbers.load().compat.api_version.as_str());
        loop {
            let accepted = tokio::select! {
                () = closing.cancelled() => return,
                accepted = accept(&self.tcp, &slots, &crowd) => accepted,
            };
            let (stream, peer, permit) = match accepted.and_then(unbound) {
                Ok(accepted) => accepted,
                // The client was gone before it was accepted, which is no reason to pause.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(EXHAUSTED).await;
                    continue;
                }
            };
            let tls = self.tls.clone().map(TlsAcceptor::from);
            let (state, version, closing, limits, crowd) =
                (Arc::clone(&state), Arc::clone(&version), closing.clone(), self.limits, Arc::clone(&crowd));
            let slot = workers.as_ref().and_then(|workers| workers.slot());
            let runtime = slot.as_ref().map(|slot| slot.runtime.clone());
            let connection = async move {
                let (_permit, _slot) = (permit, slot);
                let _counted = Counted::new(Arc::clone(&state));
                let opened = tokio::select! {
                    opened = open(stream, tls, version, limits.tls_handshake) => opened,
                    () = silence(&closing) => None,
                };
                if let Some(stream) = opened {
                    connection(stream, peer, state, handler, closing, limits, &crowd).await;
                }
            };
            match runtime {
                Some(runtime) => tracker.spawn_on(connection, &runtime),
                None => tracker.spawn(connection),
            };
        }
    }
}

/// Counts one connection in the gauge for as long as it lives; a panic ends it too.
struct Counted(Arc<State>);

impl Counted {
    fn new(state: Arc<State>) -> Self {
        state.metrics.connections.inc();
        Self(state)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connections.dec();
    }
}

/// Waits for a permit with one accepted connection in hand: the others stay in the kernel's backlog.
async fn accept(
    tcp: &TcpListener,
    slots: &Arc<Semaphore>,
    crowd: &Crowd,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let (stream, peer) = tcp.accept().await?;
    let permit = match Arc::clone(slots).try_acquire_owned() {
        Ok(permit) => permit,
        Err(_) => {
            crowd.set_waiting(true);
            let permit = Arc::clone(slots).acquire_owned().await;
            crowd.set_waiting(false);
            permit.map_err(io::Error::other)?
        }
    };
    Ok((stream, peer, permit))
}

/// Takes a connection away from the runtime that accepted it, which need not be the one that serves it.
fn unbound(
    (stream, peer, permit): (TcpStream, SocketAddr, OwnedSemaphorePermit),
) -> io::Result<(std::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    Ok((stream.into_std()?, peer, permit))
}

async fn open(
    stream: std::net::TcpStream,
    tls: Option<TlsAcceptor>,
    version: Arc<str>,
    limit: Duration,
) -> Option<ClientStream> {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => {
            tracing::warn!(%error, "a connection cannot be served");
            return None;
        }
    };
    // Small answers must not wait for an earlier one's acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return Some(ClientStream::tcp(stream, version));
    };
    match timeout(limit, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(ClientStream::tls(stream, version)),
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

/// Waits until connections without any request are closed.
async fn silence(closing: &CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(SILENT).await;
}

/// Waits for `work` while the listener is open.
///
/// Polling the token takes a lock that all connections share. So that is done once, and again when the process drains; a
/// task's waker stays the same, so the one that the token has does not have to be renewed.
async fn unless_closing<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    state: &State,
    closing: &CancellationToken,
) -> Option<T> {
    let mut closed = pin!(closing.cancelled());
    let mut is_watched = false;
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        if !is_watched || state.is_draining() {
            is_watched = true;
            return closed.as_mut().poll(context).map(|()| None);
        }
        Poll::Pending
    })
    .await
}

async fn connection<H, F>(
    mut stream: ClientStream,
    peer: SocketAddr,
    state: Arc<State>,
    handler: H,
    closing: CancellationToken,
    limits: ServeLimits,
    crowd: &Crowd,
) where
    H: Fn(Arc<State>, SocketAddr, Request) -> F + Copy + Sync,
    F: Future<Output = Reply> + Send + 'static,
{
    let wait = WaitLimits {
        crowd,
        idle: limits.header_timeout,
        head_bytes: limits.head_bytes(),
        closing: &closing,
        silent: SILENT,
    };
    let answer = |request| PooledFuture::new(handler(Arc::clone(&state), peer, request));
    match fast_path::serve(&mut stream, wait, || state.is_draining(), answer).await {
        Ok(Ended::Closed) => {}
        Ok(Ended::Fallback(bytes)) => {
            // Boxed, so that connections without such a request need no room for it.
            Box::pin(fallback(stream.unread(bytes), peer, state, handler, closing, limits, crowd)).await;
        }
        Err(error) => tracing::debug!(%error, "connection ended"),
    }
}

/// Serves a connection with hyper, beginning with what the stream has unread.
async fn fallback<H, F>(
    stream: ClientStream,
    peer: SocketAddr,
    state: Arc<State>,
    handler: H,
    closing: CancellationToken,
    limits: ServeLimits,
    crowd: &Crowd,
) where
    H: Fn(Arc<State>, SocketAddr, Request) -> F + Copy + Sync,
    F: Future<Output = Reply> + Send + 'static,
{
    let has_asked = AtomicBool::new(false);
    let linger = stream.linger();
    let service = service_fn(|request: http::Request<Incoming>| {
        has_asked.store(true, Ordering::Relaxed);
        let linger = linger.clone();
        PooledFuture::new(handler(Arc::clone(&state), peer, request.into())).map(move |reply| {
            if reply.after == After::Unread {
                linger.ask();
            }
            Ok::<_, Infallible>(Response::from(reply))
        })
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_buf_size(limits.head_bytes())
            // The buffer alone would take more or less of a head, by how it is cut into packets.
            .max_header_size(limits.head_bytes())
            // While an answer is pending the connection is not read: a client that hangs up cannot
            // interrupt a message half-way.
            .half_close(true)
            // Answers are small, and leave in one piece.
            .writev(false)
            .serve_connection(stream, service)
    );
    let served = {
        let serving = pin!(async {
            tokio::select! {
                ended = connection.as_mut() => Some(ended),
                () = crowd.arrives() => None,
            }
        });
        unless_closing(serving, &state, &closing).await
    };
    let ended = match served {
        Some(Some(ended)) => ended,
        Some(None) if !has_asked.load(Ordering::Relaxed) => return,
        Some(None) | None => {
            // What is being answered is, and an idle connection ends.
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                // hyper itself would wait for the first request as long as a head may take.
                () = silence(&closing), if !has_asked.load(Ordering::Relaxed) => {
                    if !has_asked.load(Ordering::Relaxed) {
                        return;
                    }
                    connection.await
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
