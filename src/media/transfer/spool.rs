//! Files in transit: hashed as they arrive, in memory while they are small, then in a temporary file. Neither hashing nor
//! writing runs on the threads that serve requests.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Frame};
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::media::sniff::Sniffed;

/// SHA-256 of a file.
pub type Digest = [u8; 32];

/// How much is gathered before it is hashed and written; smaller files never touch the disk.
const GATHER: usize = 128 * 1024;
/// How much is read at a time.
const READ: usize = 64 * 1024;
/// How many such pieces of a body may be read and not yet written.
const PIECES: usize = 2;
/// How much of the beginning of a file is looked at.
const HEAD: usize = 4096;
/// How the names of files begin that are still arriving.
pub const PARTIAL: &str = ".prembridge-partial-";
/// The average rate, in bytes per second, that the sender of a file has to reach after [`SLOW_START`].
const MIN_RATE: u64 = 8 * 1024;
const SLOW_START: Duration = Duration::from_secs(20);

/// Whether a file arrives so slowly that it only occupies a place.
pub fn is_too_slow(elapsed: Duration, bytes: u64) -> bool {
    elapsed > SLOW_START && bytes < elapsed.as_secs() * MIN_RATE
}

/// Why a file cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It has more bytes than it may have; the rest was not read.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// The disk does not take it.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Why a body did not become a file.
#[derive(Debug)]
pub enum FillError {
    Spool(SpoolError),
    /// It broke off.
    Broken(String),
    /// It paused for too long.
    Late,
    /// [`is_too_slow`].
    TooSlow,
}

/// A file that is arriving.
#[derive(Debug)]
pub struct Spool {
    folder: Arc<Path>,
    /// Whether it will be given a name; then it goes to the disk, whatever its size.
    is_kept: bool,
    limit: u64,
    length: u64,
    gathered: BytesMut,
    disk: Option<Disk>,
}

/// The part that works in the background.
#[derive(Debug, Default)]
struct Disk {
    hasher: Sha256,
    file: Option<(File, Option<TempPath>)>,
}

impl Spool {
    /// For a file in transit of at most `limit` bytes. While it is large it lies in `folder` without a name, so that it
    /// disappears with its last reader, however the process ends.
    pub fn in_transit(folder: &Arc<Path>, limit: u64) -> Self {
        let (folder, disk) = (Arc::clone(folder), Some(Disk::default()));
        Self { folder, is_kept: false, limit, length: 0, gathered: BytesMut::new(), disk }
    }

    /// For a file of at most `limit` bytes that will be kept in `folder`.
    pub fn to_keep(folder: &Arc<Path>, limit: u64) -> Self {
        Self { is_kept: true, ..Self::in_transit(folder, limit) }
    }

    /// Takes the whole of `body`, which may pause for `idle`, and counts its bytes as they arrive.
    pub async fn fill<B>(
        mut self,
        mut body: B,
        idle: Duration,
        count: impl Fn(usize),
    ) -> Result<Spooled, FillError>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        let started = Instant::now();
        loop {
            let Some(frame) = timeout(idle, body.frame()).await.map_err(|_| FillError::Late)? else {
                return self.finish().await.map_err(|error| FillError::Spool(error.into()));
            };
            let frame = frame.map_err(|error| FillError::Broken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            count(data.len());
            if is_too_slow(started.elapsed(), self.length) {
                return Err(FillError::TooSlow);
            }
            self.push(data).await.map_err(FillError::Spool)?;
        }
    }

    /// Takes the next bytes.
    pub async fn push(&mut self, data: Bytes) -> Result<(), SpoolError> {
        self.length += data.len() as u64;
        if self.length > self.limit {
            return Err(SpoolError::TooLarge(self.limit));
        }
        self.gathered.extend_from_slice(&data);
        if self.gathered.len() >= GATHER {
            self.flush(true).await?;
        }
        Ok(())
    }

    /// The whole file.
    pub async fn finish(mut self) -> io::Result<Spooled> {
        let is_small = self.disk.as_ref().is_some_and(|disk| disk.file.is_none());
        let in_memory = is_small && !self.is_kept;
        let whole = if in_memory { Some(self.gathered.clone().freeze()) } else { None };
        self.flush(!in_memory).await?;
        let disk = self.disk.take().ok_or_else(lost)?;
        let digest = disk.hasher.finalize().into();
        let (contents, path) = match (whole, disk.file) {
            (Some(bytes), _) => (Contents::Memory(bytes), None),
            (None, Some((file, path))) => (Contents::File(Arc::new(file), self.length), path),
            (None, None) => return Err(lost()),
        };
        Ok(Spooled { digest, contents, path })
    }

    /// Hashes what was gathered, and writes it to the disk if `writes`.
    async fn flush(&mut self, writes: bool) -> io::Result<()> {
        let mut disk = self.disk.take().ok_or_else(lost)?;
        let data = std::mem::take(&mut self.gathered);
        let (folder, is_kept) = (Arc::clone(&self.folder), self.is_kept);
        let work = move || {
            disk.hasher.update(&data);
            if writes {
                let (file, _) = match &mut disk.file {
                    Some(file) => file,
                    none @ None => none.insert(create(&folder, is_kept)?),
                };
                file.write_all(&data)?;
            }
            Ok::<_, io::Error>((disk, data))
        };
        let (disk, mut data) = spawn_blocking(work).await.map_err(io::Error::other)??;
        // The buffer is used again, so that a large file needs one.
        data.clear();
        self.gathered = data;
        self.disk = Some(disk);
        Ok(())
    }
}

fn create(folder: &Path, is_kept: bool) -> io::Result<(File, Option<TempPath>)> {
    if !is_kept {
        return Ok((tempfile::tempfile_in(folder)?, None));
    }
    let (file, path) = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(folder)?.into_parts();
    Ok((file, Some(path)))
}

fn lost() -> io::Error {
    io::Error::other("an earlier write failed")
}

/// A whole file.
#[derive(Debug)]
pub struct Spooled {
    pub digest: Digest,
    pub contents: Contents,
    path: Option<TempPath>,
}

impl Spooled {
    /// Gives a file made by [`Spool::to_keep`] its name; afterwards it is on disk, through a power loss too.
    pub async fn keep(self, path: PathBuf) -> io::Result<()> {
        let (Contents::File(file, _), Some(temporary)) = (self.contents, self.path) else {
            return Err(io::Error::other("this file was not made to be kept"));
        };
        let work = move || {
            file.sync_all()?;
            temporary.persist(&path)?;
            match path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

/// A part of a body, which lets the next one be read when it is dropped.
struct Piece {
    data: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

/// The bytes of a file.
#[derive(Clone, Debug)]
pub enum Contents {
    Memory(Bytes),
    /// The first so many bytes of a file.
    File(Arc<File>, u64),
}

impl Contents {
    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
        }
    }

    /// The body of a request or an answer; there may be many.
    ///
    /// What a connection buffers stays small: a piece is read when an earlier one was written, and not before. So whoever
    /// reads it has to let go of what was read.
    pub fn body(&self) -> impl Body<Data = Bytes, Error = io::Error> + Send + Sync + use<> {
        let (contents, pieces) = (self.clone(), Arc::new(Semaphore::new(PIECES)));
        StreamBody::new(try_unfold(0, move |at| {
            let (contents, pieces) = (contents.clone(), Arc::clone(&pieces));
            async move {
                if at == contents.length() {
                    return Ok(None);
                }
                let permit = pieces.acquire_owned().await.map_err(io::Error::other)?;
                let data = contents.read(at).await?;
                if data.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let next = at + data.len() as u64;
                let piece = Bytes::from_owner(Piece { data, _permit: permit });
                Ok(Some((Frame::data(piece), next)))
            }
        }))
    }

    async fn read(self, at: u64) -> io::Result<Bytes> {
        if matches!(self, Self::Memory(_)) {
            return self.read_now(at, READ);
        }
        spawn_blocking(move || self.read_now(at, READ)).await.map_err(io::Error::other)?
    }

    /// What the bytes tell of their type.
    pub async fn sniffed(self) -> io::Result<Sniffed> {
        let work = move || {
            let head = self.read_now(0, HEAD)?;
            Sniffed::of_whole(&head, self.length(), |at, max| self.read_now(at, max))
        };
        spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// Up to `max` bytes from `at` on. Does not move the file's own position, which other readers share.
    fn read_now(&self, at: u64, max: usize) -> io::Result<Bytes> {
        let left = self.length().saturating_sub(at);
        let max = usize::try_from(left).unwrap_or(max).min(max);
        match self {
            Self::Memory(bytes) => {
                let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..start + max))
            }
            Self::File(file, _) => {
                let mut buffer = vec![0; max];
                #[cfg(unix)]
                let count = std::os::unix::fs::FileExt::read_at(&**file, &mut buffer, at)?;
                #[cfg(windows)]
                let count = std::os::windows::fs::FileExt::seek_read(&**file, &mut buffer, at)?;
                buffer.truncate(count);
                Ok(buffer.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;
    use http_body_util::BodyExt;

    use super::*;

    type Kind = fn(&Arc<Path>, u64) -> Spool;

    async fn spool(kind: Kind, folder: &Path, sizes: &[usize], limit: u64) -> Result<Spooled, SpoolError> {
        let mut spool = kind(&folder.into(), limit);
        for (at, size) in sizes.iter().enumerate() {
            spool.push(Bytes::from(vec![u8::try_from(at).unwrap(); *size])).await?;
        }
        Ok(spool.finish().await?)
    }

    #[tokio::test]
    async fn every_size_comes_out_as_it_went_in() {
        let folder = tempfile::tempdir().unwrap();
        for sizes in
            [&[][..], &[0], &[1, 2], &[GATHER - 1], &[GATHER], &[GATHER, 1], &[1, GATHER * 3, 7, READ]]
        {
            for kind in [Spool::in_transit as Kind, Spool::to_keep] {
                let spooled = spool(kind, folder.path(), sizes, u64::MAX).await.unwrap();
                let expected: Vec<u8> = sizes
                    .iter()
                    .enumerate()
                    .flat_map(|(at, size)| vec![u8::try_from(at).unwrap(); *size])
                    .collect();
                assert_eq!(spooled.contents.length(), expected.len() as u64);
                assert_eq!(spooled.digest, <[u8; 32]>::from(Sha256::digest(&expected)));
                for _ in 0..2 {
                    let (mut body, mut read) = (pin!(spooled.contents.body()), Vec::new());
                    while let Some(frame) = body.frame().await {
                        read.extend_from_slice(&frame.unwrap().into_data().unwrap());
                    }
                    assert_eq!(read, expected);
                }
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[tokio::test]
    async fn the_limit_is_never_passed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(spool(Spool::in_transit, folder.path(), &[5, 5], 10).await.is_ok());
        let large = spool(Spool::in_transit, folder.path(), &[5, 6], 10).await;
        assert!(matches!(large, Err(SpoolError::TooLarge(10))));
    }

    #[tokio::test]
    async fn a_kept_file_has_its_name_and_a_dropped_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let kept = spool(Spool::to_keep, folder.path(), &[3], 10).await.unwrap();
        kept.keep(folder.path().join("kept")).await.unwrap();
        drop(spool(Spool::to_keep, folder.path(), &[4], 10).await.unwrap());
        assert_eq!(std::fs::read(folder.path().join("kept")).unwrap(), [0, 0, 0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_told() {
        let failed = spool(Spool::in_transit, Path::new("/nonexistent"), &[GATHER], u64::MAX).await;
        assert!(matches!(failed, Err(SpoolError::Disk(_))));
    }

    #[tokio::test]
    async fn a_body_is_read_no_faster_than_it_is_written() {
        let contents = Contents::Memory(Bytes::from(vec![0; READ * 4]));
        let mut body = pin!(contents.body());
        let (first, _second) = (body.frame().await.unwrap(), body.frame().await.unwrap());
        assert!(body.frame().now_or_never().is_none());
        drop(first);
        assert!(body.frame().now_or_never().is_some());
    }
}
