//! A small HTTP client that behaves like an on-prem one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

use crate::net::{Connector, Deadlines, client_config};
use crate::server::MEDIA;

/// The client.
pub struct Client {
    http: HyperClient<Connector, Full<Bytes>>,
    base: String,
    /// The bearer token, after the login.
    pub token: Option<String>,
}

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// What it says about files.
    pub media: String,
    /// Its media type.
    pub media_type: String,
    /// Its body.
    pub bytes: Bytes,
    /// Its body as text.
    pub text: String,
    /// Its body, parsed.
    pub json: Value,
}

impl Client {
    /// A client of the proxy at `base`.
    pub fn new(base: &str) -> Result<Self, String> {
        let tls = client_config(None).map_err(|error| error.to_string())?;
        let second = Duration::from_secs(1);
        let connector = Connector::new(tls, Deadlines { connect: second, tls: second });
        let http = HyperClient::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base: base.to_owned(), token: None })
    }

    /// Logs in.
    pub async fn log_in(&self, user: &str, password: &str, body: &str) -> Result<Answer, String> {
        let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        self.call("POST", "/v1/users/login", &basic, body).await
    }

    /// Sends a request with the token.
    pub async fn send(&self, verb: &str, path: &str, body: &str) -> Result<Answer, String> {
        let bearer = format!("Bearer {}", self.token.as_deref().unwrap_or_default());
        self.call(verb, path, &bearer, body).await
    }

    async fn call(&self, verb: &str, path: &str, authorization: &str, body: &str) -> Result<Answer, String> {
        let request = Request::builder()
            .method(verb)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .map_err(|error| error.to_string())?;
        let response = self.http.request(request).await.map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let header = |name: &str| {
            let value = response.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let (media, media_type) = (header(MEDIA), header(CONTENT_TYPE.as_str()));
        let bytes = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, media, media_type, bytes, text, json })
    }
}
