//! The folder of kept files: their bytes, named by their digest, and in the store what is known of them.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use moka::sync::Cache as Map;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::media::error::MediaError;
use crate::media::transfer::spool::{Contents, Digest, PARTIAL};
use crate::store::{FileRow, Store};

/// An unknown file is left alone for this long: another process may be about to name it.
const UNKNOWN_FOR: Duration = Duration::from_secs(3600);
/// The file that says whose folder it is.
const OWNER: &str = ".prembridge";
/// Rows in memory, and for how long: what was read while it was deleted must not stay.
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
    pub folder: Arc<Path>,
    pub store: Arc<dyn Store>,
    /// Rows that were used lately.
    recent: Map<String, Arc<FileRow>>,
    /// Removed when the process ends in good order.
    _temporary: Option<TempDir>,
}

impl Files {
    /// Opens the folder, or makes it. What an earlier process left half-written is removed, but never in the folder of
    /// another store than that of `owner`.
    pub async fn new(place: Folder, store: Arc<dyn Store>, owner: &Digest) -> Result<Self, MediaError> {
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
        let recent = Map::builder().max_capacity(RECENT).time_to_live(RECENT_TIME).build();
        let files = Self { folder: folder.into(), store, recent, _temporary: temporary };
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

    /// Where the bytes of `digest` are, if they are kept.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(hex(digest))
    }

    /// What is known of an id.
    pub async fn find(&self, number: &str, id: &str) -> Result<Option<Arc<FileRow>>, MediaError> {
        // Ids are unique among all numbers, and each belongs to one number alone.
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

    /// Forgets an id; its bytes stay. Gives what was known of it.
    pub async fn forget(&self, number: &str, id: &str) -> Result<Option<FileRow>, MediaError> {
        let row = self.store.delete_file(number, id).await?;
        self.recent.invalidate(id);
        Ok(row)
    }

    /// The bytes of a file; `None` when they are gone.
    pub async fn read(&self, row: &FileRow) -> Result<Option<Contents>, MediaError> {
        match self.open(row).await {
            Ok(contents) => Ok(Some(contents)),
            Err(MediaError::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the bytes of a file.
    pub fn open(&self, row: &FileRow) -> impl Future<Output = Result<Contents, MediaError>> + Send + use<> {
        let (path, length) = (self.path(&row.digest), row.length);
        async move {
            match spawn_blocking(move || fs::File::open(path)).await.map_err(io::Error::other)? {
                Ok(file) => Ok(Contents::File(Arc::new(file), length)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(MediaError::Gone),
                Err(error) => Err(error.into()),
            }
        }
    }

    /// Removes the bytes of `digest`.
    pub async fn remove(&self, digest: &Digest) -> io::Result<()> {
        match tokio::fs::remove_file(self.path(digest)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
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

/// A file that cannot be removed costs disk and no message.
fn sweep(folder: &Path, known: &HashSet<String>, now: SystemTime) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_ours =
            name.starts_with(PARTIAL) || (name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit()));
        let is_old = entry
            .metadata()
            .and_then(|data| data.modified())
            .is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > UNKNOWN_FOR));
        if is_ours && is_old && !known.contains(&name) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
