//! Files that clients uploaded here, and those that users sent: their bytes in a folder, named by their digest, under a
//! byte budget; what is known of them in the store.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moka::sync::Cache as Map;
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::download::is_cloud_id;
use super::error::MediaError;
use super::spool::{Digest, PARTIAL, Place, Spool, Spooled};
use crate::store::{FileRow, Store};

/// A file that nobody knows is left alone for this long: another process may be about to name it.
const STRANGE: Duration = Duration::from_secs(3600);
/// How many old files are looked at together to make room for a new one, and how often.
const OLD: usize = 200;
const PAGES: usize = 50;
/// The file that says whose folder it is.
const OWNER: &str = ".prembridge";
/// Rows at hand, and for how long: what was read while it was deleted must not stay.
const RECENT: u64 = 10_000;
const RECENT_TIME: Duration = Duration::from_secs(60);
/// A use is noted once a day, which is exact enough for months.
const USE: i64 = 86_400;

/// Where files are kept, and for how long.
#[derive(Clone, Debug)]
pub enum Folder {
    /// In this folder, as long as the store that knows them.
    Lasting(PathBuf),
    /// In a new folder within this one, or within the system's, which is removed when the process ends in good order.
    Temporary(Option<PathBuf>),
}

/// The folder and what is known of it.
pub struct Files {
    folder: Arc<Path>,
    store: Arc<dyn Store>,
    /// Bytes that may be kept.
    budget: u64,
    /// Rows that were used lately.
    recent: Map<String, Arc<FileRow>>,
    /// Bytes and rows change together; how many bytes are kept.
    gate: Mutex<u64>,
    /// The folder of a store without a file, removed when the process ends in good order.
    _temporary: Option<TempDir>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("folder", &self.folder)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl Files {
    /// Opens the folder, or makes it. What an earlier process left half-written is removed, but never in the folder of
    /// another store than that of `owner`.
    pub async fn open(
        place: Folder,
        store: Arc<dyn Store>,
        budget: u64,
        owner: &Digest,
    ) -> Result<Self, MediaError> {
        let (folder, temporary) = match place {
            Folder::Lasting(path) => (path, None),
            Folder::Temporary(parent) => {
                let parent = parent.unwrap_or_else(std::env::temp_dir);
                make(&parent)?;
                let temporary = tempfile::Builder::new().prefix("prembridge-").tempdir_in(parent)?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        make(&folder)?;
        claim(&folder, &hex(owner))?;
        let kept = store.kept_bytes().await?;
        let files = Self {
            folder: folder.into(),
            store,
            budget,
            recent: Map::builder().max_capacity(RECENT).time_to_live(RECENT_TIME).build(),
            gate: Mutex::new(kept),
            _temporary: temporary,
        };
        files.sweep().await?;
        Ok(files)
    }

    /// Removes what processes that were killed left behind.
    pub async fn sweep(&self) -> Result<(), MediaError> {
        let known: HashSet<String> = self.store.kept_digests().await?.iter().map(hex).collect();
        let folder = Arc::clone(&self.folder);
        Ok(spawn_blocking(move || sweep(&folder, &known, SystemTime::now()))
            .await
            .map_err(io::Error::other)?)
    }

    /// A place for a file that only passes through.
    pub fn passing(&self, limit: u64) -> Spool {
        Spool::new(Place::Unnamed(Arc::clone(&self.folder)), limit)
    }

    /// A place for a file that stays.
    pub fn staying(&self, limit: u64) -> Spool {
        Spool::new(Place::Named(Arc::clone(&self.folder)), limit)
    }

    /// Where the bytes of `digest` are, if they are kept.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(hex(digest))
    }

    /// Keeps an arrived file and gives it an id. The bytes of older files may go when Cloud has them too.
    pub async fn keep<F: Future<Output = bool>, G: Future<Output = bool>>(
        &self,
        number: &str,
        media_type: String,
        spooled: Spooled,
        now: i64,
        spare: Spare<impl Fn(FileRow) -> F, impl Fn(FileRow) -> G>,
    ) -> Result<FileRow, MediaError> {
        let row = FileRow {
            id: Uuid::new_v4().to_string(),
            number: number.to_owned(),
            digest: spooled.digest,
            length: spooled.length,
            media_type,
            created_at: now,
            used_at: now,
            is_kept: true,
        };
        self.put(&row, spooled, spare).await?;
        Ok(row)
    }

    /// Keeps an arrived file under its row's id; `false`, and nothing is kept, when a user sent it and it is not wanted
    /// any more. The bytes of older files may go as for [`keep`](Self::keep).
    pub async fn put<F: Future<Output = bool>, G: Future<Output = bool>>(
        &self,
        row: &FileRow,
        spooled: Spooled,
        spare: Spare<impl Fn(FileRow) -> F, impl Fn(FileRow) -> G>,
    ) -> Result<bool, MediaError> {
        let path = self.path(&row.digest);
        let mut kept = self.gate.lock().await;
        // Bytes that are here already take no more room.
        let is_new = !tokio::fs::try_exists(&path).await?;
        if is_new {
            self.make_room(row.length, &mut kept, spare).await?;
        }
        spooled.keep(path).await?;
        let put = if is_from_user(row) {
            self.store.put_wanted(row.clone()).await
        } else {
            self.store.put_file(row.clone()).await.map(|()| true)
        };
        let is_there = matches!(put, Ok(true));
        if is_new && is_there {
            *kept = kept.saturating_add(row.length);
        } else if is_new {
            self.remove(&row.digest).await?;
        }
        Ok(put?)
    }

    /// Whether room could be made for `length` more bytes.
    pub async fn has_room<F: Future<Output = bool>>(
        &self,
        length: u64,
        may: impl Fn(FileRow) -> F,
    ) -> Result<(), MediaError> {
        let mut kept = self.gate.lock().await;
        self.oldest(length, &mut kept, &may).await.map(drop)
    }

    /// Removes the longest unused bytes until there is room for `length` more; none when that would not be enough.
    async fn make_room<F: Future<Output = bool>, G: Future<Output = bool>>(
        &self,
        length: u64,
        kept: &mut u64,
        spare: Spare<impl Fn(FileRow) -> F, impl Fn(FileRow) -> G>,
    ) -> Result<(), MediaError> {
        for old in self.oldest(length, kept, &spare.may).await? {
            if !all(&old.promises(), &spare.does).await {
                return Err(MediaError::Full);
            }
            self.store.mark_not_kept(old.digest).await?;
            *kept = kept.saturating_sub(old.length());
            self.remove(&old.digest).await?;
            // Nobody was promised these, and Cloud is asked for them again when their rows are gone.
            for row in old.rows.iter().filter(|row| is_from_user(row)) {
                self.store.delete_file(&row.number, &row.id).await?;
                self.recent.invalidate(&row.id);
            }
        }
        Ok(())
    }

    /// The longest unused bytes that have to go for `length` more; an error when even all that may go are too few.
    async fn oldest<F: Future<Output = bool>>(
        &self,
        length: u64,
        kept: &mut u64,
        may: &impl Fn(FileRow) -> F,
    ) -> Result<Vec<Old>, MediaError> {
        if length > self.budget {
            return Err(MediaError::Full);
        }
        if kept.saturating_add(length) <= self.budget {
            return Ok(Vec::new());
        }
        // What was counted may differ from what is there after a failure.
        *kept = self.store.kept_bytes().await?;
        let mut excess = kept.saturating_add(length).saturating_sub(self.budget);
        let (mut seen, mut spared) = (HashSet::new(), Vec::new());
        'pages: for page in 0..PAGES {
            let digests = self.store.oldest_kept(page * OLD, OLD).await?;
            let is_last = digests.len() < OLD;
            for digest in digests {
                if excess == 0 {
                    break 'pages;
                }
                let old = Old { digest, rows: self.store.files_of(digest).await? };
                if seen.insert(digest) && all(&old.promises(), may).await {
                    excess = excess.saturating_sub(old.length());
                    spared.push(old);
                }
            }
            if is_last {
                break;
            }
        }
        if excess > 0 { Err(MediaError::Full) } else { Ok(spared) }
    }

    /// What is known of an id.
    pub async fn find(&self, number: &str, id: &str) -> Result<Option<Arc<FileRow>>, MediaError> {
        // Ids are unique among all numbers, and each is its own number's alone.
        if let Some(row) = self.recent.get(id) {
            return Ok(Some(row).filter(|row| row.number == number));
        }
        let Some(row) = self.store.file(number, id).await?.map(Arc::new) else {
            return Ok(None);
        };
        self.recent.insert(id.to_owned(), Arc::clone(&row));
        Ok(Some(row))
    }

    /// Notes that a file was used.
    pub async fn touch(&self, row: &FileRow, now: i64) {
        if now.saturating_sub(row.used_at) < USE {
            return;
        }
        self.recent.invalidate(&row.id);
        if let Err(error) = self.store.touch_file(&row.number, &row.id, now).await {
            tracing::warn!(%error, "the use of an uploaded file was not noted");
        }
    }

    /// Forgets an id, and its bytes if no other id has them; `false` if there is none.
    pub async fn delete(&self, number: &str, id: &str) -> Result<bool, MediaError> {
        let mut kept = self.gate.lock().await;
        let deleted = self.store.delete_file(number, id).await?;
        self.recent.invalidate(id);
        let Some(row) = deleted else {
            return Ok(false);
        };
        if self.store.files_with_digest(row.digest).await? == 0 {
            self.remove(&row.digest).await?;
            if row.is_kept {
                *kept = kept.saturating_sub(row.length);
            }
        }
        Ok(true)
    }

    /// Forgets files that nobody used since `before`, and says how many.
    pub async fn expire(&self, before: i64) -> Result<usize, MediaError> {
        let mut count = 0;
        loop {
            let rows = self.store.files_unused_since(before, OLD).await?;
            if rows.is_empty() {
                return Ok(count);
            }
            for row in rows {
                self.delete(&row.number, &row.id).await?;
                count += 1;
            }
        }
    }

    async fn remove(&self, digest: &Digest) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(digest)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Opens the bytes of a file; `None` when they are gone.
    pub async fn read(&self, digest: &Digest) -> io::Result<Option<fs::File>> {
        let path = self.path(digest);
        let open = spawn_blocking(move || fs::File::open(path)).await.map_err(io::Error::other)?;
        match open {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Only its owner may look into it: what is in it was meant for one recipient each.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Whether the bytes of a file can be done without: whether they may go, and then what has to be done first.
#[derive(Clone, Copy, Debug)]
pub struct Spare<M, D> {
    /// Only looks.
    pub may: M,
    /// Makes sure.
    pub does: D,
}

/// Bytes that are kept, and everyone who has them.
struct Old {
    digest: Digest,
    rows: Vec<FileRow>,
}

impl Old {
    fn length(&self) -> u64 {
        self.rows.first().map_or(0, |row| row.length)
    }

    /// Everyone who was given an id for these bytes; of equal promises the latest, which promises most.
    fn promises(&self) -> Vec<FileRow> {
        let mut rows: Vec<_> = self.rows.iter().filter(|row| !is_from_user(row)).cloned().collect();
        rows.sort_by(|a, b| {
            (&a.number, &a.media_type, b.created_at).cmp(&(&b.number, &b.media_type, a.created_at))
        });
        rows.dedup_by(|later, first| later.number == first.number && later.media_type == first.media_type);
        rows
    }
}

/// Whether a user sent it: then it has Cloud's id, and nobody was promised that it stays.
fn is_from_user(row: &FileRow) -> bool {
    is_cloud_id(&row.id)
}

async fn all<F: Future<Output = bool>>(rows: &[FileRow], is: &impl Fn(FileRow) -> F) -> bool {
    for row in rows {
        if !is(row.clone()).await {
            return false;
        }
    }
    true
}

/// Marks the folder as this store's, and refuses another's: its files would look as if nobody knew them.
fn claim(folder: &Path, owner: &str) -> Result<(), MediaError> {
    let mark = folder.join(OWNER);
    match fs::read_to_string(&mark) {
        Ok(found) if found == owner => Ok(()),
        Ok(found) if !found.is_empty() => Err(MediaError::Foreign(folder.to_owned())),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        // There is none, or writing it was cut off.
        Ok(_) | Err(_) => {
            let mut file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(folder)?;
            io::Write::write_all(&mut file, owner.as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(mark).map_err(|error| error.error)?;
            Ok(())
        }
    }
}

/// Removes what a process that was killed left behind. A file that cannot be removed costs room and no message.
fn sweep(folder: &Path, known: &HashSet<String>, now: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours =
            name.starts_with(PARTIAL) || (name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()));
        let is_old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > STRANGE));
        if is_ours && is_old && !known.contains(&name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
