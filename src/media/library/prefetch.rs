//! Files that users send, fetched while Cloud still has them: an id from a webhook works for seven days (Cloud's media
//! reference). `GET /v1/media/{id}` then gives the bytes from our folder, under Cloud's own id.
//!
//! The store says which are wanted, so that none is forgotten by a restart; one task has them fetched.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::kept::{Library, new_row};
use super::schedule::Schedule;
use crate::clock::Clock;
use crate::media::account::Account;
use crate::media::error::MediaError;
use crate::media::single_flight::Background;
use crate::media::transfer::download::{Download, is_cloud_id};
use crate::media::transfer::spool::{FillError, Spool, SpoolError, Spooled};
use crate::store::{Store, WantedRow};
use crate::telemetry::MediaMetrics;
use crate::upstream::{CallError, Sent};

/// For how many seconds Cloud keeps what users send (Cloud's media reference).
const CLOUD_KEEPS: i64 = 7 * 86_400;
/// Rows of each number that are read each time: many more than run at once.
const WINDOW: usize = 1000;
/// How long a file may pause on its way.
const IDLE: Duration = Duration::from_secs(30);

/// Fetches wanted files.
pub struct Prefetch {
    pub library: Arc<Library>,
    pub store: Arc<dyn Store>,
    pub notify: Notify,
    pub background: Background,
    pub clock: Clock,
    pub metrics: MediaMetrics,
}

/// `kept`, `gone` at Cloud or deleted by a client meanwhile, or why it failed.
type Attempt = Result<&'static str, MediaError>;

impl Prefetch {
    /// Fetches what is wanted, now and whenever there is more. Rows of numbers that are none of `accounts` stay.
    pub async fn run(self: Arc<Self>, accounts: HashMap<String, Arc<Account>>) {
        let mut schedule = Schedule::default();
        let mut running: FuturesUnordered<BoxFuture<'static, (WantedRow, Attempt)>> = FuturesUnordered::new();
        loop {
            if schedule.has_room() {
                for row in self.due(&mut schedule, &accounts).await {
                    if let Some(account) = accounts.get(&row.number) {
                        running.push(self.begin(account, row));
                    }
                }
            }
            let pause = schedule.pause(self.clock.now());
            tokio::select! {
                Some((row, attempt)) = running.next() => {
                    self.ended(&mut schedule, &accounts, &row, attempt).await;
                },
                () = self.notify.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// What begins now.
    async fn due(&self, schedule: &mut Schedule, accounts: &HashMap<String, Arc<Account>>) -> Vec<WantedRow> {
        match self.store.wanted_media(WINDOW).await {
            Ok(rows) => schedule.begin(&rows, self.clock.now(), |number| accounts.contains_key(number)),
            Err(error) => {
                tracing::warn!(%error, "the wanted files of users cannot be listed; tried again later");
                Vec::new()
            }
        }
    }

    /// In a task of its own, so that a panic costs one attempt.
    fn begin(
        self: &Arc<Self>,
        account: &Arc<Account>,
        row: WantedRow,
    ) -> BoxFuture<'static, (WantedRow, Attempt)> {
        let (prefetch, account, wanted) = (Arc::clone(self), Arc::clone(account), row.clone());
        let task = self.background.spawn(async move { prefetch.fetch(&account, &wanted).await });
        Box::pin(async move { (row, task.await.ok().flatten().unwrap_or(Err(MediaError::Lost))) })
    }

    async fn ended(
        &self,
        schedule: &mut Schedule,
        accounts: &HashMap<String, Arc<Account>>,
        row: &WantedRow,
        attempt: Attempt,
    ) {
        let now = self.clock.now();
        let number = accounts.get(&row.number).map(|account| account.name.as_str());
        let outcome = match attempt {
            Ok(outcome) => {
                schedule.ended(row);
                outcome
            }
            Err(error)
                if now.saturating_sub(row.added_at) >= CLOUD_KEEPS
                    && self.store.drop_wanted(&row.number, &row.media_id).await.is_ok() =>
            {
                tracing::warn!(number, %error, "a file that a user sent is given up: Cloud has forgotten it");
                schedule.ended(row);
                "given_up"
            }
            Err(error) => {
                tracing::warn!(number, %error, "a file that a user sent is not kept yet; tried again later");
                schedule.failed(row, now);
                "failed"
            }
        };
        // Counted last: whoever sees the figure finds everything else done.
        self.metrics.prefetch(outcome);
    }

    /// One attempt to have the bytes of a file here.
    async fn fetch(&self, account: &Account, wanted: &WantedRow) -> Attempt {
        let (number, id) = (&wanted.number, &wanted.media_id);
        // What is no id of Cloud's leads nowhere, and must not become a part of a URL.
        let is_id = is_cloud_id(id);
        if is_id && self.library.kept(number, id).await?.is_some() {
            self.store.drop_wanted(number, id).await?;
            return Ok("kept");
        }
        let download = if is_id { self.library.cloud.download(account, id).await? } else { None };
        let Some(download) = download else {
            self.store.drop_wanted(number, id).await?;
            return Ok("gone");
        };
        let budget = &self.library.budget;
        // Before the bytes arrive: what has no room would be fetched by every attempt.
        budget.check_room(account, download.length).await?;
        let media_type = Some(wanted.media_type.trim()).filter(|media_type| !media_type.is_empty());
        let media_type = media_type.unwrap_or(&download.media_type).to_owned();
        let spooled = self.spooled(download).await?;
        let row = new_row(id.clone(), account, &spooled, media_type, self.clock.now());
        let is_wanted = budget.put(account, &row, spooled).await?;
        Ok(if is_wanted { "kept" } else { "gone" })
    }

    /// The whole file, on disk.
    async fn spooled(&self, download: Download) -> Result<Spooled, MediaError> {
        let broken = |reason: String, is_timeout| {
            MediaError::Unreachable(CallError { sent: Sent::No, is_timeout, reason })
        };
        let spool = Spool::to_keep(&self.library.budget.files.folder, download.length);
        let spooled = spool.fill(download.body, IDLE, |count| self.metrics.prefetched(count)).await;
        spooled.map_err(|error| match error {
            FillError::Late => broken("the file did not arrive in time".to_owned(), true),
            FillError::Broken(reason) => broken(format!("the file broke off: {reason}"), false),
            FillError::TooSlow => broken("the file comes too slowly".to_owned(), true),
            FillError::Spool(SpoolError::TooLarge(_)) => MediaError::Unusable,
            FillError::Spool(SpoolError::Disk(error)) => error.into(),
        })
    }
}
