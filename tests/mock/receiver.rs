//! An endpoint that webhooks are posted to.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Longer than anything should take here.
const PATIENCE: Duration = Duration::from_secs(30);

pub const SECRET: &str = "app-secret";
pub const TOKEN: &str = "a token & more=ü";

/// A running endpoint; dropping it ends everything it does.
pub struct Receiver {
    pub addr: SocketAddr,
    state: Arc<State>,
    _tasks: JoinSet<()>,
}

struct State {
    /// The answers to come; after them everything is taken.
    script: Mutex<VecDeque<u16>>,
    /// What it says instead of a challenge.
    echo: Mutex<Option<String>>,
    /// While it is so no post is answered.
    is_held: watch::Sender<bool>,
    seen: watch::Sender<Seen>,
}

#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub connections: usize,
    pub posts: Vec<Post>,
    /// The queries of challenges.
    pub challenges: Vec<String>,
    /// Posts that wait for their answer.
    pub open: usize,
    pub most_open: usize,
}

#[derive(Clone, Debug)]
pub struct Post {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Post {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn value(&self) -> Value {
        self.json()["entry"][0]["changes"][0]["value"].take()
    }

    /// The only status in it, by its word.
    pub fn word(&self) -> String {
        let value = self.value();
        assert_eq!(value["statuses"].as_array().map(Vec::len), Some(1), "{value}");
        value["statuses"][0]["status"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Whether the signature is of this secret and the raw body.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&self.body);
        let tag: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("x-hub-signature-256") == format!("sha256={tag}")
    }
}

impl Receiver {
    /// Answers with these statuses first.
    pub async fn start(script: impl IntoIterator<Item = u16>) -> Self {
        Self::serve(None, script).await
    }

    pub async fn tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self::serve(Some(TlsAcceptor::from(config)), []).await
    }

    async fn serve(tls: Option<TlsAcceptor>, script: impl IntoIterator<Item = u16>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(script.into_iter().collect()),
            echo: Mutex::default(),
            is_held: watch::Sender::default(),
            seen: watch::Sender::default(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(run(listener, tls, Arc::clone(&state)));
        Self { addr, state, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.addr)
    }

    pub fn say(&self, echo: &str) {
        *self.state.echo.lock().unwrap() = Some(echo.to_owned());
    }

    pub fn script(&self, script: impl IntoIterator<Item = u16>) {
        self.state.script.lock().unwrap().extend(script);
    }

    pub fn hold(&self, is_held: bool) {
        self.state.is_held.send_replace(is_held);
    }

    pub fn seen(&self) -> Seen {
        self.state.seen.borrow().clone()
    }

    pub fn posts(&self) -> Vec<Post> {
        self.seen().posts
    }

    /// Waits until `is_so`.
    pub async fn until(&self, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let mut seen = self.state.seen.subscribe();
        let waited = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| is_so(seen))).await;
        assert!(waited.is_ok(), "it never came to that: {:?}", self.seen());
        self.seen()
    }
}

async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        state.seen.send_modify(|seen| seen.connections += 1);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        connections.spawn(async move {
            match tls {
                None => connection(stream, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, state).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let service = service_fn(|request| answer(Arc::clone(&state), request));
    // It ends when the mock goes.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let (status, body) = if head.method == Method::GET {
        let query = head.uri.query().unwrap_or_default().to_owned();
        state.seen.send_modify(|seen| seen.challenges.push(query.clone()));
        challenged(&state, &query)
    } else {
        let body = body.collect().await.unwrap().to_bytes();
        let post = Post { headers: head.headers, body };
        state.seen.send_modify(|seen| {
            seen.posts.push(post);
            seen.open += 1;
            seen.most_open = seen.most_open.max(seen.open);
        });
        let status = state.script.lock().unwrap().pop_front().unwrap_or(200);
        state.is_held.subscribe().wait_for(|is_held| !is_held).await.unwrap();
        state.seen.send_modify(|seen| seen.open -= 1);
        (status, String::new())
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status.try_into().unwrap();
    Ok(response)
}

/// Compares the verify token, as an endpoint has to.
fn challenged(state: &State, query: &str) -> (u16, String) {
    let members: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let member = |name: &str| members.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    if member("hub.mode") != "subscribe" || member("hub.verify_token") != TOKEN {
        return (403, String::new());
    }
    let status = state.script.lock().unwrap().pop_front().unwrap_or(200);
    let echo = state.echo.lock().unwrap().clone();
    (status, echo.unwrap_or_else(|| member("hub.challenge").to_owned()))
}
