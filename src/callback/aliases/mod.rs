//! Under which id a client knows each user of one number.
//!
//! WhatsApp writes some numbers in another way than people do (Brazil, Mexico, Argentina), and a user may have a
//! business-scoped id besides. A client must not meet one person under two ids, so one of them stands for all:
//!
//! - `as-cloud`: Cloud's own id. What is remembered are the client's spellings of it, for questions about contacts and
//!   for what Cloud itself may not write in its own way.
//! - `as-sent`: the first spelling in which the client wrote to the user. It is remembered even where it equals Cloud's
//!   id, or a later spelling would be the first.
//!
//! All of it is in memory, up to a bound for each number, and written down behind the requests that it comes from. Only
//! of a number with more users than that the store is asked.

mod flights;
mod writes;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::store::{AliasRow, Error, Store};
use crate::translate::{Sent, WaId};
pub use flights::Flight;
use flights::Flights;
pub(super) use writes::Writes;

/// How long an id is remembered that nobody uses, in seconds: longer than a year, for what comes once a year.
pub(super) const KEPT_FOR: i64 = 400 * 86_400;
/// How exact the time of the last use is, in seconds: a write for each use would be dear.
const DAY: i64 = 86_400;
/// How many ids of a number are known in memory; each takes some 200 bytes.
pub(super) const MOST: usize = 100_000;
/// How long an answer to a client waits for the store, where that has to be asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many ids the store is asked about at once: everything else waits meanwhile.
const PIECE: usize = 1000;
/// How often one id may lead to another: Cloud may have renamed a user.
const STEPS: usize = 3;

/// The ids of one number's users.
pub struct Aliases {
    number: String,
    setting: WaId,
    known: Cache<String, Arc<Alias>>,
    /// How many there are on the whole; beyond `most` some of them are in the store alone.
    count: AtomicUsize,
    most: usize,
    flights: Flights,
    store: Arc<dyn Store>,
    clock: Clock,
    writes: Arc<Writes>,
}

/// What an id leads to.
#[derive(Debug)]
struct Alias {
    shown: String,
    used_at: AtomicI64,
}

/// Leaves the ids out: they are people's numbers.
impl std::fmt::Debug for Aliases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Aliases")
            .field("number", &self.number)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

impl Aliases {
    /// Reads what an earlier run left, `most` of it at most.
    pub(super) async fn open(
        number: String,
        setting: WaId,
        most: usize,
        writes: Arc<Writes>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let store = Arc::clone(&writes.store);
        let rows = store.aliases(&number, setting, most.saturating_add(1)).await?;
        let capacity = u64::try_from(most).unwrap_or(u64::MAX);
        let known = Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru()).build();
        let count = AtomicUsize::new(rows.len());
        // The latest used come last, so that they stay.
        for AliasRow { id, shown, used_at, .. } in rows.into_iter().take(most).rev() {
            known.insert(id, Arc::new(Alias { shown: shown.unwrap_or_default(), used_at: used_at.into() }));
        }
        Ok(Self { number, setting, known, count, most, flights: Flights::default(), store, clock, writes })
    }

    /// The id that the client knows the user by whom Cloud, or the client itself, calls `id`, as far as memory tells.
    pub fn shown(&self, id: &str) -> Option<String> {
        self.find(id).map(|alias| alias.shown.clone())
    }

    /// A message goes to `written`. Until this is dropped, webhooks about a user who may be the same wait.
    pub fn sending(&self, written: &str) -> Option<Flight<'_>> {
        (self.setting == WaId::AsSent).then(|| self.flights.begin(written))
    }

    /// Cloud has taken a message, and calls its recipient `wa_id`. Gives the id that the client is told.
    pub async fn answered<'a>(&self, sent: Sent<'a>, wa_id: Option<&'a str>) -> Cow<'a, str> {
        let written = sent.digits.unwrap_or(sent.input);
        let cloud = match (wa_id, sent.digits) {
            (Some(wa_id), _) => Cow::Borrowed(wa_id),
            (None, Some(_)) => return self.told(written),
            (None, None) => match self.pairs(vec![written.to_owned()]).await.pop() {
                Some((_, wa_id)) => Cow::Owned(wa_id),
                None if self.setting == WaId::AsCloud => return self.told(written),
                None => Cow::Borrowed(written),
            },
        };
        match self.setting {
            WaId::AsCloud => {
                self.named_by_cloud(written, &cloud);
                cloud
            }
            WaId::AsSent => {
                if self.find(&cloud).is_none() {
                    self.recall(&[&*cloud, written]).await;
                }
                self.written_by_client(written, &cloud)
            }
        }
    }

    /// A webhook told both ids of a user.
    pub fn paired(&self, user_id: &str, wa_id: &str) {
        if self.setting == WaId::AsCloud {
            // Only what an answer told earlier, and may not be true any more.
            if self.known.contains_key(user_id) {
                self.put_new(user_id, wa_id);
            }
            return;
        }
        let (by_number, own) = (self.find(wa_id), self.own_name(user_id));
        let shown = match (&by_number, &own) {
            (Some(found), _) if is_number(&found.shown) || found.shown == user_id => &*found.shown,
            (_, Some(own)) => &*own.shown,
            // The number's name was the id of somebody who had it before.
            (Some(_), None) => wa_id,
            (None, None) => return,
        };
        self.put_new(wa_id, shown);
        self.put_new(user_id, shown);
    }

    /// A business-scoped id is over. Its number may get another user, who must not be shown under it.
    pub fn ended(&self, user_id: &str) {
        if self.setting == WaId::AsSent {
            let led = self.known.iter().filter(|(_, alias)| alias.shown == user_id);
            led.for_each(|(id, _)| self.forget(&id));
            if self.is_partial() {
                self.writes.end(&self.number, self.setting, user_id);
            }
        }
        self.forget(user_id);
    }

    /// What the client knows those by whom `ids` name, where that is another id. Without the store's answer, memory's.
    pub async fn known_as<'i>(&self, ids: impl Iterator<Item = &'i str>) -> HashMap<String, String> {
        let ids: Vec<&str> = ids.collect();
        let user_ids = ids.iter().filter(|id| !is_number(id)).map(|id| (*id).to_owned()).collect();
        let pairs: HashMap<String, String> = self.pairs(user_ids).await.into_iter().collect();
        let keys: Vec<&str> = ids.iter().map(|id| pairs.get(*id).map_or(*id, String::as_str)).collect();
        self.recall(&keys).await;
        let shown = |(id, key): (&&str, &&str)| {
            let shown = self.told(key);
            (shown != **id).then(|| ((*id).to_owned(), shown.into_owned()))
        };
        ids.iter().zip(&keys).filter_map(shown).collect()
    }

    /// Whether more may be known of users whom memory does not know.
    pub fn is_unsure(&self) -> bool {
        self.setting == WaId::AsSent && (self.is_partial() || self.flights.any())
    }

    /// Whether memory does not know `id`.
    pub fn lacks(&self, id: &str) -> bool {
        self.find(id).is_none()
    }

    /// Waits for messages that may be to those whom `ids` name, and asks the store where it knows more. The wait counts
    /// from `since`.
    pub async fn settle(&self, ids: &[String], since: Instant) -> Result<(), Error> {
        self.flights.landed(ids, since).await;
        let unknown: Vec<&str> = ids.iter().map(String::as_str).collect();
        self.try_recall(&unknown).await
    }

    /// What the client is told of somebody whom Cloud has not named.
    fn told<'a>(&self, written: &'a str) -> Cow<'a, str> {
        self.shown(written).map_or(Cow::Borrowed(written), Cow::Owned)
    }

    /// `as-cloud`: the answer is the last word, whatever Cloud called the user before.
    fn named_by_cloud(&self, written: &str, cloud: &str) {
        if let Some(former) = self.find(cloud).filter(|former| former.shown != cloud) {
            self.forget(cloud);
            self.put(&former.shown, cloud);
        }
        self.lead(written, cloud);
    }

    /// `as-sent`: the first spelling stands for all.
    fn written_by_client<'a>(&self, written: &'a str, cloud: &str) -> Cow<'a, str> {
        let found = self.find(cloud).unwrap_or_else(|| {
            let first = if is_number(written) { self.find(written) } else { self.own_name(written) };
            // Of two answers at the same moment one is first.
            self.put_first(cloud, first.as_ref().map_or(written, |first| &first.shown))
        });
        self.lead(written, &found.shown);
        if found.shown == written { Cow::Borrowed(written) } else { Cow::Owned(found.shown.clone()) }
    }

    /// Lets `id` lead to `shown`, and with a number what it led to before: another spelling. What a business-scoped id
    /// led to may be a former number of its user.
    fn lead(&self, id: &str, shown: &str) {
        if id == shown && is_number(id) {
            return;
        }
        let former = self.find(id);
        if former.as_ref().map_or(id, |former| &former.shown) == shown {
            return;
        }
        if let Some(former) = former.filter(|former| former.shown != id && is_number(id)) {
            self.put(&former.shown, shown);
        }
        self.put(id, shown);
    }

    /// That the client knows a user by this business-scoped id. It may lend a number its own name, never the name of
    /// another number.
    fn own_name(&self, user_id: &str) -> Option<Arc<Alias>> {
        self.find(user_id).filter(|alias| alias.shown == user_id)
    }

    fn find(&self, id: &str) -> Option<Arc<Alias>> {
        if self.count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut found = self.used(id)?;
        for _ in 1..STEPS {
            match self.used(&found.shown) {
                // No number leads to another one by way of a business-scoped id.
                Some(next) if next.shown != found.shown && is_number(&found.shown) => found = next,
                _ => break,
            }
        }
        Some(found)
    }

    /// One step, unless it has lapsed; and remembers that it was made.
    fn used(&self, id: &str) -> Option<Arc<Alias>> {
        let alias = self.known.get(id)?;
        let (now, used_at) = (self.clock.now(), alias.used_at.load(Ordering::Relaxed));
        if now.saturating_sub(used_at) > KEPT_FOR {
            self.known.invalidate(id);
            return None;
        }
        if now.saturating_sub(used_at) >= DAY && alias.used_at.swap(now, Ordering::Relaxed) == used_at {
            self.write(id, Some(&alias.shown), now);
        }
        Some(alias)
    }

    fn put(&self, id: &str, shown: &str) {
        let now = self.clock.now();
        if !self.known.contains_key(id) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        self.known.insert(id.to_owned(), Arc::new(Alias { shown: shown.to_owned(), used_at: now.into() }));
        self.write(id, Some(shown), now);
    }

    /// Puts `shown` where it is not known yet: most webhooks tell what others told before.
    fn put_new(&self, id: &str, shown: &str) {
        if self.find(id).is_none_or(|alias| alias.shown != shown) {
            self.put(id, shown);
        }
    }

    /// Puts `shown`, unless there is something already, which is given then.
    fn put_first(&self, id: &str, shown: &str) -> Arc<Alias> {
        let now = self.clock.now();
        let new = || Arc::new(Alias { shown: shown.to_owned(), used_at: now.into() });
        let entry = self.known.entry_by_ref(id).or_insert_with(new);
        if entry.is_fresh() {
            self.count.fetch_add(1, Ordering::Relaxed);
            self.write(id, Some(shown), now);
        }
        entry.into_value()
    }

    fn forget(&self, id: &str) {
        self.known.invalidate(id);
        self.write(id, None, self.clock.now());
    }

    fn write(&self, id: &str, shown: Option<&str>, used_at: i64) {
        self.writes.put(AliasRow {
            number: self.number.clone(),
            setting: self.setting,
            id: id.to_owned(),
            shown: shown.map(str::to_owned),
            used_at,
        });
    }

    /// Whether some are in the store alone.
    fn is_partial(&self) -> bool {
        self.count.load(Ordering::Relaxed) > self.most
    }

    /// Brings what the store knows of `ids` into memory, if it knows more.
    async fn try_recall(&self, ids: &[&str]) -> Result<(), Error> {
        if !self.is_partial() {
            return Ok(());
        }
        let mut unknown: Vec<String> =
            ids.iter().filter(|id| !self.known.contains_key(**id)).map(|id| (*id).to_owned()).collect();
        unknown.retain(|id| {
            let waiting = self.writes.waiting(&self.number, id);
            let is_in_store = waiting.is_none();
            waiting.into_iter().for_each(|row| self.remember(row));
            is_in_store
        });
        for piece in unknown.chunks(PIECE) {
            for row in self.store.recall_aliases(&self.number, self.setting, piece.to_vec()).await? {
                // What waits to be written came later.
                self.remember(self.writes.waiting(&self.number, &row.id).unwrap_or(row));
            }
        }
        Ok(())
    }

    /// Takes a row into memory, unless it says nothing any more.
    fn remember(&self, row: AliasRow) {
        let AliasRow { id, shown, used_at, .. } = row;
        if let Some(shown) = shown.filter(|shown| !self.writes.is_ending(&self.number, shown)) {
            let alias = || Arc::new(Alias { shown, used_at: used_at.into() });
            self.known.entry(id).or_insert_with(alias);
        }
    }

    /// The same for an answer that has to be given, whatever the store says.
    async fn recall(&self, ids: &[&str]) {
        if !matches!(timeout(PATIENCE, self.try_recall(ids)).await, Ok(Ok(()))) {
            tracing::debug!(number = self.number, "what the store knows of users' ids could not be read");
        }
    }

    /// The phone numbers behind business-scoped ids.
    async fn pairs(&self, user_ids: Vec<String>) -> Vec<(String, String)> {
        if user_ids.is_empty() {
            return Vec::new();
        }
        match timeout(PATIENCE, numbers(&*self.store, &self.number, &user_ids)).await {
            Ok(Ok(pairs)) => pairs,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }
}

/// The phone numbers behind business-scoped ids, as the store knows them.
pub async fn numbers(
    store: &dyn Store,
    number: &str,
    user_ids: &[String],
) -> Result<Vec<(String, String)>, Error> {
    let mut found = Vec::new();
    for piece in user_ids.chunks(PIECE) {
        found.extend(store.recall(number, piece.to_vec()).await?);
    }
    Ok(found)
}

/// Numbers are digits; the others are business-scoped.
fn is_number(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
