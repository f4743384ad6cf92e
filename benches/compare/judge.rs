//! What a message has to look like, and Cloud's answer to it.

use std::io::Write as _;

use prembridge::http1::Request;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What the load is told to authenticate with.
pub const CLIENT: &[u8] = b"Bearer compare-client-key-0123456789";
/// What rewriting proxies authenticate with.
pub const GRAPH: &[u8] = b"Bearer EAABcompareGraphToken0123456789";
/// Where clients post messages, and pass-through proxies too.
pub const ONPREM_PATH: &str = "/v1/messages";
/// Where Cloud takes them.
pub const CLOUD_PATH: &str = "/v26.0/106540352242922/messages";

/// The members that say in which of the two forms a message is.
#[derive(Deserialize)]
struct Message<'a> {
    messaging_product: Option<&'a str>,
    to: &'a str,
    #[serde(borrow)]
    preview_url: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Text<'a> {
    #[serde(borrow, rename = "body")]
    _body: &'a RawValue,
}

/// A message that is as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Fine<'a> {
    pub to: &'a str,
    /// Whether a proxy made it.
    pub is_rewritten: bool,
}

/// Looks at a message; the sentence says what is wrong with it.
pub fn judge<'a>(request: &'a Request<'_, '_>) -> Result<Fine<'a>, &'static str> {
    let is_rewritten = request.target == CLOUD_PATH;
    if !is_rewritten && request.target != ONPREM_PATH {
        return Err("an unknown path");
    }
    let authorization = request.fields.iter().find(|field| field.name.eq_ignore_ascii_case("authorization"));
    if authorization.is_none_or(|field| field.value != if is_rewritten { GRAPH } else { CLIENT }) {
        return Err("the wrong token");
    }
    let message: Message<'a> =
        serde_json::from_slice(request.body).map_err(|_| "a body that is no message")?;
    if message.text.is_none() {
        return Err("a message without a text");
    }
    let digits = digits(message.to);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("a recipient that is no number");
    }
    if is_rewritten && message.messaging_product != Some("whatsapp") {
        return Err("no messaging_product");
    }
    if is_rewritten && message.preview_url.is_some() {
        return Err("a preview_url outside of text");
    }
    Ok(Fine { to: message.to, is_rewritten })
}

/// Cloud's answer, with an id of its own.
pub fn accept(answer: &mut Vec<u8>, to: &str, id: u64) {
    let wa_id = digits(to);
    let id = format_args!("wamid.HBgLMTY1MDU1NTEyMzQVAgARGBI{id:024X}").to_string();
    let length =
        r#"{"messaging_product":"whatsapp","contacts":[{"input":"","wa_id":""}],"messages":[{"id":""}]}"#
            .len()
            + to.len()
            + wa_id.len()
            + id.len();
    // Writing to memory does not fail.
    let _ = write!(
        answer,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=UTF-8\r\ncontent-length: {length}\r\n\r\n\
         {{\"messaging_product\":\"whatsapp\",\"contacts\":[{{\"input\":\"{to}\",\"wa_id\":\"{wa_id}\"}}],\
         \"messages\":[{{\"id\":\"{id}\"}}]}}"
    );
}

/// Cloud's way to say no, so that every proxy passes it on as such.
pub fn refuse(answer: &mut Vec<u8>, reason: &str) {
    let body = format!(r#"{{"error":{{"message":"(#100) {reason}","type":"OAuthException","code":100}}}}"#);
    write_json(answer, 400, "Bad Request", &body);
}

/// An answer with a body.
pub fn write_json(answer: &mut Vec<u8>, status: u16, phrase: &str, body: &str) {
    let length = body.len();
    let _ = write!(
        answer,
        "HTTP/1.1 {status} {phrase}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
}

fn digits(to: &str) -> &str {
    to.strip_prefix('+').unwrap_or(to)
}
