//! Calls about files. They have connections of their own: a hundred large uploads slow no message.
//!
//! Unlike messages they may be repeated: an upload that was made twice costs an id that lapses unused.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Answer, CallError, Deadlines, MAX_ANSWER, Sent, Target, read};
use crate::cloud::GraphError;
use crate::net::{ByteStream, Connector, innermost, user_agent};

/// What is buffered of one connection, in each direction: fifty large files at once stay small.
const BUFFER: usize = 64 * 1024;
/// Idle connections that are kept.
const IDLE: usize = 16;
/// The pause before an upload that Cloud could not take is tried once more.
const PAUSE: Duration = Duration::from_millis(250);

/// The pooled client for files.
#[derive(Clone, Debug)]
pub struct MediaUpstream {
    client: Client<Connector, ByteStream>,
    deadlines: Deadlines,
    /// From the beginning of an upload to the end of its answer.
    upload: Duration,
}

impl MediaUpstream {
    /// A client over `connector`. An upload may take `upload`; everything else what messages may.
    pub fn new(connector: Connector, deadlines: Deadlines, upload: Duration) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(deadlines.pool_idle)
            .pool_max_idle_per_host(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .http1_max_buf_size(BUFFER)
            .build(connector);
        Self { client, deadlines, upload }
    }

    /// Posts what `body` makes. After a failure of Cloud or of the network it is made and posted once more.
    pub async fn upload(
        &self,
        target: &Target,
        content_type: &HeaderValue,
        body: impl Fn() -> io::Result<ByteStream>,
    ) -> Result<Answer, UploadError> {
        let first = self.upload_once(target, content_type, body()?).await;
        let may_pass = match &first {
            Ok(answer) => answer.status.is_server_error(),
            Err(_) => true,
        };
        if !may_pass {
            return Ok(first?);
        }
        sleep(PAUSE).await;
        Ok(self.upload_once(target, content_type, body()?).await?)
    }

    async fn upload_once(
        &self,
        target: &Target,
        content_type: &HeaderValue,
        body: ByteStream,
    ) -> Result<Answer, CallError> {
        let mut request = request(Method::POST, target, body);
        request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
        let end = Instant::now() + self.upload;
        target.noted(self.whole(request, end, end).await)
    }

    /// Posts a file that is in memory, once, with these headers instead of JSON's.
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Bytes) -> Result<Answer, CallError> {
        let body = Box::pin(Full::new(body).map_err(|never| match never {}));
        let mut request = request(Method::POST, target, body);
        request.headers_mut().extend(headers);
        let end = Instant::now() + self.upload;
        read(self.head(request, end).await?, end, MAX_ANSWER).await
    }

    /// Reads an object that describes a file.
    pub async fn get(&self, target: &Target) -> Result<Answer, CallError> {
        self.small(Method::GET, target).await
    }

    /// Deletes an object.
    pub async fn delete(&self, target: &Target) -> Result<Answer, CallError> {
        self.small(Method::DELETE, target).await
    }

    async fn small(&self, method: Method, target: &Target) -> Result<Answer, CallError> {
        let end = Instant::now() + self.deadlines.total;
        let head_end = end.min(Instant::now() + self.deadlines.first_byte);
        target.noted(self.whole(request(method, target, nothing()), head_end, end).await)
    }

    async fn whole(
        &self,
        request: Request<ByteStream>,
        head_end: Instant,
        end: Instant,
    ) -> Result<Answer, CallError> {
        read(self.head(request, head_end).await?, end, MAX_ANSWER).await
    }

    /// Begins to read a file; the caller reads its body.
    pub async fn download(&self, target: &Target) -> Result<Response<Incoming>, CallError> {
        let end = Instant::now() + self.deadlines.first_byte;
        self.head(request(Method::GET, target, nothing()), end).await
    }

    async fn head(
        &self,
        request: Request<ByteStream>,
        end: Instant,
    ) -> Result<Response<Incoming>, CallError> {
        match timeout_at(end, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(failed(innermost(&error))),
            Err(_) => Err(CallError { is_timeout: true, ..failed("no answer in time".to_owned()) }),
        }
    }
}

/// Why an upload has no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be read; Cloud has nothing to do with it.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Cloud did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Whether Cloud did what was asked, which an error status or an error body denies.
pub fn is_success(answer: &Answer) -> bool {
    answer.status.is_success() && GraphError::parse(&answer.body).is_none()
}

fn request(method: Method, target: &Target, body: ByteStream) -> Request<ByteStream> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target.uri.clone();
    target.authorize(request.headers_mut());
    user_agent(request.headers_mut());
    request
}

fn nothing() -> ByteStream {
    Box::pin(Empty::new().map_err(|never| match never {}))
}

/// No message is in doubt when a call about a file fails.
fn failed(reason: String) -> CallError {
    CallError { sent: Sent::No, is_timeout: false, reason }
}
