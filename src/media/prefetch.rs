//! Files that users send, fetched while Cloud still has them: an id from a webhook works for seven days (Cloud's media
//! reference). `GET /v1/media/{id}` then gives the bytes from our folder, under Cloud's own id.
//!
//! The store says which are wanted, so that none is forgotten by a restart; one task has them fetched.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use http_body_util::BodyExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::download::{Download, is_cloud_id};
use super::error::MediaError;
use super::files::Spare;
use super::schedule::Schedule;
use super::spool::{SpoolError, Spooled};
use super::{Account, Inner, is_too_slow};
use crate::store::{self, FileRow, Store, WantedRow};
use crate::upstream::{CallError, Sent};

/// For how many seconds Cloud keeps what users send (Cloud's media reference).
const CLOUD_KEEPS: i64 = 7 * 86_400;
/// Rows of each number that are looked at: many more than run at a time, few enough to read them each time.
const WINDOW: usize = 1000;

/// Which files are wanted, and who tells that there are new ones.
pub struct Wanted {
    store: Arc<dyn Store>,
    woken: Notify,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").finish_non_exhaustive()
    }
}

impl Wanted {
    /// What `store` has noted.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, woken: Notify::new() }
    }

    /// There are new rows.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// A file is not wanted any more, not even if it is on its way.
    pub async fn forget(&self, number: &str, media_id: &str) -> Result<(), store::Error> {
        self.store.drop_wanted(number, media_id).await
    }
}

/// What became of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// The bytes are here.
    Kept,
    /// Cloud does not have it, or a client deleted it meanwhile.
    Gone,
    /// It is tried again.
    Failed,
    /// It is not tried again: Cloud has forgotten it by now.
    GivenUp,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }
}

/// The end of a try.
type End = Result<Outcome, MediaError>;

impl Inner {
    /// Fetches what is wanted, now and whenever there is more. Rows of numbers that are none of `accounts` stay.
    pub async fn serve_wanted(self: Arc<Self>, accounts: HashMap<String, Arc<Account>>) {
        let mut schedule = Schedule::default();
        let mut running: FuturesUnordered<BoxFuture<'static, (WantedRow, End)>> = FuturesUnordered::new();
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
                Some((row, end)) = running.next() => self.ended(&mut schedule, &accounts, &row, end).await,
                () = self.wanted.woken.notified() => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// What begins now.
    async fn due(&self, schedule: &mut Schedule, accounts: &HashMap<String, Arc<Account>>) -> Vec<WantedRow> {
        match self.wanted.store.wanted_media(WINDOW).await {
            Ok(rows) => schedule.begin(&rows, self.clock.now(), |number| accounts.contains_key(number)),
            Err(error) => {
                tracing::warn!(%error, "the wanted files of users cannot be listed; tried again later");
                Vec::new()
            }
        }
    }

    /// In a task of its own, so that a panic costs one try.
    fn begin(
        self: &Arc<Self>,
        account: &Arc<Account>,
        row: WantedRow,
    ) -> BoxFuture<'static, (WantedRow, End)> {
        let (inner, account, wanted) = (Arc::clone(self), Arc::clone(account), row.clone());
        let task = self.background.spawn(async move { inner.prefetch(&account, &wanted).await });
        Box::pin(async move { (row, task.await.ok().flatten().unwrap_or(Err(MediaError::Lost))) })
    }

    async fn ended(
        &self,
        schedule: &mut Schedule,
        accounts: &HashMap<String, Arc<Account>>,
        row: &WantedRow,
        end: End,
    ) {
        let now = self.clock.now();
        let number = accounts.get(&row.number).map(|account| account.name.as_str());
        let outcome = match end {
            Ok(outcome) => {
                schedule.ended(row);
                outcome
            }
            Err(error)
                if now.saturating_sub(row.added_at) >= CLOUD_KEEPS
                    && self.wanted.forget(&row.number, &row.media_id).await.is_ok() =>
            {
                tracing::warn!(number, %error, "a file that a user sent is given up: Cloud has forgotten it");
                schedule.ended(row);
                Outcome::GivenUp
            }
            Err(error) => {
                tracing::warn!(number, %error, "a file that a user sent is not kept yet; tried again later");
                schedule.failed(row, now);
                Outcome::Failed
            }
        };
        // Counted last: who sees the figure finds everything else done.
        self.metrics.prefetch(outcome.name());
    }

    /// One try to have the bytes of a file here.
    async fn prefetch(&self, account: &Account, wanted: &WantedRow) -> End {
        let (number, id) = (&wanted.number, &wanted.media_id);
        // What is no id of Cloud's leads nowhere, and must not become a part of a URL.
        let is_id = is_cloud_id(id);
        if is_id && self.kept(number, id).await?.is_some() {
            self.wanted.forget(number, id).await?;
            return Ok(Outcome::Kept);
        }
        let download = if is_id { self.at_cloud(account, id).await? } else { None };
        let Some(download) = download else {
            self.wanted.forget(number, id).await?;
            return Ok(Outcome::Gone);
        };
        // Told before the bytes come: what has no room would be fetched at every try.
        self.files.has_room(download.length, |row| self.may_spare(account, row)).await?;
        let media_type = Some(wanted.media_type.trim()).filter(|media_type| !media_type.is_empty());
        let media_type = media_type.unwrap_or(&download.media_type).to_owned();
        let spooled = self.spooled(download).await?;
        let now = self.clock.now();
        let row = FileRow {
            id: id.clone(),
            number: number.clone(),
            digest: spooled.digest,
            length: spooled.length,
            media_type,
            created_at: now,
            used_at: now,
            is_kept: true,
        };
        let spare = Spare { may: |row| self.may_spare(account, row), does: |row| self.spare(account, row) };
        let is_wanted = self.files.put(&row, spooled, spare).await?;
        Ok(if is_wanted { Outcome::Kept } else { Outcome::Gone })
    }

    /// The whole file, on disk.
    async fn spooled(&self, download: Download) -> Result<Spooled, MediaError> {
        let broken = |reason: String, is_timeout| {
            MediaError::Unreachable(CallError { sent: Sent::No, is_timeout, reason })
        };
        let started = Instant::now();
        let Download { length, mut body, .. } = download;
        let mut spool = self.files.staying(length);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| broken(format!("the file broke off: {error}"), false))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.metrics.prefetched(data.len());
            if is_too_slow(started.elapsed(), spool.length()) {
                return Err(broken("the file comes too slowly".to_owned(), true));
            }
            spool.push(data).await.map_err(|error| match error {
                SpoolError::TooLarge(_) => MediaError::Unusable,
                SpoolError::Disk(error) => error.into(),
            })?;
        }
        Ok(spool.finish().await?)
    }
}
