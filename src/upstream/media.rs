//! Calls to Graph about files. They have connections of their own: a hundred large uploads slow no message.
//!
//! They go by reqwest, which has multipart forms and streams. None of its defaults is left that reads the environment: roots
//! and deadlines are ours, and no proxy is looked for. Only the bytes of a file at Graph are fetched without it. The place
//! that Graph names for them may be anywhere, so the connector has to dial the very address that the guard has judged; and
//! reqwest has no limit for what a connection buffers, of which fifty large files need one.
//!
//! Unlike messages they may be repeated: an upload that was made twice costs an id that lapses unused.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use reqwest::multipart::Form;
use reqwest::redirect::Policy;
use tokio::time::{Instant, timeout_at};

use super::{Answer, CallError, Deadlines, MAX_ANSWER, Sent, Target, read};
use crate::cloud::GraphError;
use crate::net::egress::Guard;
use crate::net::{self, AGENT, Connector, innermost, user_agent};

/// What is buffered of one download: fifty large files at once stay small.
const BUFFER: usize = 64 * 1024;
/// Idle connections that are kept.
const IDLE: usize = 16;

/// The pooled clients for files.
#[derive(Clone, Debug)]
pub struct MediaUpstream {
    graph: reqwest::Client,
    own_files: Client<Connector, Empty<Bytes>>,
    other_files: Client<Connector, Empty<Bytes>>,
    deadlines: Deadlines,
    /// From the beginning of an upload to the end of its answer.
    upload: Duration,
}

impl MediaUpstream {
    /// Clients that trust what `tls` trusts; `guard` judges the places that Graph names outside its API. An upload may take
    /// `upload`; everything else what messages may.
    pub fn new(
        tls: &Arc<rustls::ClientConfig>,
        connect: net::Deadlines,
        guard: Arc<Guard>,
        deadlines: Deadlines,
        upload: Duration,
    ) -> Result<Self, CallError> {
        let graph = reqwest::Client::builder()
            .tls_backend_preconfigured(rustls::ClientConfig::clone(tls))
            .no_proxy()
            .redirect(Policy::none())
            .referer(false)
            .http1_only()
            .user_agent(AGENT.clone())
            .connect_timeout(connect.connect + connect.tls)
            .pool_idle_timeout(deadlines.pool_idle)
            .pool_max_idle_per_host(IDLE)
            .build()
            .map_err(|error| failed(&error))?;
        let files = |connector| {
            Client::builder(TokioExecutor::new())
                .pool_idle_timeout(deadlines.pool_idle)
                .pool_max_idle_per_host(IDLE)
                .pool_timer(TokioTimer::new())
                .timer(TokioTimer::new())
                .http1_max_buf_size(BUFFER)
                .build(connector)
        };
        let own_files = files(Connector::new(Arc::clone(tls), connect));
        let other_files = files(Connector::guarded(Arc::clone(tls), connect, guard));
        Ok(Self { graph, own_files, other_files, deadlines, upload })
    }

    /// Uploads a file.
    pub async fn upload(&self, target: &Target, form: Form) -> Result<Answer, CallError> {
        let end = Instant::now() + self.upload;
        let request = self.request(Method::POST, target).multipart(form);
        target.noted(whole(request, end, end).await)
    }

    /// Posts a file that is in memory, with these headers beside the usual ones or in their place.
    pub async fn post(&self, target: &Target, headers: HeaderMap, body: Bytes) -> Result<Answer, CallError> {
        let end = Instant::now() + self.upload;
        whole(self.request(Method::POST, target).headers(headers).body(body), end, end).await
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
        target.noted(whole(self.request(method, target), head_end, end).await)
    }

    /// Begins to read a file at a place that Graph named, which has to be a public one unless it is Graph's own; the
    /// caller reads the body.
    pub async fn download(&self, target: &Target, is_own: bool) -> Result<Response<Incoming>, CallError> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = target.uri.clone();
        target.authorize(request.headers_mut());
        user_agent(request.headers_mut());
        let client = if is_own { &self.own_files } else { &self.other_files };
        let end = Instant::now() + self.deadlines.first_byte;
        let response = timeout_at(end, client.request(request)).await.map_err(|_| late())?;
        response.map_err(|error| failed(&error))
    }

    fn request(&self, method: Method, target: &Target) -> reqwest::RequestBuilder {
        let mut headers = HeaderMap::new();
        target.authorize(&mut headers);
        self.graph.request(method, target.uri.to_string()).headers(headers)
    }
}

/// Whether Cloud did what was asked, which an error status or an error body denies.
pub fn is_success(answer: &Answer) -> bool {
    answer.status.is_success() && GraphError::parse(&answer.body).is_none()
}

async fn whole(
    request: reqwest::RequestBuilder,
    head_end: Instant,
    end: Instant,
) -> Result<Answer, CallError> {
    read(head(request, head_end).await?, end, MAX_ANSWER).await
}

async fn head(request: reqwest::RequestBuilder, end: Instant) -> Result<Response<reqwest::Body>, CallError> {
    let response = timeout_at(end, request.send()).await.map_err(|_| late())?;
    Ok(response.map_err(|error| failed(&error))?.into())
}

/// No message is in doubt when a call about a file fails.
fn failed(error: &(dyn std::error::Error + 'static)) -> CallError {
    CallError { sent: Sent::No, is_timeout: false, reason: innermost(error) }
}

fn late() -> CallError {
    CallError { sent: Sent::No, is_timeout: true, reason: "no answer in time".to_owned() }
}
