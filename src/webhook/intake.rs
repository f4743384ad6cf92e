//! From a webhook to the queues: converted, and committed before anybody is told.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::{Instant, timeout, timeout_at};

use crate::callback::{Aliases, Callbacks, Counts, NoCapacity, Permit, Queue, Refused, numbers};
use crate::cloud::webhook::{Value, Webhook};
use crate::number::Number;
use crate::settings::NumberSettings;
use crate::store::{self, Batch, EventKey, NewCallback, UserRow, WantedRow};
use crate::translate::{
    Callback, CallbackKind, Converted, Learnt, Lookup, Notes, Options, UserFile, WebhookOptions, asks,
    value_to_onprem,
};

/// How long Cloud is kept waiting for a commit. It repeats what is not acknowledged, and gives up waiting itself
/// after about as long.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Cloud's 131053 "Media upload error": it could not use a file of the message.
const MEDIA_UPLOAD_ERROR: i64 = 131_053;

/// Takes webhooks in.
pub struct Intake {
    callbacks: Arc<Callbacks>,
    /// When the log last heard of a webhook that was not taken.
    complained_at: AtomicI64,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Intake")
    }
}

/// Where the webhooks of one number go.
#[derive(Clone, Copy, Debug)]
pub struct Inbox<'n> {
    /// The queue of its callbacks.
    pub queue: &'n Arc<Queue>,
    /// Under which ids its client knows users.
    pub aliases: &'n Aliases,
    /// Choices of the translation.
    pub options: &'n Options,
}

impl<'n> From<&'n Number> for Inbox<'n> {
    fn from(number: &'n Number) -> Self {
        Self { queue: &number.callbacks, aliases: &number.aliases, options: &number.compat.options }
    }
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

impl Intake {
    /// An intake into the queues of `callbacks`.
    pub fn new(callbacks: Arc<Callbacks>) -> Self {
        Self { callbacks, complained_at: AtomicI64::new(0) }
    }

    /// Turns `webhook` into callbacks and commits them to the queues of their numbers, which `inbox_of` finds by phone
    /// number id.
    pub async fn take<'n>(
        &self,
        webhook: &Webhook<'_>,
        inbox_of: impl Fn(&str) -> Option<Inbox<'n>>,
    ) -> Result<Receipt, Refused> {
        self.count_unread(webhook);
        let came = Arrival { at: self.callbacks.now(), since: Instant::now() };
        let mut receipt = Receipt::default();
        let mut groups: Vec<Group<'n>> = Vec::new();
        for value in webhook.values() {
            let Some(inbox) = inbox_of(&value.phone_number_id) else {
                self.event("unknown_number");
                continue;
            };
            let known = groups.iter().position(|group| Arc::ptr_eq(group.inbox.queue, inbox.queue));
            let index = known.unwrap_or(groups.len());
            if known.is_none() {
                groups.push(Group::new(inbox));
            }
            if let Some(group) = groups.get_mut(index) {
                self.value(value, group, came, &mut receipt).await?;
            }
        }
        if groups.iter().all(|group| group.callbacks.is_empty() && group.users.is_empty()) {
            return Ok(receipt);
        }
        let mut batch = Batch { at: came.at, callbacks: Vec::new(), users: Vec::new() };
        let (mut permits, mut is_whole) = (Vec::with_capacity(groups.len()), true);
        for group in groups {
            batch.users.extend(group.users);
            match self.reserve(group.inbox.queue, group.callbacks.len(), group.has_message) {
                Ok(Some(permit)) => {
                    permits.push(permit);
                    batch.callbacks.extend(group.callbacks);
                }
                Ok(None) => {}
                Err(_) => is_whole = false,
            }
        }
        let taken = self.committed(batch, permits).await;
        if let Err(refused) = &taken {
            self.complain(refused, came.at);
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

    fn event(&self, outcome: &'static str) {
        self.callbacks.metrics().event(outcome);
    }

    fn count_unread(&self, webhook: &Webhook<'_>) {
        for _ in 0..webhook.others() {
            self.event("other_field");
        }
        // One line: a body may have a million parts.
        if let Some(first) = webhook.unreadable.first() {
            let (parts, place, reason) = (webhook.unreadable.len(), first.path.as_str(), first.reason);
            tracing::warn!(parts, place, reason, "parts of a webhook were left out");
        }
        for _ in &webhook.unreadable {
            self.event("unreadable");
        }
    }

    async fn value(
        &self,
        value: &Value<'_>,
        group: &mut Group<'_>,
        came: Arrival,
        receipt: &mut Receipt,
    ) -> Result<(), Refused> {
        let Converted { callbacks, learnt, dropped } = self.converted(value, group, came).await?;
        dropped.iter().for_each(|_| self.event("no_counterpart"));
        let settings = group.inbox.queue.settings();
        for callback in callbacks {
            let is_wanted = match callback.kind {
                CallbackKind::Status(word) => settings.application.sends(word),
                CallbackKind::Message | CallbackKind::System | CallbackKind::Error => true,
            };
            if is_wanted {
                receipt.wants_media |= group.add(callback, &settings, came.at);
            } else {
                self.event("switched_off");
            }
        }
        for learnt in learnt {
            if let Learnt::Changed { previous: Some(previous), .. } = &learnt {
                group.inbox.aliases.ended(previous);
            }
            group.users.extend(row(learnt, &group.inbox.queue.number));
        }
        let failed = value
            .statuses
            .iter()
            .filter(|status| status.errors.iter().any(|error| error.code == Some(MEDIA_UPLOAD_ERROR)));
        receipt.failed_media.extend(failed.map(|status| status.id.to_string()));
        Ok(())
    }

    /// The callbacks of `value`, with users under the ids by which the client knows them. Where more may be known of them
    /// in a moment, or in the store, it is converted anew.
    async fn converted<'v>(
        &self,
        value: &'v Value<'v>,
        group: &Group<'_>,
        came: Arrival,
    ) -> Result<Converted<'v>, Refused> {
        let known = self.known(value, group, came).await?;
        // An answer may come at any moment, and what was unknown before it is known after it.
        let aliases = group.inbox.aliases;
        let is_unsure = aliases.is_unsure();
        let received_at = u64::try_from(came.at).unwrap_or(0);
        let options = WebhookOptions { compat: group.inbox.options.clone(), received_at };
        let convert = |known: &Known<'_>, is_sure: bool| {
            known.pair_up(value, is_sure);
            value_to_onprem(value, &options, known, &mut Notes::brief())
        };
        let converted = convert(&known, !is_unsure);
        let mut unknown = known.unknown.take();
        if !is_unsure || unknown.is_empty() {
            return Ok(converted);
        }
        // A message to a business-scoped id may tell who the others are.
        unknown.extend(asks(value));
        came.in_time(aliases.settle(&unknown, came.since)).await?;
        Ok(convert(&known, true))
    }

    /// What the conversion of `value` will ask for.
    async fn known<'n>(
        &self,
        value: &Value<'_>,
        group: &Group<'n>,
        came: Arrival,
    ) -> Result<Known<'n>, Refused> {
        let Inbox { queue, aliases, .. } = group.inbox;
        let mut known = Known { wa_ids: HashMap::new(), aliases, unknown: RefCell::default() };
        let user_ids = asks(value);
        if !user_ids.is_empty() {
            let numbers = numbers(self.callbacks.store(), &queue.number, &user_ids);
            known.wa_ids.extend(came.in_time(numbers).await?);
        }
        // What an earlier part of the same webhook told is not in the store yet.
        for user in &group.users {
            match &user.wa_id {
                Some(wa_id) => known.wa_ids.insert(user.user_id.clone(), wa_id.clone()),
                None => known.wa_ids.remove(&user.user_id),
            };
        }
        Ok(known)
    }

    /// Capacity for `count` callbacks; none where there are none, or where nobody wants them.
    fn reserve(
        &self,
        queue: &Arc<Queue>,
        count: usize,
        has_message: bool,
    ) -> Result<Option<Permit>, NoCapacity> {
        if count == 0 {
            return Ok(None);
        }
        match queue.reserve(count) {
            Ok(permit) => Ok(Some(permit)),
            // What users wrote stays with Cloud, in case that somebody says in time where it should go.
            Err(NoCapacity::NotHeld) if !has_message => {
                self.throw_away(queue, count);
                Ok(None)
            }
            Err(full) => {
                self.complain(&Refused::Full, self.callbacks.now());
                Err(full)
            }
        }
    }

    fn throw_away(&self, queue: &Queue, count: usize) {
        let metrics = self.callbacks.metrics();
        (0..count).for_each(|_| metrics.event("no_callback_url"));
        metrics.thrown_away(&queue.name, count);
        tracing::debug!(
            number = queue.name,
            callbacks = count,
            "statuses that nobody wants were thrown away"
        );
    }

    /// Waits until it is in the store. The work goes on to its end, whoever waits.
    async fn committed(&self, batch: Batch, permits: Vec<Permit>) -> Result<Counts, Refused> {
        match timeout(COMMIT_TIMEOUT, self.callbacks.commit(batch, permits)).await {
            Ok(Ok(Ok(counts))) => Ok(counts),
            Ok(Ok(Err(error))) => Err(Refused::Store(error.to_string())),
            Ok(Err(_)) => Err(Refused::Store("the task ended".to_owned())),
            Err(_) => Err(Refused::Store("the store does not answer".to_owned())),
        }
    }
}

/// What a webhook brings to one number, as it is read.
struct Group<'n> {
    inbox: Inbox<'n>,
    callbacks: Vec<NewCallback>,
    /// Whether one of them tells what a user wrote, and not what became of something.
    has_message: bool,
    users: Vec<UserRow>,
}

impl<'n> Group<'n> {
    fn new(inbox: Inbox<'n>) -> Self {
        Self { inbox, callbacks: Vec::new(), has_message: false, users: Vec::new() }
    }

    /// Adds a callback, and says whether the file is wanted that the user sent.
    fn add(&mut self, callback: Callback<'_>, settings: &NumberSettings, at: i64) -> bool {
        let number = &self.inbox.queue.number;
        self.has_message |= matches!(callback.kind, CallbackKind::Message | CallbackKind::System);
        let is_chosen = |file: &UserFile| {
            settings.application.auto_download().iter().any(|chosen| chosen.name() == file.kind)
        };
        let wanted = callback.file.filter(is_chosen).map(|file| WantedRow {
            number: number.clone(),
            media_id: file.id,
            media_type: file.media_type,
            added_at: at,
        });
        let is_wanted = wanted.is_some();
        self.callbacks.push(NewCallback {
            number: number.clone(),
            chat: callback.chat.unwrap_or_default(),
            key: callback.dedupe.map(|event| key(number, &event)),
            wanted,
            body: callback.body.into(),
        });
        is_wanted
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
        let answer = timeout_at(self.since + COMMIT_TIMEOUT, answer).await;
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
fn row(learnt: Learnt, number: &str) -> Option<UserRow> {
    let row = |user_id, wa_id| UserRow { number: number.to_owned(), user_id, wa_id };
    match learnt {
        Learnt::Pair { user_id, wa_id } => Some(row(user_id, Some(wa_id))),
        Learnt::Changed { previous, .. } => previous.map(|previous| row(previous, None)),
    }
}

/// What is known of the users of a value.
struct Known<'i> {
    wa_ids: HashMap<String, String>,
    aliases: &'i Aliases,
    /// Who was asked about in vain.
    unknown: RefCell<Vec<String>>,
}

impl Known<'_> {
    /// What `value` tells counts for the callbacks that it becomes. A number that memory does not know may have a name
    /// in the store, or get one in a moment.
    fn pair_up(&self, value: &Value<'_>, is_sure: bool) {
        if value.tells_of_change() {
            return;
        }
        for user in value.users() {
            if let (Some(user_id), Some(wa_id)) = (&user.user_id, &user.wa_id) {
                if is_sure || !self.aliases.lacks(wa_id) {
                    self.aliases.paired(user_id, wa_id);
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
        let shown = self.aliases.shown(id);
        if shown.is_none() {
            self.unknown.borrow_mut().push(id.to_owned());
        }
        shown
    }
}
