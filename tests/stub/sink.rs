//! The client's receiver of callbacks: answers as it is told, and remembers what it got.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long anything may take: the timer turns a hang into a failure.
const HANG: Duration = Duration::from_secs(30);

/// What happens to one callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Take {
    /// It is answered with this status.
    Status(u16),
    /// It is answered with 302 and this place.
    Redirect(String),
    /// It is answered with 200 when [`Sink::release`] was called.
    Hold,
    /// The connection breaks.
    Break,
}

/// One callback that arrived.
#[derive(Clone, Debug)]
pub struct Got {
    pub body: Value,
    pub headers: HashMap<String, String>,
    pub path: String,
    /// Whether it was answered with 200.
    pub is_taken: bool,
}

type Rule = Arc<dyn Fn(&Value) -> Take + Send + Sync>;

struct State {
    rule: Mutex<Rule>,
    got: watch::Sender<Vec<Got>>,
    flying: Mutex<(usize, usize)>,
    gate: Notify,
}

/// A running receiver; dropping it ends it and its connections.
pub struct Sink {
    pub addr: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

impl Sink {
    /// Takes everything.
    pub async fn start() -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None).await
    }

    /// With TLS.
    pub async fn tls(config: Arc<ServerConfig>) -> Self {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(TlsAcceptor::from(config))).await
    }

    pub async fn at(addr: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind(addr).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            rule: Mutex::new(Arc::new(|_| Take::Status(200))),
            got: watch::Sender::default(),
            flying: Mutex::default(),
            gate: Notify::new(),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, tls, Arc::clone(&state)));
        Self { addr, scheme, state, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("{}://{}/callback?token=canary-callback-token", self.scheme, self.addr)
    }

    /// What happens from now on.
    pub fn rule(&self, rule: impl Fn(&Value) -> Take + Send + Sync + 'static) {
        *self.state.rule.lock().unwrap() = Arc::new(rule);
    }

    pub fn always(&self, take: Take) {
        self.rule(move |_| take.clone());
    }

    /// Answers everything that is held.
    pub fn release(&self) {
        self.state.gate.notify_waiters();
    }

    /// Everything that arrived.
    pub fn got(&self) -> Vec<Got> {
        self.state.got.borrow().clone()
    }

    /// What was answered with 200, in order.
    pub fn taken(&self) -> Vec<Value> {
        self.got().into_iter().filter(|got| got.is_taken).map(|got| got.body).collect()
    }

    /// The most that were on their way at once.
    pub fn most_at_once(&self) -> usize {
        self.state.flying.lock().unwrap().1
    }

    /// Waits until so many arrived.
    pub async fn arrived(&self, count: usize) -> Vec<Got> {
        self.until(|got| got.len() >= count).await
    }

    /// Waits until so many were answered with 200, and gives them.
    pub async fn take(&self, count: usize) -> Vec<Value> {
        let got = self.until(|got| got.iter().filter(|got| got.is_taken).count() >= count).await;
        got.into_iter().filter(|got| got.is_taken).map(|got| got.body).collect()
    }

    pub async fn until(&self, is_so: impl Fn(&[Got]) -> bool) -> Vec<Got> {
        let mut got = self.state.got.subscribe();
        match tokio::time::timeout(HANG, got.wait_for(|got| is_so(got))).await {
            Ok(got) => got.unwrap().clone(),
            Err(_) => panic!("it never came to that: {:#?}", self.got()),
        }
    }
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (state, tls) = (Arc::clone(&state), tls.clone());
        connections.spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&state), request));
            let _ = match tls {
                None => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
                    Err(_) => return,
                },
            };
        });
    }
}

/// An error breaks the connection.
async fn answer(
    state: Arc<State>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    assert_eq!(parts.method, "POST");
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()));
    let body: Value = serde_json::from_slice(&body).unwrap();
    let rule = Arc::clone(&state.rule.lock().unwrap());
    let take = rule(&body);
    let got = Got {
        body,
        headers: headers.collect(),
        path: parts.uri.to_string(),
        is_taken: take == Take::Status(200),
    };
    let mut index = 0;
    // Asked for before anybody can see that it arrived.
    let released = state.gate.notified();
    {
        let mut flying = state.flying.lock().unwrap();
        flying.0 += 1;
        flying.1 = flying.1.max(flying.0);
    }
    state.got.send_modify(|all| {
        index = all.len();
        all.push(got);
    });
    let outcome = match take {
        Take::Status(status) => Ok(status),
        Take::Redirect(_) => Ok(302),
        Take::Hold => {
            released.await;
            state.got.send_modify(|all| all[index].is_taken = true);
            Ok(200)
        }
        Take::Break => Err(std::io::Error::other("on purpose")),
    };
    state.flying.lock().unwrap().0 -= 1;
    let mut response = Response::new(Full::new(Bytes::from_static(b"thanks")));
    *response.status_mut() = hyper::StatusCode::from_u16(outcome?).unwrap();
    if let Take::Redirect(place) = take {
        response.headers_mut().insert("location", place.parse().unwrap());
    }
    Ok(response)
}
