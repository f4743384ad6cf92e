//! One call after the other on each connection.

use super::{alone, burst, hurried, texts, vanish};
use crate::stub::{Act, Proxy, Reply, Stub, accepted, answer};

const REFUSAL: &str = r#"{"error":{"message":"no","code":100}}"#;

async fn pair(cloud: &str) -> (Stub, Proxy) {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), &alone(cloud)).await;
    (stub, proxy)
}

#[track_caller]
fn assert_own(stub: &Stub, text: &str, reply: &Reply) {
    let id = stub.seen().id(text);
    assert!(id.is_some(), "{text} was not taken once: {:?}", stub.seen());
    assert_eq!(reply.id(), id, "{text}");
}

/// All at once, so that each needs a connection of its own, if it is not there yet.
async fn gather(stub: &Stub, proxy: &Proxy, prefix: &str, count: usize) {
    let before = stub.seen().whole.len();
    stub.script(vec![Act::Gather(before + count); count]);
    for (text, reply) in burst(proxy, texts(prefix, count)).await {
        assert_own(stub, &text, &reply);
    }
}

async fn assert_no_doubt(proxy: &Proxy) {
    assert_eq!(proxy.in_doubt().await, 0);
    proxy.assert_sound().await;
}

#[tokio::test]
async fn many_idle_connections_that_were_closed_cost_nothing() {
    let (stub, proxy) = pair("").await;
    gather(&stub, &proxy, "first", 30).await;
    gather(&stub, &proxy, "again", 30).await;
    assert_eq!(stub.seen().connections, 30, "they are used again");
    stub.stray(&[]);
    stub.until(|seen| seen.ended == 30).await;
    gather(&stub, &proxy, "later", 30).await;
    assert_eq!((stub.seen().connections, stub.seen().whole.len()), (60, 90));
    assert_no_doubt(&proxy).await;
    assert_eq!((proxy.calls("ok").await, proxy.calls("unsent").await), (90, 0));
}

/// One call finds them all, one behind the other.
#[tokio::test]
async fn one_call_gets_past_all_closed_connections() {
    let (stub, proxy) = pair("").await;
    gather(&stub, &proxy, "first", 30).await;
    stub.stray(&[]);
    stub.until(|seen| seen.ended == 30).await;
    assert_own(&stub, "next", &proxy.send("next").await);
    assert_eq!(stub.seen().connections, 31);
    assert_no_doubt(&proxy).await;
}

/// An answer to no request, whenever it comes, is nobody's answer.
#[tokio::test]
async fn an_answer_on_an_idle_connection_is_nobodys() {
    let (stub, proxy) = pair("").await;
    gather(&stub, &proxy, "first", 10).await;
    let strays = [
        accepted("wamid.stray"),
        answer("408 Request Timeout", "Connection: close\r\n", ""),
        b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(),
        b"\r\n".to_vec(),
    ];
    for (round, stray) in (1..).zip(strays) {
        stub.stray(&stray);
        stub.until(|seen| seen.strays == round * 10).await;
        gather(&stub, &proxy, &format!("round {round}"), 10).await;
        // All connections were given up, and are all that lie about.
        stub.until(|seen| seen.ended == round * 10).await;
        assert_eq!(stub.seen().connections, round * 10 + 10);
    }
    assert_no_doubt(&proxy).await;
}

#[tokio::test]
async fn an_answer_behind_the_answer_is_nobodys() {
    let (stub, proxy) = pair("").await;
    for (round, text) in (1..).zip(texts("message", 20)) {
        stub.script([Act::AnswerAndMore(accepted("wamid.stray"))]);
        assert_own(&stub, &text, &proxy.send(&text).await);
        assert_eq!(stub.seen().connections, round);
    }
    assert_no_doubt(&proxy).await;
}

#[tokio::test]
async fn a_connection_for_one_call_only() {
    let (stub, proxy) = pair("").await;
    for text in texts("announced", 20) {
        let close = answer("400 Bad Request", "Connection: close\r\n", REFUSAL);
        stub.script([Act::Answer(close)]);
        assert_eq!(proxy.send(&text).await.status, 400);
    }
    stub.until(|seen| seen.ended == 20).await;
    for (ended, text) in (21..).zip(texts("silent", 20)) {
        stub.script([Act::AnswerAndClose(Vec::new())]);
        assert_own(&stub, &text, &proxy.send(&text).await);
        stub.until(|seen| seen.ended == ended).await;
    }
    assert_eq!(stub.seen().lanes, (1..=40).collect::<Vec<_>>());
    assert_no_doubt(&proxy).await;
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_was_taken() {
    let (stub, proxy) = pair("").await;
    for text in texts("message", 20) {
        stub.script([Act::AnswerEarly(answer("400 Bad Request", "", REFUSAL))]);
        assert_eq!(proxy.send(&text).await.status, 400);
        let next = format!("after {text}");
        assert_own(&stub, &next, &proxy.send(&next).await);
    }
    assert_eq!((stub.seen().connections, stub.seen().whole.len()), (1, 20));
    assert_no_doubt(&proxy).await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let (stub, proxy) = pair("pool_idle_timeout = \"50ms\"").await;
    gather(&stub, &proxy, "first", 10).await;
    stub.until(|seen| seen.ended == 10).await;
    assert_own(&stub, "next", &proxy.send("next").await);
    assert_eq!(stub.seen().connections, 11);
    assert_no_doubt(&proxy).await;
}

/// Its message goes on; the answer that nobody waits for is not the next one's.
#[tokio::test]
async fn a_client_that_vanishes_harms_nobody() {
    let (stub, proxy) = pair("").await;
    stub.script([Act::Gather(2), Act::Gather(2)]);
    let client = hurried(&proxy, "vanished").await;
    stub.until(|seen| seen.whole.len() == 1).await;
    vanish(client);
    assert_own(&stub, "next", &proxy.send("next").await);
    for text in texts("later", 5) {
        assert_own(&stub, &text, &proxy.send(&text).await);
    }
    assert_eq!((proxy.calls("ok").await, stub.seen().whole.len()), (7, 7));
    assert_eq!(stub.seen().connections, 2, "both connections are as good as before");
    assert_no_doubt(&proxy).await;
}

#[tokio::test]
async fn threads_have_connections_of_their_own() {
    let stub = Stub::start([]).await;
    let proxy = Proxy::start(&stub.base_url(), "[server]\nworkers = 2").await;
    // Each thread has one of them.
    let (mut one, mut other) = (proxy.client().await, proxy.client().await);
    for round in 0..20 {
        let (here, there) = (format!("here {round}"), format!("there {round}"));
        stub.script(vec![Act::Gather(2 * round + 2); 2]);
        let (first, second) = tokio::join!(one.send(&here), other.send(&there));
        assert_own(&stub, &here, &first);
        assert_own(&stub, &there, &second);
    }
    // No message ever went by the connection of the other thread.
    let seen = stub.seen();
    let mut lanes: Vec<_> =
        seen.whole.iter().zip(&seen.lanes).map(|(text, lane)| (text.starts_with("here"), *lane)).collect();
    lanes.sort_unstable();
    lanes.dedup();
    assert_eq!((lanes.len(), seen.connections), (2, 2), "{seen:?}");
    assert_no_doubt(&proxy).await;
}
