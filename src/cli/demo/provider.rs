//! The demo's media provider: a few files, each with other words about caching.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// What the provider wants to see.
pub const TOKEN: &str = "demo-provider-token";

/// A running provider; dropping it ends it.
pub struct Provider {
    addr: SocketAddr,
    state: Arc<Mutex<State>>,
    root: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    /// Which edition of the menu is served.
    edition: u32,
    /// What was asked and answered.
    seen: Vec<String>,
}

impl Provider {
    /// Listens on this port of loopback.
    pub async fn start(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let addr = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State::default()));
        // The one task without a parent: this handle is its owner, and Drop ends it.
        let root = Handle::current().spawn(serve(listener, Arc::clone(&state)));
        Ok(Self { addr, state, root })
    }

    /// `http://` and its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Brings out a new edition of the menu.
    pub fn change(&self) {
        lock(&self.state).edition += 1;
    }

    /// What was asked and answered since the last call.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).seen)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.root.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let response = answer(&state, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            // A client that goes away ends its connection and nothing else.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(state: &Mutex<State>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let mut state = lock(state);
    let path = request.uri().path().to_owned();
    let (response, told) = file(&path, request.headers(), state.edition);
    let asked = match request.headers().get(IF_NONE_MATCH).and_then(|etag| etag.to_str().ok()) {
        Some(etag) => format!("GET {path}, if it is not {etag}"),
        None => format!("GET {path}"),
    };
    state.seen.push(format!("{asked} -> HTTP {}{told}", response.status().as_u16()));
    response
}

/// The answer, and what it says about caching.
fn file(path: &str, headers: &HeaderMap, edition: u32) -> (Response<Full<Bytes>>, String) {
    let (media_type, cache_control, etag, bytes) = match path {
        "/invoice.pdf" => ("application/pdf", "max-age=3600", None, "%PDF-1.7 invoice".to_owned()),
        "/menu.png" => (
            "image/png",
            "no-cache",
            Some(format!("\"edition-{edition}\"")),
            format!("\u{89}PNG\r\n\u{1a}\n menu, edition {edition}"),
        ),
        "/statement.pdf" => ("application/pdf", "private", None, "%PDF-1.7 statement".to_owned()),
        _ => return (plain(StatusCode::NOT_FOUND, ""), String::new()),
    };
    // The menu hangs in the window; the rest is for those who know the token.
    let is_known = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "))
        .is_some_and(|token| token == TOKEN);
    if path != "/menu.png" && !is_known {
        return (plain(StatusCode::UNAUTHORIZED, ""), String::new());
    }
    let told = match &etag {
        Some(etag) => format!(", Cache-Control: {cache_control}, ETag: {etag}"),
        None => format!(", Cache-Control: {cache_control}"),
    };
    let is_same = etag.as_deref().is_some_and(|etag| {
        headers.get(IF_NONE_MATCH).is_some_and(|asked| asked.as_bytes() == etag.as_bytes())
    });
    let mut response =
        if is_same { plain(StatusCode::NOT_MODIFIED, "") } else { plain(StatusCode::OK, &bytes) };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Some(etag) = etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
        headers.insert(ETAG, etag);
    }
    (response, told)
}

fn plain(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
