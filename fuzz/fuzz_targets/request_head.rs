//! Whatever a client may send first: what the fast path takes for a request, hyper takes for the same one.
#![no_main]

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use prembridge::server::head::{Unready, read};
use prembridge::server::{Asking, Fields, Name};
use std::cell::RefCell;
use std::convert::Infallible;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const MOST: usize = 4096;
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

type Seen = (String, String, Vec<Vec<Vec<u8>>>, usize, Bytes);

fn fields(fields: &Fields) -> Vec<Vec<Vec<u8>>> {
    NAMES.iter().map(|name| fields.all(*name).map(<[u8]>::to_vec).collect()).collect()
}

/// The one request in `bytes` as hyper sees it, and what it answers.
async fn by_hyper(bytes: &[u8]) -> (Option<Seen>, String) {
    let (mut client, server) = tokio::io::duplex(1 << 20);
    client.write_all(bytes).await.unwrap();
    client.shutdown().await.unwrap();
    let seen = RefCell::new(None);
    let service = service_fn(|request: Request<Incoming>| {
        let seen = &seen;
        async move {
            let (head, body) = request.into_parts();
            let target = head.uri.path_and_query().map_or(head.uri.path(), |target| target.as_str()).to_owned();
            if let Ok(body) = body.collect().await {
                let known = fields(&Fields::from(&head.headers));
                *seen.borrow_mut() = Some((head.method.to_string(), target, known, head.headers.len(), body.to_bytes()));
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service).await;
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer).await;
    (seen.into_inner(), String::from_utf8_lossy(&answer).to_ascii_lowercase())
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bytes = Bytes::copy_from_slice(bytes);
    let plain = match read(&bytes, MOST) {
        Ok(plain) => plain,
        Err(Unready::Body(whole)) => return assert!(whole > bytes.len()),
        Err(Unready::Head | Unready::Odd) => return,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (seen, answer) = runtime.block_on(by_hyper(&bytes[..plain.length]));
    let head = &plain.asked.head;
    let Asking::Whole(body) = &plain.asked.body else { panic!("a plain body is whole") };
    let query = head.target.query();
    let target = if bytes.contains(&b'?') && !query.is_empty() {
        format!("{}?{query}", head.target.path())
    } else {
        head.target.path().to_owned()
    };
    let (method, theirs, known, count, whole) = seen.unwrap_or_else(|| panic!("hyper takes none of {bytes:?}"));
    assert_eq!((method.as_str(), theirs.trim_end_matches('?')), (head.method.as_str(), target.trim_end_matches('?')));
    assert_eq!((known, count), (fields(&head.fields), head.fields.count()));
    assert_eq!(whole, *body);
    assert_eq!(answer.matches("http/1.1 200").count(), 1, "{answer}");
    assert_eq!(answer.contains("connection: close"), plain.is_last, "{answer}");
});
