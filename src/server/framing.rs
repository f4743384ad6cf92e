//! What hyper lets through and a proxy must not.

use http::Method;

use super::request::{Head, Name, visible};
use crate::config::is_host;
use crate::net::is_coded;
use crate::onprem::ErrorCode;
use crate::relay::Failure;

/// What hyper lets through and a proxy must not (RFC 9112 sections 3.2 and 6.1).
pub(super) fn check_framing(head: &Head, most_headers: usize) -> Result<(), Failure> {
    let fields = &head.fields;
    if fields.count() > most_headers {
        return Err(Failure::client(ErrorCode::InvalidRequest, format!("more than {most_headers} headers"))
            .http(431)
            .closing());
    }
    let mut hosts = fields.all(Name::Host);
    let is_named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => visible(host).is_some_and(is_host),
        (None, _) => !head.is_http11,
        (Some(_), Some(_)) => false,
    };
    let mut codings = fields.all(Name::TransferEncoding);
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let is_plain = codings.next().is_none_or(is_chunked) && codings.next().is_none();
    if !is_named {
        let details = "send exactly one Host header, with a host name or an address";
        return Err(Failure::client(ErrorCode::InvalidRequest, details).closing());
    }
    if !is_plain {
        return Err(Failure::client(ErrorCode::InvalidRequest, "the only transfer coding is chunked")
            .http(501)
            .closing());
    }
    if is_coded(fields.all(Name::ContentEncoding)) {
        return Err(Failure::client(ErrorCode::InvalidRequest, "send the body without a Content-Encoding")
            .http(415)
            .closing());
    }
    Ok(())
}

/// A verb as a label: a closed set, whatever clients invent.
pub(super) fn verb_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}
