//! One delivery: a post to where the client wants its callbacks.
//!
//! The rules are on-prem's (Webhooks, "Delivery"): only 200 acknowledges, redirects are not followed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};

use crate::net::egress::{Guard, vet_url};
use crate::net::{self, ConnectError, Connector, Deadlines, innermost, user_agent};
use crate::settings::NumberSettings;

/// How long a client may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is read of an answer, so that its connection can be used again; nobody looks at it.
const MAX_ANSWER: usize = 64 * 1024;
/// And for how long.
const DRAIN: Duration = Duration::from_secs(1);
/// How long an unused connection is kept.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The client has it.
    Taken,
    /// It answered with another status.
    Refused(u16),
    /// It did not answer in time.
    TimedOut,
    /// It could not be asked, or broke off.
    Unreached(String),
}

impl Outcome {
    /// Its name in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Refused(_) => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreached(_) => "unreached",
        }
    }
}

/// A way to one client.
pub trait Transport: Send + Sync {
    /// Posts one callback.
    fn deliver(&self, body: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send>>;
}

/// Makes transports.
pub trait Dial: Send + Sync {
    /// The transport to where `settings` say; none when they say nothing.
    fn dial(&self, settings: &NumberSettings) -> Result<Option<Arc<dyn Transport>>, String>;
}

/// Posts over HTTP.
#[derive(Debug)]
pub struct Http {
    guard: Arc<Guard>,
    roots: Roots,
    deadlines: Deadlines,
}

/// The certificates that are trusted beside the public ones and a number's own.
pub type Roots = Option<std::path::PathBuf>;

impl Http {
    /// Over connections that `guard` lets through, where a client named the place; the operator's own are free.
    pub fn new(guard: Arc<Guard>, roots: Roots, deadlines: Deadlines) -> Self {
        Self { guard, roots, deadlines }
    }
}

impl Dial for Http {
    fn dial(&self, settings: &NumberSettings) -> Result<Option<Arc<dyn Transport>>, String> {
        let Some(target) = settings.callback_target() else {
            return Ok(None);
        };
        // What a client set is kept as it wrote it; this is the form that was judged.
        let vetted = vet_url(target.url).map_err(|bad| format!("its URL cannot be used: {bad}"))?;
        let uri: Uri = vetted.as_str().parse().map_err(|_| "its URL cannot be sent".to_owned())?;
        let own = settings.webhooks_ca.as_deref();
        let tls = net::client_config_with(self.roots.as_deref(), own).map_err(|error| error.to_string())?;
        let connector = if target.is_configured {
            Connector::new(tls, self.deadlines)
        } else {
            Connector::guarded(tls, self.deadlines, Arc::clone(&self.guard))
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            // Only the status counts: a client that has answered 200 has the callback, however it wrote the rest. A folded
            // line is to be read in any case (RFC 9112 section 5.2).
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .build(connector);
        Ok(Some(Arc::new(HttpTransport { client, uri })))
    }
}

struct HttpTransport {
    client: Client<Connector, Full<Bytes>>,
    uri: Uri,
}

impl Transport for HttpTransport {
    fn deliver(&self, body: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        user_agent(headers);
        let response = self.client.request(request);
        Box::pin(async move {
            let end = Instant::now() + TIMEOUT;
            match timeout_at(end, response).await {
                Err(_) => Outcome::TimedOut,
                Ok(Err(error)) => Outcome::Unreached(reason(&error)),
                Ok(Ok(response)) => {
                    let status = response.status();
                    let _ = timeout_at(end.min(Instant::now() + DRAIN), drain(response.into_body())).await;
                    if status == StatusCode::OK { Outcome::Taken } else { Outcome::Refused(status.as_u16()) }
                }
            }
        })
    }
}

/// What the log may say: never the URL, which may hold a token.
fn reason(error: &hyper_util::client::legacy::Error) -> String {
    ConnectError::find(error).map_or_else(|| innermost(error), ToString::to_string)
}

async fn drain(mut body: Incoming) {
    let mut left = MAX_ANSWER;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
