//! From a webhook to the queues: converted, and committed before anybody is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::TaskTracker;

use super::aliases::{self, Aliases};
use super::commit::{Commits, Counts};
use super::queue::{NoCapacity, Permit, Queue};
use crate::clock::Clock;
use crate::cloud::webhook::{Value, Webhook};
use crate::settings::NumberSettings;
use crate::store::{self, Batch, EventKey, NewCallback, Store, UserRow, WantedRow};
use crate::telemetry::CallbackMetrics;
use crate::translate::{
    Callback, CallbackKind, Converted, Learnt, Lookup, Notes, Options, UserFile, WebhookOptions, asks,
    value_to_onprem,
};

/// How long Cloud is kept waiting for a commit. It repeats what is not acknowledged, and gives up waiting itself
/// after about as long.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a callback of our own making waits: the answer that gives its id to the client must come first.
const SETTLE: Duration = Duration::from_secs(1);
/// Cloud's 131053 "Media upload error": it could not use a file of the message.
const MEDIA_UPLOAD_ERROR: i64 = 131_053;

/// Takes webhooks in.
pub struct Intake {
    pub(super) queues: HashMap<String, Arc<Queue>>,
    store: Arc<dyn Store>,
    clock: Clock,
    options: Options,
    metrics: CallbackMetrics,
    commits: Commits,
    /// Under which ids clients know users, by number.
    pub(super) aliases: HashMap<String, Arc<Aliases>>,
    /// When the log last heard of a webhook that was not taken.
    complained_at: AtomicI64,
    tasks: TaskTracker,
}

/// What became of a webhook.
#[derive(Debug, Default)]
pub struct Receipt {
    /// Messages of which Cloud could not use a file.
    pub failed_media: Vec<String>,
    /// Whether files are wanted that users sent.
    pub wants_media: bool,
    /// How many events are in the queue.
    pub queued: usize,
    /// How many were known already.
    pub repeated: usize,
}

/// Why a webhook was not taken. Cloud keeps it and tries again.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A number's queue is full.
    #[error("the queue of callbacks is full")]
    Full,
    /// The store has not committed it, or not in time.
    #[error("it could not be committed: {0}")]
    Store(String),
}

impl Intake {
    pub(super) fn new(
        store: Arc<dyn Store>,
        clock: Clock,
        options: Options,
        metrics: CallbackMetrics,
        tasks: TaskTracker,
    ) -> Self {
        let commits = Commits::new(Arc::clone(&store), metrics.clone());
        Self {
            queues: HashMap::new(),
            store,
            clock,
            options,
            metrics,
            commits,
            aliases: HashMap::new(),
            complained_at: AtomicI64::new(0),
            tasks,
        }
    }

    /// Turns `webhook` into callbacks and commits them to the queues of their numbers.
    pub async fn take(&self, webhook: &Webhook<'_>) -> Result<Receipt, Refused> {
        self.count_unread(webhook);
        let came = Arrival { at: self.clock.now(), since: Instant::now() };
        let at = came.at;
        let mut load = Load::default();
        for value in webhook.values() {
            let Some(queue) = self.queues.get(&*value.phone_number_id) else {
                self.metrics.event("unknown_number");
                continue;
            };
            self.value(value, queue, came, &mut load).await?;
        }
        if load.callbacks.is_empty() && load.users.is_empty() {
            return Ok(load.receipt);
        }
        let Rooms { rooms, is_whole } = self.rooms(&mut load);
        let Load { callbacks, users, mut receipt, .. } = load;
        let taken = self.committed(Batch { at, callbacks, users }, rooms).await;
        if let Err(refused) = &taken {
            self.complain(refused, at);
        }
        let Counts { queued, repeated } = taken?;
        (receipt.queued, receipt.repeated) = (queued, repeated);
        // What had room is taken, and known when Cloud repeats all of it for the sake of the rest.
        if is_whole { Ok(receipt) } else { Err(Refused::Full) }
    }

    /// Cloud keeps what is refused, for a while, so somebody has to know; once a second is enough.
    fn complain(&self, refused: &Refused, at: i64) {
        if self.complained_at.swap(at, Ordering::Relaxed) != at {
            tracing::error!(%refused, "a webhook was not taken; Cloud keeps it and repeats it for seven days");
        }
    }

    /// Queues a callback of our own making.
    pub async fn add(&self, queue: &Arc<Queue>, chat: String, body: Vec<u8>) -> Result<(), Refused> {
        let callback =
            NewCallback { number: queue.number.clone(), chat, key: None, wanted: None, body: body.into() };
        if queue.depth() >= queue.own_share() {
            return Err(Refused::Full);
        }
        let whose = Whose { queue: Arc::clone(queue), is_message: false };
        let mut load = Load { callbacks: vec![callback], whose: vec![whose], ..Load::default() };
        let Rooms { rooms, .. } = self.rooms(&mut load);
        if load.callbacks.is_empty() {
            return Err(Refused::Full);
        }
        let batch = Batch { at: self.clock.now(), callbacks: load.callbacks, users: load.users };
        let (done, answer) = oneshot::channel();
        let committed = self.commits.commit_only(batch, rooms);
        self.tasks.spawn(async move {
            match committed.await.unwrap_or(Err(store::Error::Closed)) {
                Ok(committed) => {
                    let _ = done.send(Ok(()));
                    // The answer that names what this is about is still on its way to the client.
                    sleep(SETTLE).await;
                    committed.schedule();
                }
                Err(error) => drop(done.send(Err(Refused::Store(error.to_string())))),
            }
        });
        // Without a limit of our own: who is told that it failed must not get it later all the same.
        answer.await.unwrap_or_else(|_| Err(Refused::Store("the task ended".to_owned())))
    }

    /// The time, in seconds since the Unix epoch.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    fn count_unread(&self, webhook: &Webhook<'_>) {
        for _ in 0..webhook.others() {
            self.metrics.event("other_field");
        }
        // One line: a body may have a million parts.
        if let Some(first) = webhook.unreadable.first() {
            let (parts, place, reason) = (webhook.unreadable.len(), first.path.as_str(), first.reason);
            tracing::warn!(parts, place, reason, "parts of a webhook were left out");
        }
        for _ in &webhook.unreadable {
            self.metrics.event("unreadable");
        }
    }

    async fn value(
        &self,
        value: &Value<'_>,
        queue: &Arc<Queue>,
        came: Arrival,
        load: &mut Load,
    ) -> Result<(), Refused> {
        let Converted { callbacks, learnt, dropped } = self.converted(value, queue, came, load).await?;
        dropped.iter().for_each(|_| self.metrics.event("no_counterpart"));
        let settings = queue.settings();
        for callback in callbacks {
            let is_wanted = match callback.kind {
                CallbackKind::Status(word) => settings.application.sends(word),
                CallbackKind::Message | CallbackKind::System | CallbackKind::Error => true,
            };
            if is_wanted {
                load.add(callback, queue, &settings, came.at);
            } else {
                self.metrics.event("switched_off");
            }
        }
        for learnt in learnt {
            if let (Learnt::Changed { previous: Some(previous), .. }, Some(aliases)) =
                (&learnt, self.aliases.get(&queue.number))
            {
                aliases.ended(previous);
            }
            load.users.extend(rows(learnt, &queue.number));
        }
        let failed = value
            .statuses
            .iter()
            .filter(|status| status.errors.iter().any(|error| error.code == Some(MEDIA_UPLOAD_ERROR)));
        load.receipt.failed_media.extend(failed.map(|status| status.id.to_string()));
        Ok(())
    }

    /// The callbacks of `value`, with users under the ids by which the client knows them. Where more may be known of them
    /// in a moment, or in the store, it is converted anew.
    async fn converted<'v>(
        &self,
        value: &'v Value<'v>,
        queue: &Queue,
        came: Arrival,
        load: &Load,
    ) -> Result<Converted<'v>, Refused> {
        let known = self.known(value, queue, came, load).await?;
        // An answer may come at any moment, and what was unknown before it is known after it.
        let unsure = known.aliases.filter(|aliases| aliases.is_unsure());
        let received_at = u64::try_from(came.at).unwrap_or(0);
        let options = WebhookOptions { compat: self.options.clone(), received_at };
        let convert = |known: &Known<'_>, is_sure: bool| {
            known.pair_up(value, is_sure);
            value_to_onprem(value, &options, known, &mut Notes::brief())
        };
        let converted = convert(&known, unsure.is_none());
        let mut unknown = known.unknown.take();
        match unsure.filter(|_| !unknown.is_empty()) {
            None => Ok(converted),
            Some(aliases) => {
                // A message to a business-scoped id may tell who the others are.
                unknown.extend(asks(value));
                came.in_time(aliases.settle(&unknown, came.since)).await?;
                Ok(convert(&known, true))
            }
        }
    }

    /// What the conversion of `value` will ask for.
    async fn known(
        &self,
        value: &Value<'_>,
        queue: &Queue,
        came: Arrival,
        load: &Load,
    ) -> Result<Known<'_>, Refused> {
        let number = queue.number.as_str();
        let mut known = Known {
            wa_ids: HashMap::new(),
            aliases: self.aliases.get(number).map(Arc::as_ref),
            unknown: RefCell::default(),
        };
        let user_ids = asks(value);
        if !user_ids.is_empty() {
            let numbers = aliases::numbers(&*self.store, number, &user_ids);
            known.wa_ids.extend(came.in_time(numbers).await?);
        }
        // What an earlier part of the same webhook told is not in the store yet.
        for user in load.users.iter().filter(|user| user.number == number) {
            match &user.wa_id {
                Some(wa_id) => known.wa_ids.insert(user.user_id.clone(), wa_id.clone()),
                None => known.wa_ids.remove(&user.user_id),
            };
        }
        Ok(known)
    }

    /// Room for the callbacks of a webhook. Takes out those that have none.
    fn rooms(&self, load: &mut Load) -> Rooms {
        let mut wanted: Vec<(Whose, usize)> = Vec::new();
        for whose in load.whose.drain(..) {
            match wanted.iter_mut().find(|(known, _)| Arc::ptr_eq(&known.queue, &whose.queue)) {
                Some((known, count)) => {
                    known.is_message |= whose.is_message;
                    *count += 1;
                }
                None => wanted.push((whose, 1)),
            }
        }
        let mut all = Rooms { rooms: Vec::with_capacity(wanted.len()), is_whole: true };
        for (Whose { queue, is_message }, count) in wanted {
            match queue.reserve(count) {
                Ok(permit) => {
                    all.rooms.push(permit);
                    continue;
                }
                // What users wrote stays with Cloud, in case that somebody says in time where it should go.
                Err(NoCapacity::NotHeld) if !is_message => self.throw_away(&queue, count),
                Err(NoCapacity::Full | NoCapacity::NotHeld) => {
                    all.is_whole = false;
                    self.complain(&Refused::Full, self.clock.now());
                }
            }
            load.callbacks.retain(|callback| callback.number != queue.number);
        }
        all
    }

    fn throw_away(&self, queue: &Queue, count: usize) {
        for _ in 0..count {
            self.metrics.event("no_callback_url");
        }
        self.metrics.thrown_away(&queue.name, count);
        tracing::debug!(
            number = queue.name,
            callbacks = count,
            "statuses that nobody wants were thrown away"
        );
    }

    /// Waits until it is in the store. The work goes on to its end, whoever waits.
    async fn committed(&self, batch: Batch, rooms: Vec<Permit>) -> Result<Counts, Refused> {
        match timeout(PATIENCE, self.commits.commit(batch, rooms)).await {
            Ok(Ok(Ok(counts))) => Ok(counts),
            Ok(Ok(Err(error))) => Err(Refused::Store(error.to_string())),
            Ok(Err(_)) => Err(Refused::Store("the task ended".to_owned())),
            Err(_) => Err(Refused::Store("the store does not answer".to_owned())),
        }
    }
}

/// Room in the queues of a webhook's numbers.
struct Rooms {
    rooms: Vec<Permit>,
    /// Whether none of them was full.
    is_whole: bool,
}

/// Whose a callback is.
struct Whose {
    queue: Arc<Queue>,
    /// Whether it tells what a user wrote, and not what became of something.
    is_message: bool,
}

/// What a webhook brings, as it is read.
#[derive(Default)]
struct Load {
    callbacks: Vec<NewCallback>,
    /// Of each callback.
    whose: Vec<Whose>,
    users: Vec<UserRow>,
    receipt: Receipt,
}

impl Load {
    fn add(&mut self, callback: Callback<'_>, queue: &Arc<Queue>, settings: &NumberSettings, at: i64) {
        let is_message = matches!(callback.kind, CallbackKind::Message | CallbackKind::System);
        self.whose.push(Whose { queue: Arc::clone(queue), is_message });
        let is_chosen = |file: &UserFile| {
            settings.application.auto_download().iter().any(|chosen| chosen.name() == file.kind)
        };
        let wanted = callback.file.filter(is_chosen).map(|file| WantedRow {
            number: queue.number.clone(),
            media_id: file.id,
            media_type: file.media_type,
            added_at: at,
        });
        self.receipt.wants_media |= wanted.is_some();
        self.callbacks.push(NewCallback {
            number: queue.number.clone(),
            chat: callback.chat.unwrap_or_default(),
            key: callback.dedupe.map(|event| key(&queue.number, &event)),
            wanted,
            body: callback.body.into(),
        });
    }
}

/// When a webhook came: by the clock, and for how long Cloud has waited. All its values share that time.
#[derive(Clone, Copy)]
struct Arrival {
    at: i64,
    since: Instant,
}

impl Arrival {
    /// An answer of the store that Cloud waits for.
    async fn in_time<T>(self, answer: impl Future<Output = Result<T, store::Error>>) -> Result<T, Refused> {
        let answer = timeout_at(self.since + PATIENCE, answer).await;
        answer
            .map_err(|_| Refused::Store("the store does not answer".to_owned()))?
            .map_err(|error| Refused::Store(error.to_string()))
    }
}

/// The same event under two numbers is two events.
fn key(number: &str, event: &str) -> EventKey {
    let hash = Sha256::new().chain_update(number).chain_update([0]).chain_update(event).finalize();
    let mut key = EventKey::default();
    key.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    key
}

/// What is told of a user. Who changed the id may have changed the phone number, too: then nobody knows it.
fn rows(learnt: Learnt, number: &str) -> impl Iterator<Item = UserRow> {
    let row = |user_id, wa_id| UserRow { number: number.to_owned(), user_id, wa_id };
    match learnt {
        Learnt::Pair { user_id, wa_id } => Some(row(user_id, Some(wa_id))),
        Learnt::Changed { previous, .. } => previous.map(|previous| row(previous, None)),
    }
    .into_iter()
}

/// What is known of the users of a value.
struct Known<'i> {
    wa_ids: HashMap<String, String>,
    aliases: Option<&'i Aliases>,
    /// Who was asked about in vain.
    unknown: RefCell<Vec<String>>,
}

impl Known<'_> {
    /// What `value` tells counts for the callbacks that it becomes. A number that memory does not know may have a name
    /// in the store, or get one in a moment.
    fn pair_up(&self, value: &Value<'_>, is_sure: bool) {
        let Some(aliases) = self.aliases.filter(|_| !value.tells_of_change()) else { return };
        for user in value.users() {
            if let (Some(user_id), Some(wa_id)) = (&user.user_id, &user.wa_id) {
                if is_sure || !aliases.lacks(wa_id) {
                    aliases.paired(user_id, wa_id);
                } else {
                    self.unknown.borrow_mut().push(wa_id.to_string());
                }
            }
        }
    }
}

impl Lookup for Known<'_> {
    fn wa_id(&self, user_id: &str) -> Option<String> {
        self.wa_ids.get(user_id).cloned()
    }

    fn shown(&self, id: &str) -> Option<String> {
        let shown = self.aliases.and_then(|aliases| aliases.shown(id));
        if shown.is_none() {
            self.unknown.borrow_mut().push(id.to_owned());
        }
        shown
    }
}
