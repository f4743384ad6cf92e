//! What is done about a full disk.
//!
//! A change is written to the log of changes, and from there into the file when the log is long enough (SQLite,
//! "Write-Ahead Logging"). What is new has no place in the file until then, so cutting the log may need room, which a
//! full disk does not have: the store could take no change any more, not even to take out what was delivered, until
//! somebody makes room. So there is a reserve beside the store, somewhat larger than the log.
//!
//! When the disk is full the log is cut, with the room of the reserve, which is then made anew; and what failed is tried
//! once more. What fails again is tried a last time with the reserve for the log, while the file may not grow: so the log
//! can always be cut, and what needs no room is written. It stays like that until something fails and there is room for
//! the reserve.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::Error;

/// Pages in the log of changes after which they are written into the main file (SQLite, "Write-Ahead Logging", 3.1;
/// 1000 without this). Commits that follow each other mostly change the same pages, the last ones of the queue and of the
/// log of events, and a longer log writes these once where a shorter one does several times. The file beside the
/// store reaches 16 MiB so. Where there is no room for the reserve of a long log, it is shorter.
const LOGS: [u32; 4] = [4000, 1000, 250, 62];
/// The bytes of a page (SQLite, "PRAGMA page_size", which nobody changes).
const PAGE: u64 = 4096;
/// No limit, and as many pages as there are (SQLite, "PRAGMA max_page_count").
const UNLIMITED: i64 = 0xffff_fffe;
const NO_MORE: i64 = 1;

/// The reserve of one store.
pub(super) struct Reserve {
    path: PathBuf,
    size: u64,
    is_short: bool,
}

impl Reserve {
    /// Makes the reserve of `store`, unless an earlier run has left it, and keeps the log as short as that allows.
    pub(super) fn open(store: &Path, connection: &Connection) -> Result<Self, Error> {
        let mut reserve = OsString::from(store);
        reserve.push("-reserve");
        let reserve = PathBuf::from(reserve);
        let [.., shortest] = LOGS;
        let pages =
            LOGS.into_iter().find(|pages| is_affordable(&reserve, size_for(*pages))).unwrap_or(shortest);
        connection.pragma_update(None, "wal_autocheckpoint", pages)?;
        // What a longer one has taken is given back.
        connection.pragma_update(None, "journal_size_limit", i64::from(pages) * PAGE.cast_signed())?;
        Ok(Self { path: reserve, size: size_for(pages), is_short: false })
    }

    /// Cuts the log, after something did not fit.
    pub(super) fn make_room(&self, connection: &Connection) {
        self.cut(connection, || if keep(&self.path, self.size).is_ok() { UNLIMITED } else { NO_MORE });
    }

    /// When that was not enough: lets the log have the reserve, for what needs no room in the file.
    pub(super) fn spend(&self, connection: &Connection) {
        self.cut(connection, || NO_MORE);
    }

    /// An error leaves things as they are, for the next time.
    fn cut(&self, connection: &Connection, max_pages: impl FnOnce() -> i64) {
        // There may be none.
        let _ = fs::remove_file(&self.path);
        let cut = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = cut.and_then(|()| connection.pragma_update(None, "max_page_count", max_pages())) {
            tracing::warn!(%error, "the log of the store could not be cut");
        }
    }

    /// Logs whether that was enough, if it was the other way the last time.
    pub(super) fn report(&mut self, is_short: bool) {
        match (std::mem::replace(&mut self.is_short, is_short), is_short) {
            (false, true) => {
                tracing::error!("the disk of the store is full: nothing is taken that needs room")
            }
            (true, false) => tracing::info!("the disk of the store has room again"),
            (true, true) | (false, false) => {}
        }
    }
}

/// As large as the log, and a fourth for what a commit adds before it is cut.
fn size_for(pages: u32) -> u64 {
    u64::from(pages) * PAGE * 5 / 4
}

/// Whether there is a reserve of `size`, or room for one and for as much besides.
fn is_affordable(reserve: &Path, size: u64) -> bool {
    let is_there = fs::metadata(reserve).is_ok_and(|file| file.len() == size);
    let make = || {
        keep(reserve, size * 2)?;
        OpenOptions::new().write(true).open(reserve)?.set_len(size)
    };
    is_there || make().is_ok()
}

/// Makes the file `size` bytes long, and each of them takes its room.
fn keep(reserve: &Path, size: u64) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(reserve)?;
    let length = file.metadata()?.len();
    let zeros = [0; 64 * 1024];
    let mut left = size.saturating_sub(length);
    while left > 0 {
        let piece = zeros.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(&zeros);
        if let Err(error) = file.write_all(piece) {
            file.set_len(length)?;
            return Err(error);
        }
        left -= piece.len() as u64;
    }
    Ok(())
}
