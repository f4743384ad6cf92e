//! A server that does not speak HTTP/2, or not everywhere (RFC 7301).

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Trust, burst, texts};
use crate::stub::http2::Http2Stub;
use crate::stub::{Act, Stub, answer};

/// Passes each connection on to where the list says, the last place of which stands for all further ones; and all but
/// the first `free` only when so many have come.
struct Balancer {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Balancer {
    async fn new(places: Vec<SocketAddr>, free: usize, together: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let come = watch::Sender::new(0);
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                come.send_replace(number + 1);
                let place = *places.get(number).or(places.last()).unwrap();
                let mut come = come.subscribe();
                connections.spawn(async move {
                    let _ = come.wait_for(|come| number < free || *come >= together).await;
                    let mut there = TcpStream::connect(place).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut there).await;
                });
            }
        });
        Self { addr, _tasks: tasks }
    }
}

#[tokio::test]
async fn a_server_that_declines_gets_http_1() {
    let trust = Trust::new();
    for protocol in [Some(&b"http/1.1"[..]), None] {
        let mut server = rustls::ServerConfig::clone(&trust.server);
        server.alpn_protocols = protocol.map(<[u8]>::to_vec).into_iter().collect();
        let stub = Stub::tls(server.into(), []).await;
        let proxy = trust.proxy(stub.addr.port(), "").await;
        for text in texts("message", 3) {
            assert_eq!(proxy.send(&text).await.id(), stub.seen().id(&text));
        }
        assert_eq!(stub.seen().lanes, [1; 3]);
    }
}

/// Many at once open their connections at once, and not one after the other.
#[tokio::test]
async fn nobody_waits_for_the_connection_of_another_call() {
    const MANY: usize = 100;
    let trust = Trust::new();
    let stub = Stub::tls(trust.speaking(b"http/1.1"), vec![Act::Gather(MANY); MANY]).await;
    let balancer = Balancer::new(vec![stub.addr], 1, MANY).await;
    let proxy = trust.proxy(balancer.addr.port(), "").await;
    for (text, reply) in burst(&proxy, texts("message", MANY)).await {
        assert_eq!(reply.id(), stub.seen().id(&text), "{text}");
    }
    assert_eq!(stub.seen().connections, MANY);
    assert_eq!(proxy.in_doubt().await, 0);
}

/// Each connection is spoken to as it was agreed upon, whatever the one before was.
#[tokio::test]
async fn each_connection_is_spoken_to_in_its_own_language() {
    let trust = Trust::new();
    let last = || {
        Act::AnswerAndClose(answer("400 Bad Request", "Connection: close\r\n", r#"{"error":{"code":100}}"#))
    };
    let old = Stub::tls(trust.speaking(b"http/1.1"), [last(), last()]).await;
    let new = Http2Stub::serve(Some(trust.speaking(b"h2")), 1000, []).await;
    let places = vec![old.addr, new.addr];
    let balancer = Balancer::new(places, usize::MAX, 0).await;
    let proxy = trust.proxy(balancer.addr.port(), "").await;
    assert_eq!(proxy.send("old").await.status, 400);
    for (text, reply) in burst(&proxy, texts("message", 50)).await {
        let seen = new.seen();
        let taken = seen.taken.iter().find(|taken| taken.text == text);
        assert_eq!(reply.id().as_ref(), taken.map(|taken| &taken.id), "{text}");
    }
    assert_eq!((new.seen().taken.len(), old.seen().connections), (50, 1));
    assert_eq!(proxy.in_doubt().await, 0);
    // And they share connections again.
    let before = new.seen().connections;
    for (_, reply) in burst(&proxy, texts("later", 50)).await {
        assert_eq!(reply.status, 201);
    }
    assert_eq!(new.seen().connections, before);
}
