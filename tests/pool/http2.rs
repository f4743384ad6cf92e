//! Many calls on one connection.

use super::{Bench, SHORT, Trust, burst, http2, hurried, texts, vanish};
use crate::stub::Proxy;
use crate::stub::http2::{
    CANCEL, Deed, ENHANCE_YOUR_CALM, Http2Stub, INTERNAL_ERROR, NO_ERROR, REFUSED_STREAM, Welcome,
};

async fn lanes(count: usize, expected: &[usize], bench: &Bench) {
    bench.stub.script(vec![Deed::Gather(count); count]);
    for (text, reply) in burst(&bench.proxy, texts("message", count)).await {
        bench.assert_own(&text, &reply);
    }
    let seen = bench.stub.seen();
    let on = |lane: usize| seen.lanes().iter().filter(|on| **on == lane).count();
    assert_eq!((1..=seen.connections).map(on).collect::<Vec<_>>(), expected);
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn a_hundred_messages_share_a_connection() {
    lanes(100, &[100], &Bench::new("", []).await).await;
}

#[tokio::test]
async fn what_does_not_fit_on_a_connection_gets_another_one() {
    lanes(250, &[100, 100, 50], &Bench::new("", []).await).await;
}

#[tokio::test]
async fn messages_share_a_connection_with_tls() {
    let trust = Trust::new();
    let stub = Http2Stub::serve(Some(trust.speaking(b"h2")), 1000, []).await;
    let proxy = trust.proxy(stub.addr.port(), "").await;
    lanes(250, &[100, 100, 50], &Bench { stub, proxy }).await;
}

/// One after the other on the same connection, and each in its own words.
#[tokio::test]
async fn a_connection_is_used_again() {
    let bench = Bench::new("", [Deed::Answer, Deed::Hint]).await;
    for text in texts("message", 20) {
        bench.send(&text).await;
    }
    assert_eq!(bench.stub.seen().lanes(), [1; 20]);
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn threads_have_connections_of_their_own() {
    let stub = Http2Stub::start(vec![Deed::Gather(40); 40]).await;
    let proxy = Proxy::start(&stub.base_url(), "http = \"2\"\n[server]\nworkers = 2").await;
    let bench = Bench { stub, proxy };
    for (text, reply) in burst(&bench.proxy, texts("message", 40)).await {
        bench.assert_own(&text, &reply);
    }
    let lanes = bench.stub.seen().lanes();
    assert_eq!((bench.stub.seen().connections, lanes.iter().filter(|lane| **lane == 1).count()), (2, 20));
}

#[tokio::test]
async fn a_server_with_less_room_is_not_pressed() {
    let stub = Http2Stub::serve(None, 7, []).await;
    let proxy = Proxy::start(&stub.base_url(), &http2("")).await;
    let bench = Bench { stub, proxy };
    for (text, reply) in burst(&bench.proxy, texts("message", 100)).await {
        bench.assert_own(&text, &reply);
    }
    bench.assert_no_doubt().await;
}

/// What waited for its turn until the deadline was not sent, and is said not to be.
#[tokio::test]
async fn calls_that_found_no_room_were_not_sent() {
    let stub = Http2Stub::serve(None, 1, [Deed::Answer].into_iter().chain([Deed::Silence; 100])).await;
    let proxy = Proxy::start(&stub.base_url(), &http2(SHORT)).await;
    let bench = Bench { stub, proxy };
    bench.send("first").await;
    let mut unsent = 0;
    for (text, reply) in burst(&bench.proxy, texts("message", 10)).await {
        if reply.status == 503 {
            reply.assert_unsent();
            unsent += 1;
        } else {
            reply.assert_in_doubt(504);
        }
        assert!(bench.stub.seen().count(&text) <= usize::from(reply.status == 504), "{text}");
    }
    // Nor is anything else sent in their place.
    assert_eq!(bench.stub.seen().nonsense, [""; 0]);
    assert!((1..10).contains(&unsent), "{unsent}");
    assert_eq!(bench.proxy.calls("unsent").await, unsent);
}

#[tokio::test]
async fn a_refused_stream_is_sent_again() {
    for refusal in [Deed::Refuse, Deed::RefuseLate] {
        let bench = Bench::new("", [refusal, refusal]).await;
        bench.send("message").await;
        let seen = bench.stub.seen();
        assert_eq!((seen.connections, seen.calls), (1, 3), "{refusal:?}");
        bench.assert_no_doubt().await;
        assert_eq!(bench.proxy.calls("ok").await, 1);
        // Not for ever.
        bench.stub.script([refusal; 3]);
        bench.proxy.send("another").await.assert_unsent();
        assert_eq!((bench.stub.seen().count("another"), bench.proxy.calls("unsent").await), (0, 1));
    }
}

/// Refused among others, which do not feel it.
#[tokio::test]
async fn refused_streams_are_sent_again_among_others() {
    let bench = Bench::new("", []).await;
    bench.stub.script([Deed::Answer, Deed::Refuse, Deed::RefuseLate, Deed::Answer].repeat(10));
    for (text, reply) in burst(&bench.proxy, texts("message", 40)).await {
        bench.assert_own(&text, &reply);
    }
    assert_eq!((bench.stub.seen().connections, bench.stub.seen().calls), (1, 60));
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn other_resets_leave_doubt() {
    let bench = Bench::new("", []).await;
    // The last one says that the call was not looked at, and says that it was.
    let deeds = [
        Deed::Reset(NO_ERROR),
        Deed::Reset(INTERNAL_ERROR),
        Deed::Reset(CANCEL),
        Deed::Reset(ENHANCE_YOUR_CALM),
        Deed::HalfAndReset(NO_ERROR),
        Deed::HalfAndReset(INTERNAL_ERROR),
        Deed::HalfAndReset(REFUSED_STREAM),
    ];
    for (number, deed) in (1..).zip(deeds) {
        bench.stub.script([deed]);
        bench.in_doubt(&format!("{deed:?}"), 500).await;
        bench.send(&format!("after {deed:?}")).await;
        assert_eq!(bench.proxy.in_doubt().await, number);
    }
    assert_eq!(bench.stub.seen().connections, 1, "a stream's end is not the connection's");
    bench.proxy.assert_sound().await;
}

#[tokio::test]
async fn a_connection_that_is_dropped_leaves_doubt() {
    let bench = Bench::new("", []).await;
    for (number, deed) in (1..).zip([Deed::Close, Deed::HalfAndClose]) {
        bench.stub.script([deed]);
        bench.in_doubt(&format!("{deed:?}"), 500).await;
        assert_eq!(bench.proxy.in_doubt().await, number);
        bench.send(&format!("after {deed:?}")).await;
    }
    // All that share it.
    bench.stub.script([Deed::Silence; 9].into_iter().chain([Deed::Close]));
    for (text, reply) in burst(&bench.proxy, texts("message", 10)).await {
        reply.assert_in_doubt(500);
        assert_eq!(bench.stub.seen().count(&text), 1);
    }
    bench.send("the end").await;
}

/// An error before the body was taken is an answer (RFC 9113 section 8.1), and says that nothing was sent.
#[tokio::test]
async fn an_answer_may_come_before_the_body_was_taken() {
    let bench = Bench::new("", [Deed::Early]).await;
    let reply = bench.proxy.send("message").await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(bench.stub.seen().count("message"), 0);
    bench.send("next").await;
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn a_deadline_ends_a_call_and_not_its_connection() {
    let bench = Bench::new(SHORT, [Deed::Silence, Deed::Answer]).await;
    let mut late = hurried(&bench.proxy, "late").await;
    bench.stub.until(|seen| seen.count("late") == 1).await;
    bench.send("meanwhile").await;
    late.reply().await.unwrap().assert_in_doubt(504);
    bench.stub.until(|seen| seen.resets == [CANCEL]).await;
    bench.send("next").await;
    assert_eq!((bench.stub.seen().lanes(), bench.stub.seen().count("late")), (vec![1; 3], 1));
}

/// It takes connections and messages, and says nothing to either.
#[tokio::test]
async fn a_dead_server_holds_nobody_longer_than_the_deadline() {
    let bench = Bench::new(SHORT, []).await;
    bench.stub.welcome([Welcome::Ignore]);
    for (_, reply) in burst(&bench.proxy, texts("message", 20)).await {
        reply.assert_in_doubt(504);
    }
    // What nothing ever came from is not asked again.
    bench.send("next").await;
    assert_eq!(bench.stub.seen().connections, 2);
    assert_eq!(bench.proxy.in_doubt().await, 20);
}

#[tokio::test]
async fn a_client_that_vanishes_harms_nobody() {
    let bench = Bench::new("", [Deed::Gather(2), Deed::Answer]).await;
    let client = hurried(&bench.proxy, "vanished").await;
    bench.stub.until(|seen| seen.count("vanished") == 1).await;
    vanish(client);
    bench.send("next").await;
    bench.send("another").await;
    assert_eq!(bench.proxy.calls("ok").await, 3, "the call of one who vanished goes on");
    assert_eq!((bench.stub.seen().connections, bench.stub.seen().resets), (1, Vec::new()));
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let bench = Bench::new("pool_idle_timeout = \"50ms\"", []).await;
    bench.send("message").await;
    bench.stub.until(|seen| seen.ended == 1).await;
    bench.send("next").await;
    assert_eq!(bench.stub.seen().connections, 2);
    bench.assert_no_doubt().await;
}
