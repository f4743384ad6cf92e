//! Callbacks without a server, over a store that can fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prembridge::callback::{Callbacks, Dial, Outcome, Tools, Transport};
use prembridge::clock::Clock;
use prembridge::settings::{NumberSettings, Settings};
use prembridge::store::Store;
use prembridge::telemetry::CallbackMetrics;
use prembridge::translate::{Options, WaId};
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
    pub callbacks: Callbacks,
    /// What was delivered.
    pub taken: mpsc::UnboundedReceiver<Vec<u8>>,
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
    let url = prembridge::config::Secret::new("http://client/");
    let configured = [(PHONE_NUMBER_ID.to_owned(), Some(url))];
    let dyn_store: Arc<dyn Store> = Arc::clone(&store) as Arc<dyn Store>;
    let settings = Settings::open(Arc::clone(&dyn_store), configured.into_iter()).await.unwrap();
    let (taker, taken) = mpsc::unbounded_channel();
    let tools = Tools {
        store: dyn_store,
        settings,
        dial: Arc::new(Taker(taker, Arc::default())),
        clock,
        metrics: CallbackMetrics::default(),
        options: Options::default(),
        wa_id,
        most,
    };
    let numbers = [(PHONE_NUMBER_ID.to_owned(), "support".to_owned())];
    let callbacks = Callbacks::open(numbers.into_iter(), tools).await.unwrap();
    callbacks.start();
    Parts { store, callbacks, taken }
}
