//! Webhooks that wait for the store: in their order, and never for nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::FutureExt as _;
use prembridge::callback::Refused;
use prembridge::cloud::webhook::Webhook;
use prembridge::runtime::become_worker;
use prembridge::store::CallbackStore as _;
use prembridge::webhook::Receipt;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::parts::{Inlet, Parts, parts, parts_over};
use super::scene::{bodies, text, text_from};
use crate::support::faulty::Faulty;
use crate::support::until;

/// More than any test needs.
const PERMITS: usize = 100_000;
/// Until a test that waits for what never comes fails.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A thread that serves clients, which runs when it is told to.
struct Worker {
    number: usize,
    runtime: Runtime,
}

type Taking = JoinHandle<Result<Receipt, Refused>>;

impl Worker {
    fn new(number: usize) -> Self {
        Self { number, runtime: Builder::new_current_thread().enable_all().build().unwrap() }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        become_worker(self.number);
        let done = self.runtime.block_on(async { timeout(TIMEOUT, work).await });
        become_worker(0);
        done.expect("it never came to that")
    }

    /// Has a webhook come on this thread, and wait for its commit.
    fn comes(&self, scene: &Scene, user: &str, body: &str) -> Taking {
        let (callbacks, before) = (Arc::clone(&scene.callbacks), scene.depth());
        let webhook = text_from(user, &format!("wamid.{body:.16}"), body).to_string();
        let taking = self
            .runtime
            .spawn(async move { callbacks.take(&Webhook::read(webhook.as_bytes()).unwrap()).await });
        self.run(until(|| scene.depth() == before + 1));
        taking
    }

    /// The answer to a webhook that came on this thread.
    fn answer(&self, taking: Taking) -> Result<Receipt, Refused> {
        self.run(taking).unwrap()
    }
}

/// Callbacks, and the thread that delivers them.
struct Scene {
    main: Worker,
    store: Arc<Faulty>,
    callbacks: Arc<Inlet>,
    taken: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let main = Worker::new(0);
        let Parts { store, callbacks, taken } = main.run(parts_over(Faulty::new(), 10_000));
        Self { main, store, callbacks: Arc::new(callbacks), taken }
    }

    fn depth(&self) -> usize {
        self.callbacks.queue.depth()
    }

    /// Lets changes pass.
    fn open(&self) {
        self.store.gate.add_permits(PERMITS);
    }

    /// Waits until that many callbacks are in the store.
    async fn stored(&self, count: usize) {
        while self.store.queued_callbacks().await.unwrap().len() != count {}
    }

    /// The texts of the next callbacks.
    fn delivered(&mut self, count: usize) -> Vec<String> {
        let taken = &mut self.taken;
        let callbacks = self.main.run(async {
            let mut callbacks = Vec::new();
            while callbacks.len() < count {
                callbacks.push(serde_json::from_slice(&taken.recv().await.unwrap()).unwrap());
            }
            callbacks
        });
        bodies(&callbacks)
    }

    /// Waits until everything is delivered, and nothing more than that.
    fn ends(&mut self) {
        self.main.run(async {
            until(|| self.callbacks.queue.depth() == 0).await;
            self.stored(0).await;
        });
        assert!(self.taken.try_recv().is_err());
    }

    /// Lets changes pass, and keeps the thread of the inner store busy until the sender is dropped: they wait for it there.
    fn hold(&self) -> mpsc::Sender<()> {
        let ((open, opened), (begun, begins)) = (mpsc::channel(), mpsc::channel());
        let held = move |_| {
            begun.send(()).unwrap();
            let _ = opened.recv();
        };
        self.store.queue(Arc::default(), Box::new(held));
        begins.recv().unwrap();
        self.open();
        open
    }
}

/// Each gets the outcome of its own, and nobody waits for ever after.
#[tokio::test]
async fn webhooks_that_come_together_are_committed_or_refused() {
    let Parts { store, callbacks, mut taken } = parts().await;
    for (is_broken, expected) in [(true, 0), (false, 3)] {
        store.close();
        store.broken.store(is_broken, Ordering::SeqCst);
        let take = async |id: &str| {
            let body = text(id, id).to_string();
            callbacks.take(&Webhook::read(body.as_bytes()).unwrap()).await.is_ok()
        };
        let open = async {
            // The three have been polled once before this, and wait.
            store.entered.acquire_many(3).await.unwrap().forget();
            assert_eq!(callbacks.queue.depth(), 3);
            store.gate.add_permits(3);
        };
        let (one, two, three, ()) =
            tokio::join!(biased; take("wamid.1"), take("wamid.2"), take("wamid.3"), open);
        assert_eq!([one, two, three].iter().filter(|is_taken| **is_taken).count(), expected);
    }
    store.gate.add_permits(1_000);
    for id in ["wamid.1", "wamid.2", "wamid.3"] {
        assert!(String::from_utf8(taken.recv().await.unwrap()).unwrap().contains(id), "in their order");
    }
    until(|| callbacks.queue.depth() == 0).await;
}

#[test]
fn a_chat_stays_in_order_whatever_threads_its_webhooks_come_on() {
    let (mut scene, one, two) = (Scene::new(), Worker::new(1), Worker::new(2));
    scene.store.close();
    let first = one.comes(&scene, "16315550001", "first");
    one.run(scene.store.entered.acquire()).unwrap().forget();
    let second = two.comes(&scene, "16315550002", "second");
    let third = one.comes(&scene, "16315550002", "third");
    scene.open();
    one.answer(first).unwrap();
    one.answer(third).unwrap();
    two.answer(second).unwrap();
    assert_eq!(scene.delivered(3), ["first", "second", "third"]);
    scene.ends();
}

#[test]
fn a_thread_that_hears_late_of_its_commit_holds_up_nobody() {
    let (mut scene, one, two) = (Scene::new(), Worker::new(1), Worker::new(2));
    let open = scene.hold();
    let first = one.comes(&scene, "16315550001", "first");
    let second = two.comes(&scene, "16315550001", "second");
    drop(open);
    two.answer(second).unwrap();
    assert_eq!(scene.delivered(2), ["first", "second"]);
    one.answer(first).unwrap();
    scene.ends();
}

#[test]
fn many_webhooks_that_wait_are_committed_in_their_order() {
    let (mut scene, workers) = (Scene::new(), [Worker::new(1), Worker::new(2)]);
    let open = scene.hold();
    // More than one commit takes.
    let texts: Vec<String> = (0..2_000).map(|index| index.to_string()).collect();
    let mut takings = [Vec::new(), Vec::new()];
    for (index, text) in texts.iter().enumerate() {
        takings[index % 2].push(workers[index % 2].comes(&scene, "16315550001", text));
    }
    drop(open);
    for (worker, takings) in workers.iter().zip(takings) {
        takings.into_iter().for_each(|taking| drop(worker.answer(taking).unwrap()));
    }
    assert_eq!(scene.delivered(2_000), texts);
    scene.ends();
}

#[test]
fn a_commit_that_fails_costs_its_own_webhooks_and_no_others() {
    let (mut scene, worker) = (Scene::new(), Worker::new(1));
    scene.store.close();
    let texts: Vec<String> = (0..600).map(|index| index.to_string()).collect();
    let takings: Vec<Taking> = texts.iter().map(|text| worker.comes(&scene, "16315550001", text)).collect();
    scene.store.broken.store(true, Ordering::SeqCst);
    scene.store.gate.add_permits(512);
    scene.store.broken.store(false, Ordering::SeqCst);
    assert_eq!(scene.depth(), 88, "the capacity of the others is given back");
    scene.open();
    let answers: Vec<bool> = takings.into_iter().map(|taking| worker.answer(taking).is_ok()).collect();
    assert_eq!((answers[..512].contains(&true), answers[512..].contains(&false)), (false, false));
    assert_eq!(scene.delivered(88), texts[512..]);
    let again = worker.comes(&scene, "16315550001", "0");
    worker.answer(again).unwrap();
    assert_eq!(scene.delivered(1), ["0"], "nobody takes it for a repetition");
    scene.ends();
}

#[test]
fn a_webhook_whose_request_is_gone_is_committed_in_its_place() {
    let (mut scene, worker) = (Scene::new(), Worker::new(1));
    scene.store.close();
    let gone = worker.comes(&scene, "16315550001", "first");
    let second = worker.comes(&scene, "16315550001", "second");
    gone.abort();
    assert!(worker.run(gone).is_err_and(|end| end.is_cancelled()));
    scene.open();
    worker.answer(second).unwrap();
    assert_eq!(scene.delivered(2), ["first", "second"]);
    // Cloud has heard nothing of it.
    let again = text_from("16315550001", "wamid.first", "first").to_string();
    let webhook = Webhook::read(again.as_bytes()).unwrap();
    worker.run(scene.callbacks.take(&webhook)).unwrap();
    scene.ends();
}

/// Before the commit or during it.
#[test]
fn a_thread_that_ends_costs_nobody_else_anything() {
    for is_asked in [false, true] {
        let (mut scene, one, two) = (Scene::new(), Worker::new(1), Worker::new(2));
        let open = scene.hold();
        if is_asked {
            let _first = one.comes(&scene, "16315550001", "first");
        } else {
            let first = text_from("16315550001", "wamid.first", "first").to_string();
            let webhook = Webhook::read(first.as_bytes()).unwrap();
            // Nothing else has run there yet.
            assert!(one.run(async { scene.callbacks.take(&webhook).now_or_never() }).is_none());
        }
        let second = two.comes(&scene, "16315550001", "second");
        drop(one);
        drop(open);
        two.answer(second).unwrap();
        assert_eq!(scene.delivered(2), ["first", "second"]);
        // Cloud has heard nothing of the first.
        let again = text_from("16315550001", "wamid.first", "first").to_string();
        let receipt = two.run(scene.callbacks.take(&Webhook::read(again.as_bytes()).unwrap())).unwrap();
        assert_eq!((receipt.queued, receipt.repeated), (0, 1));
        scene.ends();
    }
}

/// The store's thread cannot wait for its own end.
#[test]
fn a_job_that_waits_does_not_own_the_store() {
    let (scene, worker) = (Scene::new(), Worker::new(1));
    let open = scene.hold();
    let _taking = worker.comes(&scene, "16315550001", "first");
    let Scene { main, store, callbacks, taken } = scene;
    drop(worker);
    main.run(callbacks.stop());
    drop((callbacks, taken, main));
    assert_eq!(Arc::strong_count(&store), 1);
    // Dropping the store waits for the job, and the job for this.
    drop(open);
    drop(store);
}
