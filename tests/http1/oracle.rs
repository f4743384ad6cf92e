//! The codec beside hyper; shared by the property tests and the fuzz target.
//!
//! Whatever the codec accepts, hyper accepts too, as the same message of the same length with the same fate of its
//! connection, and it does not matter in which pieces it comes. What the codec does not accept is not compared here: it
//! is stricter on purpose.

use std::cell::RefCell;
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{client, server};
use hyper_util::rt::TokioIo;
use prembridge::http1::{self, Partial, Response, ResponseError, ResponseReader, Unready};
use prembridge::server::{Head, Name, Request, RequestBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::yield_now;

/// The largest head of a request.
const MAX_HEAD: usize = 4096;
/// The largest body of a response.
pub const MAX_BODY: usize = 2000;
/// Inputs of up to this length are cut at each place, longer ones at as many places.
const PLACES: usize = 300;
/// What a connection carries at once.
const CAPACITY: usize = 1 << 20;

const NAMES: [Name; 8] = [
    Name::Host,
    Name::Authorization,
    Name::D360ApiKey,
    Name::RequestId,
    Name::ContentType,
    Name::ContentEncoding,
    Name::TransferEncoding,
    Name::Signature,
];

/// A request as either side has read it.
#[derive(Debug, PartialEq, Eq)]
pub struct SeenRequest {
    line: (String, String, String, bool),
    /// All fields, those of one name in order.
    fields: Vec<(String, Vec<u8>)>,
    /// The values of the known ones.
    known: [Vec<Vec<u8>>; NAMES.len()],
    body: Bytes,
}

impl SeenRequest {
    fn new(head: &Head, body: Bytes) -> Self {
        let Head { method, target, is_http11, fields } = head;
        let lower = |name: &[u8]| String::from_utf8(name.to_ascii_lowercase()).unwrap();
        let mut all: Vec<_> = fields.iter().map(|(name, value)| (lower(name), value.to_vec())).collect();
        assert_eq!(all.len(), fields.count());
        // hyper gives the fields of one name one after the other.
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self {
            line: (method.to_string(), target.path().to_owned(), target.query().to_owned(), *is_http11),
            fields: all,
            known: NAMES.map(|name| fields.all(name).map(<[u8]>::to_vec).collect()),
            body,
        }
    }
}

/// The first request in these pieces, read as the fast path does; its length, and whether its connection ends with it.
/// None is for hyper to read.
pub fn our_request<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<(SeenRequest, usize, bool)> {
    let (mut partial, mut is_first) = (Partial::default(), true);
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let is_worth_it = partial.push(piece, MAX_HEAD);
        if !is_worth_it && !is_first {
            continue;
        }
        is_first = false;
        let bytes = Bytes::from(partial.take());
        let mut room = http1::ROOM;
        let length = match http1::Request::read(&bytes, MAX_HEAD, &mut room) {
            Ok(request) => {
                let Request { head, body } = Request::from_http1(&bytes, &request)?;
                let RequestBody::Whole(body) = body else { panic!("a body that is still to come") };
                return Some((SeenRequest::new(&head, body), request.length(), request.is_last));
            }
            Err(Unready::Unusual) => return None,
            Err(Unready::Head) => None,
            Err(Unready::Body(length)) => {
                assert!(length > bytes.len());
                Some(length)
            }
        };
        partial = Partial::new(bytes.into(), length);
    }
    None
}

/// The only request in these pieces as hyper's server reads it, and the bytes of its replies in lower case.
async fn hyper_request(pieces: &[&[u8]]) -> (Option<SeenRequest>, String) {
    let (mut client, server) = duplex(CAPACITY);
    let seen = RefCell::new(None);
    let service = service_fn(async |request: http::Request<Incoming>| {
        let Request { head, body } = Request::from(request);
        if let Ok(body) = body.into_frames().collect().await {
            *seen.borrow_mut() = Some(SeenRequest::new(&head, body.to_bytes()));
        }
        Ok::<_, Infallible>(http::Response::new(Full::new(Bytes::new())))
    });
    let mut server_builder = server::conn::http1::Builder::new();
    let serving = server_builder.half_close(true).serve_connection(TokioIo::new(server), service);
    let calling = async {
        for piece in pieces {
            client.write_all(piece).await.unwrap();
            yield_now().await;
        }
        client.shutdown().await.unwrap();
        let mut replies = Vec::new();
        client.read_to_end(&mut replies).await.unwrap();
        String::from_utf8_lossy(&replies).to_ascii_lowercase()
    };
    let (_, replies) = tokio::join!(serving, calling);
    (seen.into_inner(), replies)
}

/// Checks whatever a client may send. Says whether the codec accepts it.
pub fn request(bytes: &[u8]) -> bool {
    let whole = our_request([bytes]);
    for (cut, pieces) in cuts(bytes) {
        assert_eq!(our_request(pieces), whole, "{cut}: {:?}", String::from_utf8_lossy(bytes));
    }
    let Some((ours, length, is_last)) = whole else { return false };
    let message = &bytes[..length];
    for pieces in [vec![message], halves(message)] {
        let shown = String::from_utf8_lossy(message);
        let (theirs, replies) = block_on(hyper_request(&pieces));
        assert_eq!(theirs.as_ref(), Some(&ours), "{shown:?}");
        assert_eq!(replies.matches("http/1.1 ").count(), 1, "of another length: {shown:?}: {replies}");
        assert!(replies.starts_with("http/1.1 200 "), "{shown:?}: {replies}");
        assert_eq!(replies.contains("connection: close"), is_last, "{shown:?}: {replies}");
    }
    true
}

/// Reads these pieces and then the end of the connection.
pub fn our_response<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Response, ResponseError> {
    let mut reader = ResponseReader::new(MAX_BODY);
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        if let Some(mut response) = reader.read(piece)? {
            // What comes later is found when the connection is checked before the next call.
            response.keeps_connection &= pieces.all(<[u8]>::is_empty);
            return Ok(response);
        }
    }
    reader.end()
}

/// What hyper's client makes of these pieces; with `again` it makes another call behind them, and otherwise the
/// connection ends.
pub fn hyper_response(pieces: &[&[u8]], again: bool) -> Result<(u16, Bytes), String> {
    block_on(async {
        let (ours, theirs) = duplex(CAPACITY);
        let (mut sender, connection) = client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
        let failed = |error: hyper::Error| format!("{error:?}");
        let call = async move {
            let response = sender.send_request(post()).await.map_err(failed)?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.map_err(failed)?;
            if again {
                sender.ready().await.map_err(|error| format!("not kept: {error:?}"))?;
                let next = sender.send_request(post()).await.map_err(failed)?.status().as_u16();
                assert_eq!(next, 299, "of another length: {:?}", String::from_utf8_lossy(&pieces.concat()));
            }
            Ok((status, body.to_bytes()))
        };
        let ((), _, read) = tokio::join!(answer(theirs, pieces, again), connection, call);
        read
    })
}

fn post() -> http::Request<Full<Bytes>> {
    let body = Full::new(Bytes::from_static(b"{}"));
    http::Request::post("/messages").header("host", "graph").body(body).unwrap()
}

async fn answer(mut stream: DuplexStream, pieces: &[&[u8]], again: bool) {
    let next: &[&[u8]] = if again { &[b"HTTP/1.1 299 Next\r\ncontent-length: 0\r\n\r\n"] } else { &[] };
    for pieces in [pieces, next].into_iter().filter(|pieces| !pieces.is_empty()) {
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        for piece in pieces {
            // Who has read enough may be gone.
            if stream.write_all(piece).await.is_err() {
                return;
            }
            yield_now().await;
        }
    }
}

/// Checks whatever an upstream may answer. Says whether the codec accepts it.
pub fn response(bytes: &[u8]) -> bool {
    let whole = our_response([bytes]);
    for (cut, pieces) in cuts(bytes) {
        assert_eq!(our_response(pieces), whole, "{cut}: {:?}", String::from_utf8_lossy(bytes));
    }
    let Ok(ours) = whole else { return false };
    assert!(ours.body.len() <= MAX_BODY.min(bytes.len()), "made up: {ours:?}");
    assert!(!ours.status.is_informational(), "none yet: {ours:?}");
    for pieces in [vec![bytes], halves(bytes)] {
        let shown = String::from_utf8_lossy(bytes);
        // A connection that the codec keeps, hyper keeps too, and the next response is the next one.
        let theirs = hyper_response(&pieces, ours.keeps_connection);
        let expected = Ok((ours.status.as_u16(), Bytes::from(ours.body.clone())));
        assert_eq!(theirs, expected, "{shown:?}: {ours:?}");
    }
    true
}

/// The same bytes in many ways.
fn cuts(bytes: &[u8]) -> impl Iterator<Item = (String, Vec<&[u8]>)> {
    let places = (0..bytes.len()).step_by(bytes.len() / PLACES + 1);
    let in_two = places.map(|place| {
        let (first, second) = bytes.split_at(place);
        (format!("cut at {place}"), vec![first, second])
    });
    let in_many = [1, 2, 3, 7, 100].into_iter();
    in_two.chain(in_many.map(|length| (format!("pieces of {length}"), bytes.chunks(length).collect())))
}

/// Two pieces, cut at a place that depends on the bytes.
fn halves(bytes: &[u8]) -> Vec<&[u8]> {
    let place =
        bytes.iter().fold(0, |sum, byte| (sum * 31 + usize::from(*byte)) % 65_521) % bytes.len().max(1);
    let (first, second) = bytes.split_at(place);
    [first, second].into_iter().filter(|piece| !piece.is_empty()).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}
