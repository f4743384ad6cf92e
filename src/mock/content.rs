//! The bytes of a file: in memory while they are few, else in a temporary file without a name.

use std::io::{self, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::try_unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::Frame;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// How much of a spooled file is in memory at a time.
const PIECE: u64 = 64 << 10;

/// The body of an answer: bytes, or a file read piece by piece.
pub(super) type AnswerBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, io::Error>>;

/// Bytes wherever they are; clones share them.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Memory(Bytes),
    Spooled { file: Arc<Mutex<File>>, length: u64 },
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Content::Memory(bytes)
    }
}

impl Content {
    pub(super) fn len(&self) -> u64 {
        match self {
            Content::Memory(bytes) => bytes.len() as u64,
            Content::Spooled { length, .. } => *length,
        }
    }

    /// The bytes between `from` and `to`, or the first of them; empty at the end only.
    pub(super) async fn read(&self, from: u64, to: u64) -> io::Result<Bytes> {
        let to = to.min(self.len());
        if from >= to {
            return Ok(Bytes::new());
        }
        match self {
            Content::Memory(bytes) => {
                let place = |at: u64| usize::try_from(at).unwrap_or(bytes.len()).min(bytes.len());
                Ok(bytes.slice(place(from)..place(to)))
            }
            Content::Spooled { file, .. } => {
                let mut piece = Vec::new();
                let mut file = file.lock().await;
                file.seek(SeekFrom::Start(from)).await?;
                (&mut *file).take((to - from).min(PIECE)).read_to_end(&mut piece).await?;
                if piece.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(piece.into()) }
            }
        }
    }

    /// Everything as the body of an answer.
    pub(super) fn into_body(self) -> AnswerBody {
        if let Content::Memory(bytes) = self {
            return Either::Left(Full::new(bytes));
        }
        let pieces = try_unfold((self, 0), |(content, at)| async move {
            let piece = content.read(at, u64::MAX).await?;
            let next = at + piece.len() as u64;
            Ok((!piece.is_empty()).then(|| (Frame::data(piece), (content, next))))
        });
        Either::Right(StreamBody::new(pieces).boxed_unsync())
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Spool {
    /// How many bytes may stay in memory.
    in_memory: usize,
    memory: Vec<u8>,
    file: Option<File>,
    is_dropped: bool,
    hash: Sha256,
    length: u64,
}

/// A file that was written.
#[derive(Debug)]
pub(super) struct Written {
    /// The bytes; none when they were dropped on the way.
    pub(super) content: Option<Content>,
    /// In hex.
    pub(super) sha256: String,
    pub(super) length: u64,
}

impl Spool {
    pub(super) fn new(in_memory: usize) -> Self {
        Self { in_memory, memory: Vec::new(), file: None, is_dropped: false, hash: Sha256::new(), length: 0 }
    }

    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Keeps nothing from now on; hash and length go on.
    pub(super) fn drop_content(&mut self) {
        self.is_dropped = true;
        (self.memory, self.file) = (Vec::new(), None);
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.length = self.length.saturating_add(bytes.len() as u64);
        if self.is_dropped {
            return Ok(());
        }
        if self.file.is_none() && self.memory.len() + bytes.len() <= self.in_memory {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let file =
                    tokio::task::spawn_blocking(tempfile::tempfile).await.map_err(io::Error::other)??;
                let mut file = File::from_std(file);
                file.write_all(&std::mem::take(&mut self.memory)).await?;
                file
            }
        };
        file.write_all(bytes).await?;
        self.file = Some(file);
        Ok(())
    }

    pub(super) async fn finish(mut self) -> io::Result<Written> {
        let content = match self.file.take() {
            _ if self.is_dropped => None,
            Some(mut file) => {
                file.flush().await?;
                Some(Content::Spooled { file: Arc::new(Mutex::new(file)), length: self.length })
            }
            None => Some(Content::Memory(self.memory.into())),
        };
        Ok(Written { content, sha256: hex(&self.hash.finalize()), length: self.length })
    }
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn spool(in_memory: usize, pieces: &[&[u8]]) -> Written {
        let mut spool = Spool::new(in_memory);
        for piece in pieces {
            spool.write(piece).await.unwrap();
            assert!(spool.memory.len() <= in_memory);
        }
        spool.finish().await.unwrap()
    }

    #[tokio::test]
    async fn few_bytes_stay_in_memory_and_many_do_not() {
        // FIPS 180-2 appendix B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        for (in_memory, is_spooled) in [(3, false), (2, true), (0, true)] {
            let written = spool(in_memory, &[b"a", b"", b"bc"]).await;
            assert_eq!((written.sha256.as_str(), written.length), (abc, 3));
            let content = written.content.unwrap();
            assert_eq!(matches!(content, Content::Spooled { .. }), is_spooled);
            assert_eq!(content.read(1, 2).await.unwrap(), "b");
            assert_eq!(content.read(1, 9).await.unwrap(), "bc");
            assert_eq!(content.read(3, 9).await.unwrap(), "");
            assert_eq!(content.into_body().collect().await.unwrap().to_bytes(), "abc");
        }
    }

    #[tokio::test]
    async fn a_long_file_is_read_in_pieces_and_by_several_at_once() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let content = spool(1000, &bytes.chunks(999).collect::<Vec<_>>()).await.content.unwrap();
        assert_eq!(content.read(0, u64::MAX).await.unwrap().len() as u64, PIECE);
        let (one, two) = tokio::join!(content.clone().into_body().collect(), content.into_body().collect());
        assert!(one.unwrap().to_bytes() == bytes && two.unwrap().to_bytes() == bytes);
    }

    #[tokio::test]
    async fn what_is_dropped_is_still_hashed() {
        let mut spool = Spool::new(2);
        spool.write(b"abc").await.unwrap();
        spool.drop_content();
        spool.write(b"").await.unwrap();
        let written = spool.finish().await.unwrap();
        assert!(written.content.is_none() && written.sha256.starts_with("ba7816bf") && written.length == 3);
    }
}
