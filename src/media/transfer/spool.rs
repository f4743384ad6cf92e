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
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};

use crate::media::sniff::Sniffed;

/// SHA-256 of a file.
pub type Digest = [u8; 32];

/// How much is gathered before it is hashed and written; smaller files never touch the disk.
const GATHER: usize = 128 * 1024;
/// How much is read at a time.
const READ: usize = 64 * 1024;
/// How much of the beginning of a file is looked at.
pub const HEAD: usize = 4096;
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
    /// It ended early, or paused for too long.
    Broken(String),
    Late,
    TooSlow,
}

/// Where a file goes that is too large for memory.
#[derive(Clone, Debug)]
enum Place {
    /// Into a file without a name in this folder, which disappears with its last reader, however the process ends.
    Unnamed(Arc<Path>),
    /// Into a file in this folder that [`Spooled::keep`] can give a name, whatever its size.
    Named(Arc<Path>),
}

/// A file that is arriving.
#[derive(Debug)]
pub struct Spool {
    place: Place,
    limit: u64,
    length: u64,
    head: BytesMut,
    gathered: BytesMut,
    disk: Option<Disk>,
}

/// The part that works in the background.
#[derive(Debug)]
struct Disk {
    hasher: Sha256,
    file: Option<Temporary>,
}

#[derive(Debug)]
enum Temporary {
    Unnamed(File),
    Named(NamedTempFile),
}

impl Spool {
    /// For a file in transit of at most `limit` bytes; while it is large it lies in `folder`.
    pub fn in_transit(folder: &Arc<Path>, limit: u64) -> Self {
        Self::new(Place::Unnamed(Arc::clone(folder)), limit)
    }

    /// For a file of at most `limit` bytes that will be kept in `folder`.
    pub fn to_keep(folder: &Arc<Path>, limit: u64) -> Self {
        Self::new(Place::Named(Arc::clone(folder)), limit)
    }

    fn new(place: Place, limit: u64) -> Self {
        let disk = Disk { hasher: Sha256::new(), file: None };
        Self { place, limit, length: 0, head: BytesMut::new(), gathered: BytesMut::new(), disk: Some(disk) }
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
        let room = HEAD.saturating_sub(self.head.len()).min(data.len());
        self.head.extend_from_slice(data.get(..room).unwrap_or_default());
        self.gathered.extend_from_slice(&data);
        if self.gathered.len() >= GATHER {
            self.flush(true).await?;
        }
        Ok(())
    }

    /// The whole file.
    pub async fn finish(mut self) -> io::Result<Spooled> {
        let is_small = self.disk.as_ref().is_some_and(|disk| disk.file.is_none());
        let in_memory = is_small && matches!(self.place, Place::Unnamed(_));
        let whole = if in_memory { Some(self.gathered.clone().freeze()) } else { None };
        self.flush(!in_memory).await?;
        let disk = self.disk.take().ok_or_else(lost)?;
        let digest = disk.hasher.finalize().into();
        let content = match (whole, disk.file) {
            (Some(bytes), _) => Content::Readable(Contents::Memory(bytes)),
            (None, Some(Temporary::Unnamed(file))) => {
                Content::Readable(Contents::File(Arc::new(file), self.length))
            }
            (None, Some(Temporary::Named(file))) => Content::Named(file),
            (None, None) => return Err(lost()),
        };
        Ok(Spooled { digest, length: self.length, head: self.head.freeze(), content })
    }

    /// Hashes what was gathered, and writes it to the disk if `writes`.
    async fn flush(&mut self, writes: bool) -> io::Result<()> {
        let mut disk = self.disk.take().ok_or_else(lost)?;
        let data = std::mem::take(&mut self.gathered);
        let place = self.place.clone();
        let work = move || {
            disk.hasher.update(&data);
            if writes {
                disk.write(&place, &data)?;
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

impl Disk {
    fn write(&mut self, place: &Place, data: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(match place {
                Place::Unnamed(folder) => Temporary::Unnamed(tempfile::tempfile_in(folder)?),
                Place::Named(folder) => {
                    Temporary::Named(tempfile::Builder::new().prefix(PARTIAL).tempfile_in(folder)?)
                }
            });
        }
        match &mut self.file {
            Some(Temporary::Unnamed(file)) => file.write_all(data),
            Some(Temporary::Named(file)) => file.write_all(data),
            None => Err(lost()),
        }
    }
}

fn lost() -> io::Error {
    io::Error::other("an earlier write failed")
}

/// A whole file.
#[derive(Debug)]
pub struct Spooled {
    pub digest: Digest,
    pub length: u64,
    /// Its first bytes.
    pub head: Bytes,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// To be read.
    Readable(Contents),
    /// To be given a name.
    Named(NamedTempFile),
}

impl Spooled {
    /// Its bytes, to be read as often as needed.
    pub fn contents(&self) -> io::Result<Contents> {
        Ok(match &self.content {
            Content::Readable(contents) => contents.clone(),
            Content::Named(file) => Contents::File(Arc::new(file.reopen()?), self.length),
        })
    }

    /// What its bytes tell of its type.
    pub async fn sniffed(&self) -> io::Result<Sniffed> {
        if !Sniffed::is_in_directory(&self.head) {
            return Ok(Sniffed::of(&self.head));
        }
        let (head, length, contents) = (self.head.clone(), self.length, self.contents()?);
        let work = move || Sniffed::of_whole(&head, length, |at, max| contents.read_now(at, max));
        spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// Gives a file made by [`Spool::to_keep`] its name; afterwards it is on disk, through a power loss too.
    pub async fn keep(self, path: PathBuf) -> io::Result<()> {
        let Content::Named(file) = self.content else {
            return Err(io::Error::other("this file was not made to be kept"));
        };
        let work = move || {
            file.as_file().sync_all()?;
            file.persist(&path)?;
            match path.parent() {
                Some(folder) => File::open(folder)?.sync_all(),
                None => Ok(()),
            }
        };
        spawn_blocking(work).await.map_err(io::Error::other)?
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
    pub fn body(&self) -> impl Body<Data = Bytes, Error = io::Error> + Send + Sync + use<> {
        let contents = self.clone();
        StreamBody::new(try_unfold(0, move |at| {
            let contents = contents.clone();
            async move {
                if at == contents.length() {
                    return Ok(None);
                }
                let data = contents.read(at, READ).await?;
                if data.is_empty() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let next = at + data.len() as u64;
                Ok(Some((Frame::data(data), next)))
            }
        }))
    }

    /// Up to `max` bytes from `at` on.
    pub async fn read(self, at: u64, max: usize) -> io::Result<Bytes> {
        if matches!(self, Self::Memory(_)) {
            return self.read_now(at, max);
        }
        spawn_blocking(move || self.read_now(at, max)).await.map_err(io::Error::other)?
    }

    /// Does not move the file's own position, which other readers share.
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
    use http_body_util::BodyExt;

    use super::*;

    async fn spool(place: Place, sizes: &[usize], limit: u64) -> Result<Spooled, SpoolError> {
        let mut spool = Spool::new(place, limit);
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
            let unnamed = Place::Unnamed(folder.path().into());
            let named = Place::Named(folder.path().into());
            for place in [unnamed, named] {
                let spooled = spool(place, sizes, u64::MAX).await.unwrap();
                let expected: Vec<u8> = sizes
                    .iter()
                    .enumerate()
                    .flat_map(|(at, size)| vec![u8::try_from(at).unwrap(); *size])
                    .collect();
                assert_eq!(spooled.length, expected.len() as u64);
                assert_eq!(spooled.digest, <[u8; 32]>::from(Sha256::digest(&expected)));
                assert_eq!(spooled.head, expected[..expected.len().min(HEAD)]);
                for _ in 0..2 {
                    let read = spooled.contents().unwrap().body().collect().await.unwrap().to_bytes();
                    assert_eq!(read, expected);
                }
            }
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    }

    #[tokio::test]
    async fn the_limit_is_never_passed() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Unnamed(folder.path().into());
        assert!(spool(place.clone(), &[5, 5], 10).await.is_ok());
        assert!(matches!(spool(place, &[5, 6], 10).await, Err(SpoolError::TooLarge(10))));
    }

    #[tokio::test]
    async fn a_kept_file_has_its_name_and_a_dropped_one_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Named(folder.path().into());
        let kept = spool(place.clone(), &[3], 10).await.unwrap();
        kept.keep(folder.path().join("kept")).await.unwrap();
        drop(spool(place, &[4], 10).await.unwrap());
        assert_eq!(std::fs::read(folder.path().join("kept")).unwrap(), [0, 0, 0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_told() {
        let place = Place::Unnamed(Path::new("/nonexistent").into());
        assert!(matches!(spool(place, &[GATHER], u64::MAX).await, Err(SpoolError::Disk(_))));
    }
}
