//! Files on their way through: hashed while they arrive, in memory as long as they are small, then in a
//! temporary file. Neither hashing nor writing runs where requests are served.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use tokio::task::{JoinHandle, spawn_blocking};

use super::sniff::Sniffed;

/// SHA-256 of a file.
pub type Digest = [u8; 32];

/// What is gathered before it is hashed and written; smaller files never touch the disk.
const GATHER: usize = 128 * 1024;
/// What is read at a time.
const READ: usize = 64 * 1024;
/// How much of a file's beginning is looked at.
pub const HEAD: usize = 4096;

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

/// Where a file goes that is too large for memory.
#[derive(Clone, Debug)]
pub enum Place {
    /// Into a file without a name in this folder, which is gone when nobody reads it any more, however the
    /// process ends.
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
    /// Takes at most `limit` bytes.
    pub fn new(place: Place, limit: u64) -> Self {
        let disk = Disk { hasher: Sha256::new(), file: None };
        Self { place, limit, length: 0, head: BytesMut::new(), gathered: BytesMut::new(), disk: Some(disk) }
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

    /// How many bytes came.
    pub fn length(&self) -> u64 {
        self.length
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
            (Some(bytes), _) => Content::Memory(bytes),
            (None, Some(Temporary::Unnamed(file))) => Content::File(Arc::new(file)),
            (None, Some(Temporary::Named(file))) => Content::Named(file),
            (None, None) => return Err(lost()),
        };
        Ok(Spooled { digest, length: self.length, head: self.head.freeze(), content })
    }

    /// Hashes what was gathered, and writes it if asked.
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

/// How the names of files begin that are still arriving.
pub const PARTIAL: &str = ".prembridge-partial-";

fn lost() -> io::Error {
    io::Error::other("an earlier write failed")
}

/// A whole file.
#[derive(Debug)]
pub struct Spooled {
    /// Of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub length: u64,
    /// Its first bytes.
    pub head: Bytes,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Bytes),
    File(Arc<File>),
    Named(NamedTempFile),
}

impl Spooled {
    /// A reader from its beginning; there may be many.
    pub fn reader(&self) -> io::Result<FileBody> {
        Ok(match &self.content {
            Content::Memory(bytes) => FileBody::memory(bytes.clone()),
            Content::File(file) => FileBody::new(Arc::clone(file), self.length),
            Content::Named(file) => FileBody::new(Arc::new(file.reopen()?), self.length),
        })
    }

    /// What its bytes tell of its type.
    pub async fn sniffed(&self) -> io::Result<Sniffed> {
        if !Sniffed::is_in_directory(&self.head) {
            return Ok(Sniffed::of(&self.head));
        }
        let (head, length) = (self.head.clone(), self.length);
        let file = match &self.content {
            Content::Memory(bytes) => {
                return Sniffed::of_whole(&head, length, |at, most| Ok(slice(bytes, at, most)));
            }
            Content::File(file) => Arc::clone(file),
            Content::Named(file) => Arc::new(file.reopen()?),
        };
        let work = move || Sniffed::of_whole(&head, length, |at, most| read_at(&file, at, most));
        spawn_blocking(work).await.map_err(io::Error::other)?
    }

    /// Gives a [`Place::Named`] file its name; it is on disk afterwards, through a power loss too.
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

/// A file as the body of a request or an answer.
#[derive(Debug)]
pub struct FileBody {
    source: Source,
    left: u64,
}

#[derive(Debug)]
enum Source {
    Memory(Bytes),
    File { file: Arc<File>, offset: u64, reading: Option<JoinHandle<io::Result<Bytes>>> },
}

impl FileBody {
    /// The first `length` bytes of `file`.
    pub fn new(file: Arc<File>, length: u64) -> Self {
        Self { source: Source::File { file, offset: 0, reading: None }, left: length }
    }

    fn memory(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { source: Source::Memory(bytes), left }
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let data = match &mut this.source {
            Source::Memory(bytes) => std::mem::take(bytes),
            Source::File { file, offset, reading } => {
                let task = reading.get_or_insert_with(|| {
                    let (file, at) = (Arc::clone(file), *offset);
                    let most = usize::try_from(this.left).unwrap_or(READ).min(READ);
                    spawn_blocking(move || read_at(&file, at, most))
                });
                let read = ready!(Pin::new(task).poll(cx)).map_err(io::Error::other);
                *reading = None;
                let data = read??;
                *offset += data.len() as u64;
                data
            }
        };
        if data.is_empty() {
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        this.left = this.left.saturating_sub(data.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Up to so many bytes from a place on.
fn slice(bytes: &Bytes, at: u64, most: usize) -> Bytes {
    let start = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(start..start.saturating_add(most).min(bytes.len()))
}

/// Reads without moving the file's own position, which other readers share.
fn read_at(file: &File, offset: u64, most: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; most];
    #[cfg(unix)]
    let count = std::os::unix::fs::FileExt::read_at(file, &mut buffer, offset)?;
    #[cfg(windows)]
    let count = std::os::windows::fs::FileExt::seek_read(file, &mut buffer, offset)?;
    buffer.truncate(count);
    Ok(buffer.into())
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
                    let read = spooled.reader().unwrap().collect().await.unwrap().to_bytes();
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
