//! What takes hours and days: how long callbacks are held, waited for and tried, by a clock that the tests turn.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use prembridge::callback::{Dial, Outcome, Refused, Tools, Transport};
use prembridge::clock::Clock;
use prembridge::cloud::webhook::Webhook;
use prembridge::onprem::settings::Patch;
use prembridge::settings::{NumberSettings, Settings};
use prembridge::store::{CallbackStore as _, Store};
use prembridge::telemetry::CallbackMetrics;
use prembridge::translate::WaId;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, advance, pause, resume, timeout};

use super::parts::{Inlet, settings};
use super::scene::{status, text, text_from};
use crate::support::faulty::Faulty;
use crate::support::until;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// Longer than anything takes, in time that goes by itself when nobody has anything to do.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Deed {
    Take,
    Refuse,
    Hang,
}

type Rule = Arc<Mutex<Box<dyn FnMut(&str) -> Deed + Send>>>;

/// A client that does as the rule says, and tells of each callback that comes.
#[derive(Clone)]
struct Wilful(Rule, mpsc::UnboundedSender<String>);

impl Dial for Wilful {
    fn dial(&self, settings: &NumberSettings) -> Result<Option<Arc<dyn Transport>>, String> {
        Ok(settings.callback_target().map(|_| Arc::new(self.clone()) as Arc<dyn Transport>))
    }
}

impl Transport for Wilful {
    fn deliver(&self, body: bytes::Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let body = String::from_utf8(body.to_vec()).unwrap();
        let deed = (self.0.lock().unwrap())(&body);
        self.1.send(body).unwrap();
        Box::pin(async move {
            match deed {
                Deed::Take => Outcome::Taken,
                Deed::Refuse => Outcome::Refused(500),
                Deed::Hang => std::future::pending().await,
            }
        })
    }
}

struct Parts {
    store: Arc<Faulty>,
    settings: Settings,
    callbacks: Inlet,
    clock: Clock,
    came: mpsc::UnboundedReceiver<String>,
}

impl Parts {
    /// With room for `most` callbacks, and a client that has said where it wants them.
    async fn new(most: usize, rule: impl FnMut(&str) -> Deed + Send + 'static) -> Self {
        let store = Faulty::new();
        let dyn_store: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
        let settings = settings(Arc::clone(&dyn_store), None);
        let (sender, came) = mpsc::unbounded_channel();
        let clock = Clock::fixed(1_700_000_000);
        let tools = Tools {
            store: dyn_store,
            dial: Arc::new(Wilful(Arc::new(Mutex::new(Box::new(rule))), sender)),
            clock: clock.clone(),
            metrics: CallbackMetrics::default(),
            wa_id: WaId::default(),
            most,
        };
        let patch = br#"{"callback_backoff_delay_ms":10,"max_callback_backoff_delay_ms":10,"webhooks":{"url":"https://client.example/"}}"#;
        settings.patch(Patch::parse(patch).unwrap()).await.unwrap();
        let callbacks = Inlet::open(tools, &settings).await;
        Self { store, settings, callbacks, clock, came }
    }

    async fn tell(&self, webhook: &Value) -> Result<(), Refused> {
        let body = webhook.to_string();
        self.callbacks.take(&Webhook::read(body.as_bytes()).unwrap()).await.map(drop)
    }

    fn depth(&self) -> usize {
        self.callbacks.queue.depth()
    }

    /// Lets time pass on both clocks, and the workers notice. It is stopped for no longer than that: the store is a
    /// thread, which no stopped clock waits for.
    async fn pass(&self, time: Duration) {
        pause();
        self.clock.advance(time.as_secs().cast_signed());
        advance(time).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        resume();
    }
}

/// However old they are: they were not taken, and then the client said that it would be elsewhere.
#[tokio::test]
async fn callbacks_are_held_for_a_week_after_their_place_was_taken_away() {
    let mut parts = Parts::new(10, |_| Deed::Refuse).await;
    parts.tell(&text("wamid.1", "hello")).await.unwrap();
    parts.came.recv().await.unwrap();
    parts.clock.advance(10 * 86_400);
    parts.settings.reset().await.unwrap();
    parts.pass(HOUR).await;
    for _ in 0..4 {
        parts.pass(DAY).await;
        assert_eq!(parts.depth(), 1, "held");
    }
    parts.tell(&text("wamid.2", "later")).await.unwrap();
    for _ in 0..2 {
        parts.pass(DAY).await;
        assert_eq!(parts.depth(), 2, "held");
    }
    parts.pass(DAY).await;
    parts.pass(HOUR).await;
    until(|| parts.depth() < 2).await;
    // The next sweep is reckoned from when the store has heard of this one.
    while parts.store.queued_callbacks().await.unwrap().len() > 1 {}
    for _ in 0..3 {
        parts.pass(DAY).await;
        assert_eq!(parts.depth(), 1, "each for a week of its own");
    }
    parts.pass(DAY).await;
    parts.pass(HOUR).await;
    until(|| parts.depth() == 0).await;
    until(|| parts.callbacks.queue.oldest().is_none()).await;
}

/// A number whose settings were just reset is waited for, for a day; then its statuses are nobody's.
#[tokio::test]
async fn a_number_without_a_place_for_callbacks_is_waited_for_for_a_day() {
    let mut parts = Parts::new(2, |_| Deed::Take).await;
    parts.tell(&status("wamid.0", "read")).await.unwrap();
    parts.came.recv().await.unwrap();
    until(|| parts.depth() == 0).await;
    parts.settings.reset().await.unwrap();
    for id in 1..=2 {
        parts.tell(&status(&format!("wamid.{id}"), "read")).await.unwrap();
    }
    for hours in [1, 22] {
        assert!(matches!(parts.tell(&status("wamid.3", "read")).await, Err(Refused::Full)));
        parts.pass(hours * HOUR).await;
    }
    assert!(matches!(parts.tell(&status("wamid.3", "read")).await, Err(Refused::Full)), "after 23 hours");
    parts.pass(2 * HOUR).await;
    parts.tell(&status("wamid.3", "read")).await.unwrap();
    assert_eq!(parts.depth(), 2, "it was thrown away");
}

/// Half of the turns are for what has not failed yet.
#[tokio::test]
async fn callbacks_that_hang_hold_up_nobody_else() {
    let mut seen = std::collections::HashSet::new();
    let mut parts = Parts::new(100, move |body: &str| match body {
        body if !body.contains("hang") => Deed::Take,
        body if seen.insert(body.to_owned()) => Deed::Refuse,
        _ => Deed::Hang,
    })
    .await;
    const CHATS: usize = 40;
    for chat in 0..CHATS {
        let user = format!("1631555{chat:04}");
        parts.tell(&text_from(&user, &format!("wamid.{chat}"), "hang")).await.unwrap();
    }
    pause();
    // All of them have failed, and as many as may hang again do so.
    for _ in 0..CHATS {
        timeout(PATIENCE, parts.came.recv()).await.expect("it waits for what hangs").unwrap();
    }
    while timeout(PATIENCE, parts.came.recv()).await.is_ok() {}
    resume();
    parts.tell(&text("wamid.other", "hello")).await.unwrap();
    let came = timeout(PATIENCE, parts.came.recv()).await.expect("it waits for what hangs").unwrap();
    assert!(came.contains("hello"), "{came}");
}

/// What could not be taken out is tried again soon, when nothing else reminds of it.
#[tokio::test]
async fn a_removal_that_failed_is_made_up_for_in_seconds() {
    let mut parts = Parts::new(10, |_| Deed::Take).await;
    parts.store.close();
    let breaking = async {
        parts.store.entered.acquire().await.unwrap().forget();
        parts.store.gate.add_permits(1);
        parts.store.entered.acquire().await.unwrap().forget();
        parts.store.broken.store(true, Ordering::SeqCst);
        parts.store.gate.add_permits(1_000);
    };
    let telling = text("wamid.1", "hello");
    let (told, ()) = tokio::join!(parts.tell(&telling), breaking);
    told.unwrap();
    parts.came.recv().await.unwrap();
    until(|| parts.depth() == 0).await;
    parts.store.broken.store(false, Ordering::SeqCst);
    pause();
    let begun = Instant::now();
    parts.store.entered.acquire().await.unwrap().forget();
    let waited = begun.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(6)).contains(&waited), "{waited:?}");
    until(|| parts.callbacks.queue.depth() == 0).await;
    parts.callbacks.stop().await;
    assert!(parts.store.queued_callbacks().await.unwrap().is_empty());
}
