//! What is known to have been sent, and answers that do not wait for the request.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::either::Either;

use super::super::super::{Answer, Target};
use super::super::Limits;
use super::*;

/// Longer than anything takes here.
const TIMEOUT: Duration = Duration::from_secs(30);
/// For deadlines that pass.
const MOMENT: Duration = Duration::from_millis(50);
/// More than the system keeps of a connection that nobody reads from.
const HUGE: usize = 64 << 20;

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

fn connection(stream: TcpStream) -> Http1Connection {
    Http1Connection::new(Stream(Either::Left(stream)))
}

/// Posts so many bytes; the answer's head has to come in this time, and the rest in patience.
async fn post(connection: &mut Http1Connection, length: usize, head: Duration) -> Outcome {
    let target = Target { uri: "http://graph/messages".parse().unwrap(), authorization: None, health: None };
    let begun = Instant::now();
    let limits = Limits { begun, head: begun + head, end: begun + TIMEOUT, max_body: 100 };
    let attempt =
        Attempt { method: &Method::POST, target: &target, body: Bytes::from(vec![b' '; length]), limits };
    connection.call(&attempt).await
}

#[track_caller]
fn answered(outcome: Outcome) -> Answer {
    match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::NotSent(reason) => panic!("not_sent: {reason}"),
        Outcome::Failed(error) => panic!("failed: {error:?}"),
    }
}

#[track_caller]
fn failed(outcome: Outcome) -> (Sent, bool, String) {
    match outcome {
        Outcome::Failed(error) => (error.sent, error.is_timeout, error.reason),
        Outcome::NotSent(reason) => panic!("not_sent: {reason}"),
        Outcome::Answered(answer) => panic!("answered: {answer:?}"),
    }
}

#[track_caller]
fn not_sent(outcome: Outcome) -> String {
    match outcome {
        Outcome::NotSent(reason) => reason,
        Outcome::Failed(error) => panic!("failed: {error:?}"),
        Outcome::Answered(answer) => panic!("answered: {answer:?}"),
    }
}

/// Reads a request's head, and nothing behind it.
async fn head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

/// Has the system keep as much as it can of what nobody reads.
fn fill(stream: &TcpStream) {
    while stream.try_write(&[b' '; 1 << 16]).is_ok() {}
}

#[tokio::test]
async fn an_answer_to_half_a_request_is_the_answer() {
    let (ours, mut theirs) = pair().await;
    let mut connection = connection(ours);
    let server = async {
        head(&mut theirs).await;
        theirs.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        theirs
    };
    let (outcome, _theirs) = tokio::join!(post(&mut connection, HUGE, TIMEOUT), server);
    let answer = answered(outcome);
    assert_eq!((answer.status.as_u16(), &*answer.body), (413, &b"no"[..]));
    assert!(!connection.is_reusable(), "the rest of the request never left");
}

/// A server that refuses a request need not read it.
#[tokio::test]
async fn an_answer_before_a_reset_is_the_answer() {
    let (ours, mut theirs) = pair().await;
    let mut connection = connection(ours);
    let server = async {
        head(&mut theirs).await;
        theirs.write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno").await.unwrap();
        // With most of the request unread, this is a reset.
        drop(theirs);
    };
    let (outcome, ()) = tokio::join!(post(&mut connection, HUGE, TIMEOUT), server);
    // Which of the two the system tells first is its own affair.
    match outcome {
        Outcome::Answered(answer) => assert_eq!(answer.status.as_u16(), 413),
        Outcome::Failed(error) => assert_eq!((error.sent, error.is_timeout), (Sent::Maybe, false)),
        Outcome::NotSent(reason) => panic!("not_sent: {reason}"),
    }
    assert!(!connection.is_reusable());
}

#[tokio::test]
async fn a_whole_request_leaves_a_connection_as_good_as_before() {
    let (ours, mut theirs) = pair().await;
    let mut connection = connection(ours);
    for round in 0..3 {
        let server = async {
            head(&mut theirs).await;
            theirs.read_exact(&mut vec![0; round << 20]).await.unwrap();
            theirs.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        };
        let (outcome, ()) = tokio::join!(post(&mut connection, round << 20, TIMEOUT), server);
        assert_eq!(answered(outcome).body, "{}");
        assert!(connection.is_reusable() && connection.is_alive());
    }
}

#[tokio::test]
async fn a_request_of_which_something_left_is_in_doubt() {
    let (ours, _theirs) = pair().await;
    let late = (Sent::Maybe, true, "no answer in time".to_owned());
    assert_eq!(failed(post(&mut connection(ours), 2, MOMENT).await), late);
    let (ours, _theirs) = pair().await;
    assert_eq!(failed(post(&mut connection(ours), HUGE, MOMENT).await), late);

    let (ours, mut theirs) = pair().await;
    let mut connection = connection(ours);
    let server = async {
        head(&mut theirs).await;
        theirs.read_exact(&mut [0; 2]).await.unwrap();
        drop(theirs);
    };
    let (outcome, ()) = tokio::join!(post(&mut connection, 2, TIMEOUT), server);
    let ended = (Sent::Maybe, false, "the connection ended before the answer".to_owned());
    assert_eq!(failed(outcome), ended);
}

#[tokio::test]
async fn a_request_of_which_nothing_left_was_not_sent() {
    // There is no room for a single byte.
    let (ours, _theirs) = pair().await;
    fill(&ours);
    assert_eq!(
        failed(post(&mut connection(ours), 2, MOMENT).await),
        (Sent::No, true, "no answer in time".to_owned())
    );

    // Nor is what comes while there is none an answer.
    for (bytes, reason) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"[..], "something came that nobody asked for"),
        (b"", "the connection was closed"),
    ] {
        let (ours, mut theirs) = pair().await;
        fill(&ours);
        let mut connection = connection(ours);
        let server = async {
            // After the call has looked at the connection, since that is polled first.
            theirs.write_all(bytes).await.unwrap();
            theirs.shutdown().await.unwrap();
            theirs
        };
        let (outcome, _theirs) = tokio::join!(biased; post(&mut connection, 2, TIMEOUT), server);
        assert_eq!(not_sent(outcome), reason);
        assert!(!connection.is_reusable());
    }

    // The system takes nothing.
    let (mut ours, _theirs) = pair().await;
    ours.shutdown().await.unwrap();
    not_sent(post(&mut connection(ours), 2, TIMEOUT).await);
}

/// A connection over TLS, and its other end.
async fn tls() -> (Http1Connection, tokio_rustls::server::TlsStream<TcpStream>) {
    let key = rcgen::generate_simple_self_signed(vec!["graph".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = rustls::pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let server = crate::net::server_config(vec![certificate.clone()], private).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (ours, theirs) = pair().await;
    let name = rustls::pki_types::ServerName::try_from("graph").unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(client));
    let acceptor = tokio_rustls::TlsAcceptor::from(server);
    let (ours, theirs) = tokio::join!(connector.connect(name, ours), acceptor.accept(theirs));
    (Http1Connection::new(Stream(Either::Right(Box::new(ours.unwrap())))), theirs.unwrap())
}

/// What TLS was given may have left, whatever it says then.
#[tokio::test]
async fn what_tls_was_given_is_in_doubt() {
    // The system takes nothing more, which TLS says when it has part of the request.
    let (mut connection, _theirs) = tls().await;
    let Either::Right(stream) = &mut connection.stream.0 else { panic!("no TLS") };
    let socket = stream.get_mut().0;
    socket.shutdown().await.unwrap();
    assert_eq!(
        failed(post(&mut connection, 2, MOMENT).await),
        (Sent::Maybe, true, "no answer in time".to_owned())
    );
    assert!(!connection.is_reusable());

    // There is no room for a single byte, and then no connection.
    let (mut connection, theirs) = tls().await;
    let Either::Right(stream) = &mut connection.stream.0 else { panic!("no TLS") };
    fill(stream.get_mut().0);
    let reset = async {
        let socket = theirs.into_inner().0;
        socket.set_zero_linger().unwrap();
        drop(socket);
    };
    let (outcome, ()) = tokio::join!(biased; post(&mut connection, 2, TIMEOUT), reset);
    let (sent, is_timeout, _) = failed(outcome);
    assert_eq!((sent, is_timeout), (Sent::Maybe, false));

    // Part of it has left, and then there is no connection.
    let (mut connection, mut theirs) = tls().await;
    let reset = async {
        theirs.read_exact(&mut [0; 100]).await.unwrap();
        let socket = theirs.into_inner().0;
        socket.set_zero_linger().unwrap();
        drop(socket);
    };
    let (outcome, ()) = tokio::join!(post(&mut connection, HUGE, TIMEOUT), reset);
    let (sent, is_timeout, _) = failed(outcome);
    assert_eq!((sent, is_timeout), (Sent::Maybe, false));
}

#[tokio::test]
async fn a_call_that_is_given_up_spoils_its_connection() {
    let (ours, _theirs) = pair().await;
    let mut connection = connection(ours);
    let call = post(&mut connection, 2, TIMEOUT);
    assert!(tokio::time::timeout(MOMENT, call).await.is_err());
    assert!(!connection.is_reusable() && !connection.is_alive());
}
