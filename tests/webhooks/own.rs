//! Callbacks of our own making: on the disk first, then told, and delivered when the client has had time to hear of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use prembridge::callback::Refused;
use prembridge::store::CallbackStore as _;
use tokio::time::{Instant, advance, pause, resume};

use super::parts::{Parts, parts};
use crate::support::{TO, until};

const BODY: &[u8] = br#"{"statuses":[]}"#;

/// The answer that gives its id to the client must come first.
#[tokio::test]
async fn a_callback_of_our_own_making_comes_a_second_after_its_commit() {
    let Parts { store, callbacks, mut taken } = parts().await;
    let queue = &callbacks.queue;
    store.close();
    pause();
    let commit = async {
        store.entered.acquire().await.unwrap().forget();
        advance(Duration::from_secs(3600)).await;
        assert!(taken.try_recv().is_err(), "it is not on the disk yet");
        store.gate.add_permits(1_000);
    };
    let (added, ()) = tokio::join!(callbacks.add(queue, TO.to_owned(), BODY.to_vec()), commit);
    added.unwrap();
    let told = Instant::now();
    assert!(taken.try_recv().is_err(), "the client does not know its id yet");
    assert_eq!(taken.recv().await.unwrap(), BODY);
    let waited = told.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_millis(1_100)).contains(&waited), "{waited:?}");
    resume();
    until(|| queue.depth() == 0).await;
    assert!(store.queued_callbacks().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_callback_of_our_own_making_that_was_not_committed_never_comes() {
    let Parts { store, callbacks, mut taken } = parts().await;
    let queue = &callbacks.queue;
    store.broken.store(true, Ordering::SeqCst);
    let refused = callbacks.add(queue, TO.to_owned(), BODY.to_vec()).await;
    assert!(matches!(refused, Err(Refused::Store(_))), "{refused:?}");
    assert_eq!(queue.depth(), 0, "its room is given back");
    store.broken.store(false, Ordering::SeqCst);
    pause();
    advance(Duration::from_secs(3600)).await;
    resume();
    callbacks.add(queue, TO.to_owned(), b"{}".to_vec()).await.unwrap();
    assert_eq!(taken.recv().await.unwrap(), b"{}");
    assert!(taken.try_recv().is_err());
}
