//! What the bytes of a file tell about its type.
//!
//! Most files tell it at their beginning. Office files do not: those of today are ZIP archives, whose directory stands at
//! the end; those of before are file systems of their own, whose directory may stand anywhere.

use std::io;

use bytes::Bytes;
use memchr::memmem;

use super::kinds;

/// How far the end of a ZIP's directory may be from the end of the file: a comment has at most 65535 bytes (APPNOTE
/// 4.4.12), and some programs append a little.
const ZIP_TAIL: u64 = 66 * 1024;
/// How much of a directory is looked at: more than a thousand entries.
const MAX_DIRECTORY: usize = 128 * 1024;
const ZIP: &[u8] = b"PK\x03\x04";
const EBML: &[u8] = b"\x1aE\xdf\xa3";
/// Compound File Binary ([MS-CFB] 2.2).
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";
/// How much of its directory is looked at; an entry has 128 bytes.
const OLE_DIRECTORY: usize = 4096;
/// How far into an Ogg file the first pages of its streams go.
const OGG_HEADS: usize = 512;

const DOC: &str = "application/msword";
const XLS: &str = "application/vnd.ms-excel";
const PPT: &str = "application/vnd.ms-powerpoint";
/// The folder of its main part tells what an Office file is.
const FOLDERS: &[(&str, &str)] = &[
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];
/// And the name of its main stream, what one of before is.
const STREAMS: &[(&str, &str)] =
    &[("WordDocument", DOC), ("Workbook", XLS), ("Book", XLS), ("PowerPoint Document", PPT)];

/// What the bytes of a file tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sniffed {
    /// Its type, when it is one that Cloud takes, or certainly another.
    pub media_type: Option<String>,
    /// Whether it is a WebP file with more than one frame.
    pub is_animated: bool,
}

impl Sniffed {
    /// Looks at the first bytes.
    pub fn of(head: &[u8]) -> Self {
        // Bit 1 of the flags of a VP8X chunk (RFC 9649 section 2.7).
        let is_animated = head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|f| f & 0x02 != 0);
        Self { media_type: beginning(head).map(str::to_owned), is_animated }
    }

    /// Looks at the first bytes, and into the directory of an Office file. `read` gives up to so many bytes from a place on.
    pub fn of_whole(
        head: &[u8],
        length: u64,
        read: impl Fn(u64, usize) -> io::Result<Bytes>,
    ) -> io::Result<Self> {
        let sniffed = Self::of(head);
        let office = if head.starts_with(ZIP) {
            in_zip(length, read)?
        } else if head.starts_with(OLE) {
            in_ole(head, read)?
        } else {
            None
        };
        Ok(Self { media_type: office.map(str::to_owned).or(sniffed.media_type), ..sniffed })
    }
}

fn beginning(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"OggS") {
        return Some(if is_opus(head) { kinds::OPUS } else { kinds::OGG });
    }
    // Matroska, WebM among it: Cloud takes neither, and which of the two it is makes no difference.
    if head.starts_with(EBML) {
        return Some("video/webm");
    }
    // Its directory tells which one it is.
    if head.starts_with(OLE) {
        return None;
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let found = infer::get(text)?.mime_type();
    // Without a brand, an MPEG-4 file of before looks the same.
    let is_sure = found != "video/quicktime" || head.get(4..12) == Some(b"ftypqt  ");
    if is_sure { kinds::telling(found) } else { None }
}

/// The first pages of an Ogg file name the codecs of its streams (RFC 7845 section 5.1, and those of the others).
fn is_opus(head: &[u8]) -> bool {
    let heads = head.get(..OGG_HEADS).unwrap_or(head);
    let has = |magic: &[u8]| memmem::find(heads, magic).is_some();
    has(b"OpusHead") && !has(b"\x01vorbis") && !has(b"\x80theora")
}

fn in_zip(length: u64, read: impl Fn(u64, usize) -> io::Result<Bytes>) -> io::Result<Option<&'static str>> {
    let tail = length.min(ZIP_TAIL);
    let end = read(length - tail, usize::try_from(tail).unwrap_or_default())?;
    let place = memmem::rfind(&end, b"PK\x05\x06").and_then(|at| {
        let record = end.get(at..)?;
        Some((u32_at(record, 16)?, u32_at(record, 12)?))
    });
    let Some((start, size)) = place else {
        return Ok(None);
    };
    let size = usize::try_from(size).unwrap_or(MAX_DIRECTORY).min(MAX_DIRECTORY);
    Ok(of_names(&read(u64::from(start), size)?))
}

/// Entries of a directory (APPNOTE 4.3.12): the one that every Office file has, and one in the folder of its main part.
fn of_names(directory: &[u8]) -> Option<&'static str> {
    let (mut rest, mut is_office, mut found) = (directory, false, None);
    while rest.starts_with(b"PK\x01\x02") {
        let lengths = [28, 30, 32].map(|at| u16_at(rest, at));
        let [Some(name), Some(extra), Some(comment)] = lengths else { break };
        let Some(name_bytes) = rest.get(46..46 + usize::from(name)) else { break };
        is_office |= name_bytes == b"[Content_Types].xml";
        let of_folder = FOLDERS.iter().find(|(folder, _)| name_bytes.starts_with(folder.as_bytes()));
        found = found.or(of_folder.map(|(_, name)| *name));
        let next = 46 + usize::from(name) + usize::from(extra) + usize::from(comment);
        rest = rest.get(next..).unwrap_or_default();
    }
    found.filter(|_| is_office)
}

fn in_ole(head: &[u8], read: impl Fn(u64, usize) -> io::Result<Bytes>) -> io::Result<Option<&'static str>> {
    let (Some(shift), Some(sector)) = (u16_at(head, 30), u32_at(head, 48)) else {
        return Ok(None);
    };
    // 512 or 4096 bytes ([MS-CFB] 2.2); the header takes the place of the first one.
    if !matches!(shift, 9 | 12) {
        return Ok(None);
    }
    let directory = read((u64::from(sector) + 1) << shift, OLE_DIRECTORY)?;
    Ok(directory.chunks_exact(128).find_map(|entry| {
        let is = |name: &str| {
            let utf16: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
            entry.starts_with(&utf16)
        };
        STREAMS.iter().find(|(name, _)| is(name)).map(|(_, found)| *found)
    }))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(file: &[u8]) -> Option<String> {
        let read = |at: u64, most: usize| {
            let rest = file.get(usize::try_from(at).unwrap()..).unwrap_or_default();
            Ok(Bytes::copy_from_slice(rest.get(..most).unwrap_or(rest)))
        };
        let head = &file[..file.len().min(4096)];
        Sniffed::of_whole(head, file.len() as u64, read).unwrap().media_type
    }

    /// A ZIP whose parts have these names and so many bytes.
    fn zip(parts: &[(&str, usize)]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for (name, length) in parts {
            let name_length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let start = u32::try_from(file.len()).unwrap().to_le_bytes();
            // Sizes stand behind the bytes and in the directory, as in files that were written without going back.
            file.extend_from_slice(b"PK\x03\x04\x14\0\x08\0\x08\0");
            file.extend_from_slice(&[0; 16]);
            file.extend_from_slice(&name_length);
            file.extend_from_slice(&[0; 2]);
            file.extend_from_slice(name.as_bytes());
            file.extend(std::iter::repeat_n(7, *length));
            directory.extend_from_slice(b"PK\x01\x02");
            directory.extend_from_slice(&[0; 24]);
            directory.extend_from_slice(&name_length);
            directory.extend_from_slice(&[0; 12]);
            directory.extend_from_slice(&start);
            directory.extend_from_slice(name.as_bytes());
        }
        let [start, size] = [file.len(), directory.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes());
        file.extend(directory);
        file.extend_from_slice(b"PK\x05\x06\0\0\0\0\0\0\0\0");
        file.extend_from_slice(&size);
        file.extend_from_slice(&start);
        file.extend_from_slice(&[0; 2]);
        file
    }

    /// A file of the old Office with these entries in its directory.
    fn ole(entries: &[&str]) -> Vec<u8> {
        let mut file = [OLE, &[0; 504]].concat();
        file[30] = 9;
        file[48] = 20;
        file.resize(21 * 512, 1);
        for name in entries {
            let mut entry: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            entry.resize(128, 0);
            file.extend(entry);
        }
        file
    }

    #[test]
    fn office_files_of_real_size() {
        for (folder, found) in FOLDERS {
            let main = format!("{folder}main.xml");
            let large = [("[Content_Types].xml", 300), ("_rels/.rels", 200), (main.as_str(), 300_000)];
            assert_eq!(whole(&zip(&large)).as_deref(), Some(*found));
            let last = [("docProps/app.xml", 9000), (main.as_str(), 5000), ("[Content_Types].xml", 10)];
            assert_eq!(whole(&zip(&last)).as_deref(), Some(*found));
            let appended = [zip(&large), vec![0; 1000]].concat();
            assert_eq!(whole(&appended).as_deref(), Some(*found));
        }
        for (parts, found) in [
            (&[("a.txt", 9), ("word/document.xml", 9)][..], None),
            (&[("a.txt", 9000), ("[Content_Types].xml", 9)], None),
            (&[("mimetype", 9)], None),
        ] {
            assert_eq!(whole(&zip(parts)).as_deref(), found, "{parts:?}");
        }
        for (entries, found) in [
            (&["Root Entry", "1Table", "WordDocument"][..], Some(DOC)),
            (&["Root Entry", "Workbook"], Some(XLS)),
            (&["Root Entry", "Book", "Notebook"], Some(XLS)),
            (
                &["Root Entry", "\u{5}SummaryInformation", "Current User", "x", "PowerPoint Document"],
                Some(PPT),
            ),
            (&["Root Entry", "WordDocuments", "EncryptedPackage"], None),
        ] {
            assert_eq!(whole(&ole(entries)).as_deref(), found, "{entries:?}");
        }
    }

    #[test]
    fn ogg_is_opus_when_it_says_so() {
        let page = |codec: &[u8]| [b"OggS\0\x02", [0; 20].as_slice(), b"\x01\x13", codec, &[0; 20]].concat();
        let skeleton = [page(b"fishead\0"), page(b"OpusHead")].concat();
        for (file, found) in [
            (page(b"OpusHead"), kinds::OPUS),
            (skeleton, kinds::OPUS),
            (page(b"\x01vorbis"), kinds::OGG),
            ([page(b"\x80theora"), page(b"OpusHead")].concat(), kinds::OGG),
            (page(b"Speex   "), kinds::OGG),
            (b"OggS".to_vec(), kinds::OGG),
        ] {
            assert_eq!(Sniffed::of(&file).media_type.as_deref(), Some(found), "{file:?}");
        }
    }

    #[test]
    fn the_first_bytes() {
        for (head, found) in [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"%PDF-1.7", Some("application/pdf")),
            (b"<!DOCTYPE html><html>", Some("text/html")),
            (b"\xef\xbb\xbf \n<html>", Some("text/html")),
            (b"<?xml version='1.0'?>", Some("text/xml")),
            (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01webm", Some("video/webm")),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Some("image/heif")),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", Some("image/heif")),
            (b"\0\0\0\x14ftypavif\0\0\0\0avif", Some("image/avif")),
            (b"II*\0\x08\0\0\0\x01\0\0\0", Some("image/tiff")),
            (b"RIFF\0\0\0\0AVI LIST", Some("video/x-msvideo")),
            (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", Some("video/quicktime")),
            (b"\0\0\x10\0moov\0\0\0\x6cmvhd", None),
            (b"\0\0\x10\0mdat\0\0\0\0\0\0\0\0", None),
            (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", Some("video/mp4")),
            (b"", None),
            (b"BMW prices", None),
        ] {
            assert_eq!(Sniffed::of(head).media_type.as_deref(), found, "{head:?}");
        }
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn nothing_makes_it_panic(
            magic in prop::sample::select(vec![ZIP, OLE, b"OggS", b"RIFF", b""]),
            pieces in prop::collection::vec(prop::sample::select(vec![
                &b"PK\x01\x02"[..], b"PK\x05\x06", b"\xff\xff", b"\0\0\0\0\0\0\0\0\0", b"\x09\0", b"word/", b"OpusHead",
            ]), 0..80),
        ) {
            let file = [magic, &pieces.concat()].concat();
            whole(&file);
        }
    }
}
