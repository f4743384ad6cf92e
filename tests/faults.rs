//! Clients that misbehave, limits that are reached, and many faults at once.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prembridge::mock::{MockCloud, Options};
use prembridge::number::Registry;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;

use crate::stub::{Act, Client, Proxy, Stub, message};

#[path = "faults/process.rs"]
mod process;

const IMPATIENT: &str = "[limits]\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"";

async fn pair(rest: &str) -> (Stub, Proxy) {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), rest).await;
    (stub, proxy)
}

/// Waits, without sleeping, until a metric has a value: each look is a request of its own.
async fn until(proxy: &Proxy, sample: &str, value: u64) {
    let reached = tokio::time::timeout(Duration::from_secs(20), async {
        while proxy.metric(sample).await != value {
            tokio::task::yield_now().await;
        }
    });
    assert!(reached.await.is_ok(), "{sample} never became {value}: {}", proxy.metrics().await);
}

async fn until_calls(proxy: &Proxy, outcome: &str, value: u64) {
    let sample = format!("prembridge_upstream_requests_total{{op=\"messages\",outcome=\"{outcome}\"}}");
    until(proxy, &sample, value).await;
}

/// The operator's own connections to the admin listener are counted too; one is open while asking.
const CONNECTIONS: &str = "prembridge_connections";

#[tokio::test]
async fn half_a_request_sends_nothing() {
    let (stub, proxy) = pair("").await;
    let whole = message("half");
    for length in [1, 20, whole.len() / 2, whole.len() - 1] {
        // The client hangs up.
        let mut client = proxy.client().await;
        client.write(&whole[..length]).await;
        drop(client);
        // The client has nothing more to say, but listens.
        let mut client = proxy.client().await;
        client.write(&whole[..length]).await;
        client.0.get_mut().shutdown().await.unwrap();
        if let Ok(reply) = client.reply().await {
            assert_eq!(reply.status, 400, "{reply:?}");
            assert_eq!(reply.code(), 1025, "{reply:?}");
        }
    }
    until(&proxy, CONNECTIONS, 1).await;
    assert_eq!(proxy.send("whole").await.status, 201);
    assert_eq!(stub.seen().whole, ["whole"]);
    proxy.assert_sound().await;
}

#[tokio::test]
async fn a_client_that_leaves_after_its_request_has_sent_it_once() {
    let (stub, proxy) = pair("first_byte_timeout = \"300ms\"").await;
    // It hangs up at once.
    let mut client = proxy.client().await;
    client.write(&message("hangs up")).await;
    drop(client);
    until_calls(&proxy, "ok", 1).await;
    // It resets the connection while Cloud thinks about it.
    stub.script([Act::Silence]);
    let mut client = proxy.client().await;
    client.write(&message("resets")).await;
    stub.until(|seen| seen.whole.len() == 2).await;
    client.0.get_mut().set_zero_linger().unwrap();
    drop(client);
    until_calls(&proxy, "in_doubt", 1).await;
    assert_eq!(proxy.send("next").await.status, 201);
    assert_eq!(stub.seen().whole, ["hangs up", "resets", "next"]);
    proxy.assert_sound().await;
}

#[tokio::test]
async fn a_client_that_never_reads_hurts_nobody() {
    let (stub, proxy) = pair("").await;
    let mut deaf = proxy.client().await;
    let mut pipeline = Vec::new();
    for number in 0..40 {
        pipeline.extend_from_slice(&message(&format!("deaf {number}")));
    }
    deaf.write(&pipeline).await;
    assert_eq!(proxy.send("heard").await.status, 201);
    until_calls(&proxy, "ok", 41).await;
    let whole = stub.seen().whole;
    assert_eq!(whole.iter().collect::<HashSet<_>>().len(), 41, "{whole:?}");
    // Late, but all there and in order.
    for number in 0..40 {
        assert!(deaf.reply().await.unwrap().id().unwrap().ends_with(&format!("deaf {number}")));
    }
}

#[tokio::test]
async fn slow_clients_are_cut_and_block_nobody() {
    let (stub, proxy) = pair(IMPATIENT).await;
    let whole = message("slow");
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let (mut head, mut body) = (proxy.client().await, proxy.client().await);
        head.write(&whole[..40]).await;
        body.write(&whole[..whole.len() - 1]).await;
        heads.push(head);
        bodies.push(body);
    }
    assert_eq!(proxy.send("quick").await.status, 201);
    for mut body in bodies {
        let reply = body.reply().await.unwrap();
        assert_eq!((reply.status, reply.code()), (408, 1025), "{reply:?}");
        assert_eq!(reply.header("connection"), Some("close"));
    }
    for mut head in heads {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), head.0.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a head without end is cut off");
    }
    until(&proxy, CONNECTIONS, 1).await;
    assert_eq!(stub.seen().whole, ["quick"]);
}

#[tokio::test]
async fn connections_over_the_limit_wait_their_turn() {
    let (stub, proxy) = pair("[limits]\nmax_connections = 2").await;
    let (mut first, mut second) = (proxy.client().await, proxy.client().await);
    assert_eq!(first.send("first").await.status, 201);
    assert_eq!(second.send("second").await.status, 201);
    let mut third = proxy.client().await;
    third.write(&message("third")).await;
    // Two, and the one that asks.
    assert_eq!(proxy.metric(CONNECTIONS).await, 3);
    assert_eq!(second.send("fourth").await.status, 201);
    assert_eq!(stub.seen().whole, ["first", "second", "fourth"]);
    drop(first);
    assert_eq!(third.reply().await.unwrap().status, 201);
    assert_eq!(stub.seen().whole, ["first", "second", "fourth", "third"]);
}

/// Many clients and an upstream that fails in every way it can; the books must balance.
#[tokio::test(flavor = "multi_thread")]
async fn the_books_balance() {
    const CLIENTS: usize = 50;
    const EACH: usize = 10;
    let orders: [&[&str]; 2] = [
        &["stall:every 97", "truncate:every 7", "reset-after-read:every 11", "close-after-response:every 3"],
        &["http 502:every 13", "close-after-response:every 2", "131047:every 5", "truncate:every 3"],
    ];
    for (seed, lines) in (1..).zip(orders) {
        let mut faults: Vec<_> = lines.iter().map(|line| line.parse().unwrap()).collect();
        faults.push("reset-before-read:every 17".parse().unwrap());
        let options = Options { seed, faults, ..Options::default() };
        let mock = MockCloud::start(SocketAddr::from(([127, 0, 0, 1], 0)), options).await.unwrap();
        let proxy = Proxy::start(&mock.base_url(), "first_byte_timeout = \"500ms\"").await;
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..CLIENTS {
            let addr = proxy.0.addresses().api;
            clients.spawn(async move {
                let mut connection = Client::to(addr).await;
                let mut answers = Vec::new();
                for number in 0..EACH {
                    let text = format!("message {client}.{number}");
                    let reply = connection.send(&text).await;
                    answers.push((text, reply));
                }
                answers
            });
        }
        let answers: Vec<_> = clients.join_all().await.into_iter().flatten().collect();
        let mut taken = HashMap::new();
        for message in mock.accepted_messages() {
            let text = message.body["text"]["body"].as_str().unwrap().to_owned();
            assert_eq!(taken.insert(text.clone(), message.wamid), None, "{text:?} was taken twice");
        }
        let mut doubts = 0;
        let mut good = 0;
        for (text, reply) in &answers {
            match reply.status {
                201 => {
                    assert_eq!(reply.id().as_ref(), taken.get(text), "{text:?} got another's id");
                    good += 1;
                }
                503 => {
                    reply.assert_unsent();
                    assert!(!taken.contains_key(text), "{text:?} was sent after all");
                }
                500 | 504 if reply.details().contains("may have been sent") => doubts += 1,
                _ => assert!(!taken.contains_key(text), "{text:?} was refused and taken: {reply:?}"),
            }
        }
        println!("{good} sent, {doubts} in doubt, {} taken", taken.len());
        assert_eq!(answers.len(), CLIENTS * EACH);
        assert!(good > 0 && doubts > 0);
        assert_eq!(proxy.in_doubt().await, doubts);
        proxy.assert_sound().await;
        // One connection each, and the one that asks: no slot was lost.
        until(&proxy, CONNECTIONS, 1).await;
        mock.clear_faults();
        assert_eq!(proxy.send("the end").await.status, 201);
    }
}

/// The registry is swapped whole, as a reload does.
#[tokio::test]
async fn a_request_keeps_the_number_that_it_began_with() {
    let stub = Stub::start([Act::Gather(2), Act::Gather(2)]).await;
    let proxy = Proxy::start(&stub.base_url(), "").await;
    let swapping = async {
        stub.until(|seen| seen.whole.len() == 1).await;
        let numbers = &proxy.0.state().numbers;
        let before = numbers.load_full();
        numbers.store(Arc::new(Registry::new(Arc::clone(&before.compat))));
        let refused = proxy.send("nobody").await;
        assert_eq!((refused.status, refused.code()), (404, 1006), "{refused:?}");
        numbers.store(before);
        assert_eq!(proxy.send("second").await.status, 201);
    };
    let (first, ()) = tokio::join!(proxy.send("first"), swapping);
    assert_eq!(first.status, 201, "{first:?}");
    assert_eq!(stub.seen().whole.len(), 2);
}
