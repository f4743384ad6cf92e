//! What is kept of callbacks: the queue, which events have come, and what webhooks told about users.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Error, Reply, WantedRow};

/// Equal for repetitions of one event: a hash that the caller makes.
pub type EventKey = [u8; 16];

/// The place of each callback of a batch, in the order given and rising; none for those whose event had come before.
pub type Queued = Result<Vec<Option<i64>>, Error>;

/// Learns what became of a batch.
pub type Done = Box<dyn FnOnce(Queued) + Send>;

/// The part of an engine that callbacks need; every [`Store`](super::Store) has it.
///
/// The same rules hold as for [`Store`](super::Store). A place in the queue is never given twice, so that
/// whoever deletes late deletes nobody else's.
pub trait CallbackStore: Send + Sync {
    /// Queues the callbacks of a batch and remembers what they tell about users: all or nothing. Batches are committed in
    /// the order in which they come, those that come together in one commit; one that cannot be queued does not keep the
    /// others out.
    ///
    /// `done` is called in that order, when the batch is on disk or cannot be. It runs on the engine's thread, so it has to
    /// be short and must not own the store. It is dropped when the engine ends before it gets there.
    fn queue(&self, batch: Arc<Batch>, done: Done);

    /// Queues one batch, and waits for it.
    fn queue_callbacks(&self, batch: Batch) -> Reply<'_, Vec<Option<i64>>> {
        Box::pin(async {
            let (sender, answer) = oneshot::channel();
            self.queue(Arc::new(batch), Box::new(|queued| drop(sender.send(queued))));
            answer.await.map_err(|_| Error::Closed)?
        })
    }

    /// The queues of all numbers, in their order, without the bodies.
    fn queued_callbacks(&self) -> Reply<'_, Vec<QueuedRow>>;

    /// The body of a queued callback.
    fn callback_body(&self, place: i64) -> Reply<'_, Option<Vec<u8>>>;

    /// Takes callbacks out of the queue. Doing it twice is no error.
    fn delete_callbacks(&self, places: Vec<i64>) -> Reply<'_, ()>;

    /// The phone numbers behind business-scoped ids, as far as a number knows them: pairs of id and phone number.
    fn recall(&self, number: &str, user_ids: Vec<String>) -> Reply<'_, Vec<(String, String)>>;

    /// Forgets events that came before `t`. It may keep some of them for longer.
    fn forget_events(&self, t: i64) -> Reply<'_, ()>;
}

/// What one webhook brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// When it came, in seconds since the Unix epoch.
    pub at: i64,
    /// The callbacks, in their order.
    pub callbacks: Vec<NewCallback>,
    /// What it tells about users.
    pub users: Vec<UserRow>,
}

/// A callback to be queued.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCallback {
    /// The number whose client gets it.
    pub number: String,
    /// Callbacks of one number with the same chat are delivered in order.
    pub chat: String,
    /// None where repetitions cannot be told.
    pub key: Option<EventKey>,
    /// A file of it that is wanted, unless the event had come before.
    pub wanted: Option<WantedRow>,
    /// What is posted.
    pub body: Bytes,
}

/// A queued callback.
#[derive(Clone, PartialEq, Eq)]
pub struct QueuedRow {
    /// Its place in the queue.
    pub place: i64,
    /// The number whose client gets it.
    pub number: String,
    /// Callbacks of one number with the same chat are delivered in order.
    pub chat: String,
    /// When it was queued, in seconds since the Unix epoch.
    pub at: i64,
}

/// The phone number behind a business-scoped user id, as far as one business knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// The number whose deployment learnt it.
    pub number: String,
    /// The business-scoped id.
    pub user_id: String,
    /// The phone number; none when the id is not in use any more.
    pub wa_id: Option<String>,
}

/// All of these name people or hold what they wrote, so their `Debug` forms leave that out.
macro_rules! debug_without_people {
    ($($name:ident { $($shown:ident),* })*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($shown), &self.$shown))*.finish_non_exhaustive()
            }
        })*
    };
}

debug_without_people! {
    NewCallback { number, key }
    QueuedRow { place, number, at }
    UserRow { number }
}
