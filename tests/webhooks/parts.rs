//! Callbacks without a server, over a store that can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prembridge::callback::{Aliases, Callbacks, Dial, Outcome, Queue, Refused, Tools, Transport};
use prembridge::clock::Clock;
use prembridge::cloud::webhook::Webhook;
use prembridge::config::Secret;
use prembridge::settings::{Documents, NumberSettings, Settings};
use prembridge::store::Store;
use prembridge::telemetry::CallbackMetrics;
use prembridge::translate::{Options, WaId};
use prembridge::webhook::{Inbox, Intake, Receipt};
use tokio::sync::mpsc;

use crate::support::PHONE_NUMBER_ID;
use crate::support::faulty::Faulty;

/// Takes everything, and tells what it took; the first text "panic" is our own mistake.
#[derive(Clone)]
struct Taker(mpsc::UnboundedSender<Vec<u8>>, Arc<AtomicBool>);

impl Dial for Taker {
    fn dial(&self, settings: &NumberSettings) -> Result<Option<Arc<dyn Transport>>, String> {
        Ok(settings.callback_target().map(|_| Arc::new(self.clone()) as Arc<dyn Transport>))
    }
}

impl Transport for Taker {
    fn deliver(&self, body: bytes::Bytes) -> std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let is_fatal = body.windows(7).any(|text| text == b"\"panic\"");
        if is_fatal && !self.1.swap(true, Ordering::SeqCst) {
            return Box::pin(async { panic!("on purpose") });
        }
        self.0.send(body.to_vec()).unwrap();
        Box::pin(std::future::ready(Outcome::Taken))
    }
}

/// Callbacks over a store that can fail.
pub struct Parts {
    pub store: Arc<Faulty>,
    pub callbacks: Inlet,
    /// What was delivered.
    pub taken: mpsc::UnboundedReceiver<Vec<u8>>,
}

/// The callbacks of one number, and the way in for its webhooks.
pub struct Inlet {
    pub callbacks: Arc<Callbacks>,
    pub queue: Arc<Queue>,
    pub aliases: Arc<Aliases>,
    intake: Intake,
    options: Options,
}

impl Inlet {
    /// Of a number with these settings.
    pub async fn open(tools: Tools, settings: &Settings) -> Self {
        let callbacks = Arc::new(Callbacks::new(tools));
        let (queue, aliases) = callbacks.open(PHONE_NUMBER_ID, "support", settings.watch()).await.unwrap();
        callbacks.restore(|number| (number == PHONE_NUMBER_ID).then_some(&queue)).await.unwrap();
        callbacks.start(&queue);
        let intake = Intake::new(Arc::clone(&callbacks));
        Self { callbacks, queue, aliases, intake, options: Options::default() }
    }

    pub async fn take(&self, webhook: &Webhook<'_>) -> Result<Receipt, Refused> {
        let Self { queue, aliases, options, .. } = self;
        let inbox = Inbox { queue, aliases, options };
        self.intake.take(webhook, |number| (number == PHONE_NUMBER_ID).then_some(inbox)).await
    }
}

impl std::ops::Deref for Inlet {
    type Target = Callbacks;

    fn deref(&self) -> &Callbacks {
        &self.callbacks
    }
}

/// The settings of a number that nobody has changed.
pub fn settings(store: Arc<dyn Store>, url: Option<&str>) -> Settings {
    Settings::new(store, PHONE_NUMBER_ID, url.map(Secret::new), &Documents::default()).unwrap()
}

pub async fn parts() -> Parts {
    parts_over(Faulty::new(), 10).await
}

/// The same over `store`, with room for `most` callbacks.
pub async fn parts_over(store: Arc<Faulty>, most: usize) -> Parts {
    parts_with(store, most, Clock::fixed(1_700_000_000), WaId::default()).await
}

/// The same at a time, and with users under ids of either kind.
pub async fn parts_with(store: Arc<Faulty>, most: usize, clock: Clock, wa_id: WaId) -> Parts {
    let dyn_store: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let settings = settings(Arc::clone(&dyn_store), Some("http://client/"));
    let (taker, taken) = mpsc::unbounded_channel();
    let tools = Tools {
        store: dyn_store,
        dial: Arc::new(Taker(taker, Arc::default())),
        clock,
        metrics: CallbackMetrics::default(),
        wa_id,
        most,
    };
    Parts { store, callbacks: Inlet::open(tools, &settings).await, taken }
}
