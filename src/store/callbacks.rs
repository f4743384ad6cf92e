//! What is kept of callbacks: the queue, which events were seen, and what webhooks told about users.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Error, Reply, WantedRow};

/// Equal for repetitions of one event: a hash that the caller makes.
pub type EventKey = [u8; 16];

/// Gives batches when their turn has come.
pub type Batches = Box<dyn FnOnce() -> Vec<Arc<Batch>> + Send>;

/// The place of each callback of a batch, in the order given and rising; none for those whose key was seen before.
pub type Queued = Result<Vec<Option<i64>>, Error>;

/// The part of an engine that callbacks need; every [`Store`](super::Store) has it.
///
/// The same rules hold as for [`Store`](super::Store). A place in the queue is never given twice, so that
/// whoever deletes late deletes nobody else's.
pub trait CallbackStore: Send + Sync {
    /// Queues callbacks and remembers what they tell about users; of each batch all or nothing. One that cannot be
    /// queued does not keep the others out. An engine that is busy asks for them when it is free.
    fn queue_all(&self, batches: Batches) -> Reply<'_, Vec<Queued>>;

    /// Queues one batch.
    fn queue_callbacks(&self, batch: Batch) -> Reply<'_, Vec<Option<i64>>> {
        let queued = self.queue_all(Box::new(|| vec![Arc::new(batch)]));
        Box::pin(async move { queued.await?.pop().unwrap_or(Err(Error::Closed)) })
    }

    /// The queues of all numbers, in their order, without the bodies.
    fn queued_callbacks(&self) -> Reply<'_, Vec<QueuedRow>>;

    /// The body of a queued callback.
    fn callback_body(&self, place: i64) -> Reply<'_, Option<Vec<u8>>>;

    /// Takes callbacks out of the queue. Doing it twice is no error.
    fn delete_callbacks(&self, places: Vec<i64>) -> Reply<'_, ()>;

    /// The phone numbers behind business-scoped ids, as far as a number knows them: pairs of id and phone number.
    fn recall(&self, number: &str, user_ids: Vec<String>) -> Reply<'_, Vec<(String, String)>>;

    /// Forgets some of the events that were seen before `t`, the oldest, and says how many; none when all are forgotten.
    /// Few at a time keep everybody else's wait short: `most`, unless an engine forgets them in larger pieces. Then it
    /// may keep those that came little before `t` for some time longer.
    fn purge_seen(&self, t: i64, most: usize) -> Reply<'_, usize>;
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
    /// A file of it that is wanted, unless the event was seen before.
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
