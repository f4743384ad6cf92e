//! A server that ends its connections in good order (RFC 9113 section 6.8).

use super::{Bench, burst, hurried, texts};
use crate::stub::http2::{Deed, ENHANCE_YOUR_CALM, INTERNAL_ERROR, NO_ERROR};

#[tokio::test]
async fn calls_under_way_finish_and_the_next_one_goes_elsewhere() {
    let bench = Bench::new("", [Deed::Gather(3), Deed::Gather(3), Deed::Leave]).await;
    for (text, reply) in burst(&bench.proxy, texts("message", 3)).await {
        bench.assert_own(&text, &reply);
    }
    bench.send("next").await;
    bench.send("another").await;
    assert_eq!(bench.stub.seen().lanes(), [1, 1, 1, 2, 2]);
    // The proxy closes what it cannot use any more.
    bench.stub.until(|seen| seen.ended == 1).await;
    bench.assert_no_doubt().await;
}

#[tokio::test]
async fn connections_for_one_call_each_are_enough() {
    let bench = Bench::new("", [Deed::Leave; 30]).await;
    for text in texts("message", 30) {
        bench.send(&text).await;
    }
    assert_eq!(bench.stub.seen().lanes(), (1..=30).collect::<Vec<_>>());
    bench.assert_no_doubt().await;
}

/// What is above the last stream was not looked at, whatever the reason; what is below goes on.
#[tokio::test]
async fn a_call_above_the_last_one_is_sent_again() {
    for reason in [NO_ERROR, INTERNAL_ERROR, ENHANCE_YOUR_CALM] {
        let bench = Bench::new("", [Deed::Gather(2), Deed::Cut(reason)]).await;
        let mut below = hurried(&bench.proxy, "below").await;
        bench.stub.until(|seen| seen.count("below") == 1).await;
        bench.send("above").await;
        bench.assert_own("below", &below.reply().await.unwrap());
        assert_eq!(bench.stub.seen().lanes(), [1, 2], "{reason}");
        bench.assert_no_doubt().await;
        assert_eq!(bench.proxy.calls("ok").await, 2);
    }
}

/// The first call of all, and the connection ends with it.
#[tokio::test]
async fn a_server_may_leave_without_a_look() {
    for reason in [NO_ERROR, INTERNAL_ERROR] {
        let bench = Bench::new("", [Deed::CutAndClose(reason), Deed::Cut(reason)]).await;
        bench.send("message").await;
        assert_eq!(bench.stub.seen().lanes(), [3], "{reason}");
        bench.assert_no_doubt().await;
        bench.stub.script([Deed::CutAndClose(reason); 3]);
        bench.proxy.send("another").await.assert_unsent();
        assert_eq!(bench.stub.seen().count("another"), 0);
    }
}

/// A call below the last one may have been taken, and nobody says whether it was.
#[tokio::test]
async fn a_call_below_the_last_one_is_in_doubt_without_an_answer() {
    let bench = Bench::new("", [Deed::Silence, Deed::CutAndClose(NO_ERROR)]).await;
    let mut below = hurried(&bench.proxy, "below").await;
    bench.stub.until(|seen| seen.count("below") == 1).await;
    bench.send("above").await;
    below.reply().await.unwrap().assert_in_doubt(500);
    assert_eq!((bench.stub.seen().lanes(), bench.stub.seen().count("below")), (vec![1, 2], 1));
    assert_eq!(bench.proxy.in_doubt().await, 1);
}

#[tokio::test]
async fn a_rush_of_calls_survives_a_server_that_leaves() {
    let bench = Bench::new("", [Deed::Answer; 30].into_iter().chain([Deed::Cut(NO_ERROR)])).await;
    for (text, reply) in burst(&bench.proxy, texts("message", 80)).await {
        bench.assert_own(&text, &reply);
    }
    bench.assert_no_doubt().await;
}
