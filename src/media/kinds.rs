//! Which files Cloud takes for which kind of message, and what type a file is when those who name one differ.
//!
//! Cloud's media reference, "Supported media types": everything here is refused by Cloud too, only later,
//! and for links by a failed status long after the message was accepted.

use crate::onprem::message::MediaKind;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A static sticker may have 100 KB, an animated one 500 KB.
const STATIC_STICKER: u64 = 100 * KIB;

/// The longest name of a type that is remembered, and the longest parameter.
const MAX_NAME: usize = 128;

/// The name for "any bytes".
pub const UNKNOWN: &str = "application/octet-stream";
/// Ogg, whatever is in it.
pub const OGG: &str = "audio/ogg";
/// Ogg with Opus, under the one name that Cloud takes: "unsupported audio mime type audio/opus, use audio/ogg;
/// codecs=opus".
pub const OPUS: &str = "audio/ogg; codecs=opus";

/// A type that Cloud takes, the endings of its files, and other names that servers give it.
struct Type {
    name: &'static str,
    kind: MediaKind,
    endings: &'static [&'static str],
    aliases: &'static [&'static str],
}

const fn of(
    name: &'static str,
    kind: MediaKind,
    endings: &'static [&'static str],
    aliases: &'static [&'static str],
) -> Type {
    Type { name, kind, endings, aliases }
}

/// Every type that Cloud's media endpoint takes.
#[rustfmt::skip]
const TYPES: &[Type] = &[
    of("audio/aac", MediaKind::Audio, &["aac"], &["audio/x-aac", "audio/aacp"]),
    of("audio/amr", MediaKind::Audio, &["amr"], &["audio/amr-nb"]),
    of("audio/mpeg", MediaKind::Audio, &["mp3"], &["audio/mp3", "audio/x-mp3", "audio/x-mpeg"]),
    of("audio/mp4", MediaKind::Audio, &["m4a"], &["audio/m4a", "audio/x-m4a"]),
    of(OGG, MediaKind::Audio, &["ogg", "oga"], &["application/ogg"]),
    of(OPUS, MediaKind::Audio, &["opus"], &["audio/opus", "audio/x-opus"]),
    of("application/pdf", MediaKind::Document, &["pdf"], &["application/x-pdf"]),
    of(TEXT, MediaKind::Document, &["txt"], &[]),
    of("application/msword", MediaKind::Document, &["doc"], &[]),
    of("application/vnd.ms-excel", MediaKind::Document, &["xls"], &[]),
    of("application/vnd.ms-powerpoint", MediaKind::Document, &["ppt"], &[]),
    of("application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        MediaKind::Document, &["docx"], &[]),
    of("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        MediaKind::Document, &["xlsx"], &[]),
    of("application/vnd.openxmlformats-officedocument.presentationml.presentation",
        MediaKind::Document, &["pptx"], &[]),
    of("image/jpeg", MediaKind::Image, &["jpg", "jpeg"], &["image/jpg", "image/pjpeg"]),
    of("image/png", MediaKind::Image, &["png"], &["image/x-png"]),
    of("image/webp", MediaKind::Sticker, &["webp"], &[]),
    of("video/mp4", MediaKind::Video, &["mp4", "m4v"], &["video/x-m4v"]),
    of("video/3gpp", MediaKind::Video, &["3gp", "3gpp"], &["video/3gp"]),
];

/// Types that say nothing, as storage services, download scripts and unset variables send them.
const SAYS_NOTHING: &[&str] = &[
    UNKNOWN,
    "application/binary",
    "application/download",
    "application/force-download",
    "application/octetstream",
    "application/unknown",
    "application/x-download",
    "application/x-www-form-urlencoded",
    "binary/octet-stream",
    "multipart/form-data",
    "unknown/unknown",
];

/// Types that Cloud does not take and that show in the first bytes beyond doubt: no file name makes them another.
const CERTAINLY_OTHERS: &[&str] = &[
    HTML,
    "text/xml",
    "application/gzip",
    "audio/x-flac",
    "audio/x-wav",
    "image/avif",
    "image/gif",
    "image/heif",
    "image/tiff",
    "video/quicktime",
    "video/webm",
    "video/x-msvideo",
];
const HTML: &str = "text/html";

/// Types of pages and reports that stand in the place of a file: then its name tells nothing.
const PAGES: &[&str] =
    &[HTML, TEXT, "application/xhtml+xml", "application/json", "application/xml", "text/xml"];
const TEXT: &str = "text/plain";

/// The formats of Office before it had ZIP archives.
const OLD_OFFICE: &[&str] =
    &["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

/// Types whose files begin alike, so that the first bytes do not tell one from another.
const ALIKE: &[&[&str]] =
    &[OLD_OFFICE, &["audio/mp4", "video/mp4", "video/3gpp"], &["audio/aac", "audio/mpeg"]];

/// The most bytes that a file of this kind may have.
pub fn limit(kind: MediaKind) -> u64 {
    match kind {
        MediaKind::Audio | MediaKind::Video => 16 * MIB,
        MediaKind::Document => 100 * MIB,
        MediaKind::Image => 5 * MIB,
        MediaKind::Sticker => 500 * KIB,
    }
}

/// What is known of a file's type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// What the server or the client called it.
    pub declared: Option<&'a str>,
    /// What its bytes tell.
    pub sniffed: Option<&'a str>,
    /// The names it has, the best first: a document's file name, the one in its server's answer, the paths of a link.
    pub names: [Option<&'a str>; 4],
}

/// Why a file cannot be sent as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Its type is another.
    #[error("{} has to be {}, and this is {found}", a(.kind), wanted(.kind))]
    Type {
        /// The kind of the message.
        kind: MediaKind,
        /// What it is.
        found: String,
    },
    /// Nothing tells its type.
    #[error("nothing tells its type: it needs a Content-Type, known first bytes or a file name that ends in {}", endings(.0))]
    Unknown(MediaKind),
    /// It has more bytes than allowed.
    #[error("{} may have {}", a(.0), size(.1))]
    TooLarge(MediaKind, u64),
    /// It has none.
    #[error("it is empty")]
    Empty,
}

/// The type under which the file goes to Cloud: its declared type, if that is fit for the message and its bytes do not
/// prove another; else what they prove; else what its name says.
pub fn media_type(kind: MediaKind, evidence: Evidence<'_>) -> Result<String, Unfit> {
    let declared = evidence.declared.and_then(meaningful);
    let proven = evidence.sniffed.and_then(find).filter(|proven| suits(kind, proven));
    let other = |found: &str| Err(Unfit::Type { kind, found: found.to_ascii_lowercase() });
    let may_be_page = kind == MediaKind::Document && may_look_like_page(declared);
    if evidence.sniffed == Some(HTML) && !may_be_page {
        return other(HTML);
    }
    let said = declared.and_then(|declared| find(essence(declared))).filter(|said| suits(kind, said));
    match (said, declared, proven) {
        (Some(said), _, Some(proven)) if disproves(proven, said) => return Ok(proven.name.to_owned()),
        (Some(said), Some(declared), _) => return Ok(with_codecs(said, declared)),
        (_, _, Some(proven)) => return Ok(proven.name.to_owned()),
        (_, _, None) => {}
    }
    let mut by_name = evidence.names.into_iter().flatten().filter_map(ending).filter_map(by_ending);
    let may_be = |named: &&Type| match evidence.sniffed {
        None => declared.is_none_or(|declared| leaves_open(essence(declared), named)),
        Some(found) => is_alike(found, named.name) || (found.starts_with("text/") && named.name == TEXT),
    };
    match (by_name.clone().find(|named| suits(kind, named) && may_be(named)), by_name.next()) {
        (Some(named), _) => Ok(named.name.to_owned()),
        (None, named) => match evidence.sniffed.or(declared.map(essence)).or(named.map(|named| named.name)) {
            Some(found) => other(found),
            None => Err(Unfit::Unknown(kind)),
        },
    }
}

/// Whether a file of `length` bytes may be sent.
pub fn check_size(kind: MediaKind, length: u64, is_animated: bool) -> Result<(), Unfit> {
    let max = if kind == MediaKind::Sticker && !is_animated { STATIC_STICKER } else { limit(kind) };
    match length {
        0 => Err(Unfit::Empty),
        length if length > max => Err(Unfit::TooLarge(kind, max)),
        _ => Ok(()),
    }
}

/// The type of a file that a client uploads, whatever it will be sent as.
pub fn of_upload(evidence: Evidence<'_>) -> String {
    let declared = evidence.declared.and_then(meaningful);
    let proven = evidence.sniffed.and_then(find);
    let is_page = evidence.sniffed == Some(HTML);
    match (declared, declared.and_then(|declared| find(essence(declared))), proven) {
        (_, Some(said), Some(proven)) if disproves(proven, said) => proven.name.to_owned(),
        (_, Some(_), None) if is_page && !may_look_like_page(declared) => HTML.to_owned(),
        (Some(declared), Some(said), _) => with_codecs(said, declared),
        (_, _, Some(proven)) => proven.name.to_owned(),
        (Some(declared), None, None) => named(declared.trim()),
        (None, _, None) => {
            let mut by_name = evidence.names.into_iter().flatten().filter_map(ending).filter_map(by_ending);
            let found =
                if evidence.sniffed.is_none() { by_name.next().map(|found| found.name) } else { None };
            found.or(evidence.sniffed).unwrap_or(UNKNOWN).to_owned()
        }
    }
}

/// Whether Cloud's media endpoint takes so many bytes of this type, as which kind of message whatever.
pub fn is_uploadable(media_type: &str, length: u64) -> bool {
    find(essence(media_type)).is_some_and(|known| length <= limit(known.kind))
}

/// A type that Cloud takes, under its own name.
pub fn canonical(declared: &str) -> Option<String> {
    find(essence(declared)).map(|known| with_codecs(known, declared))
}

/// The declared type as it is remembered; `None` when it says nothing.
pub fn remembered(declared: &str) -> Option<String> {
    meaningful(declared).map(|declared| canonical(declared).unwrap_or_else(|| named(essence(declared))))
}

/// What first bytes tell, under Cloud's name; `None` when that is nothing to rely on.
pub fn telling(sniffed: &'static str) -> Option<&'static str> {
    let other = || CERTAINLY_OTHERS.iter().find(|known| **known == sniffed).copied();
    find(sniffed).map(|known| known.name).or_else(other)
}

/// The ending of a file name, with its dot, if it tells a type.
pub fn telling_ending(name: &str) -> Option<String> {
    ending(name).filter(|ending| by_ending(ending).is_some()).map(|ending| format!(".{ending}"))
}

/// A type that Cloud does not take, as its client called it (RFC 6838 section 4.2: at most 127 characters on each side
/// of the slash; nobody has such).
fn named(declared: &str) -> String {
    let is_fit =
        |name: &str| name.len() <= MAX_NAME && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let fit = [declared, essence(declared)].into_iter().find(|name| is_fit(name));
    fit.unwrap_or(UNKNOWN).to_owned()
}

/// Whether the bytes prove that the declared type is not the file's: that it is of another kind, or another document. An
/// Ogg file tells itself what is in it.
fn disproves(proven: &Type, said: &Type) -> bool {
    let is_ogg = [OGG, OPUS].contains(&proven.name);
    let is_other = said.kind != proven.kind || said.kind == MediaKind::Document;
    is_ogg || (is_other && !is_alike(proven.name, said.name))
}

fn is_alike(one: &str, other: &str) -> bool {
    one == other || ALIKE.iter().any(|family| family.contains(&one) && family.contains(&other))
}

/// Whether a document of this type may have the bytes of a page: a text may look like one, and many programs write
/// HTML for Office to open. Elsewhere it is a login form or the like, in the place of the file.
fn may_look_like_page(declared: Option<&str>) -> bool {
    let may = |name: &str| has_prefix(name, "text/") || is_among(OLD_OFFICE, name);
    declared.is_none_or(|declared| may(essence(declared)))
}

/// Whether a file that is declared as `name`, which does not fit the message, may be `named` all the same: not when it is
/// a page or another file of sound or pictures.
fn leaves_open(name: &str, named: &Type) -> bool {
    let is_media = ["image/", "audio/", "video/"].iter().any(|main| has_prefix(name, main));
    let is_other = is_media && !find(name).is_some_and(|known| is_alike(known.name, named.name));
    !is_other && !is_among(PAGES, name)
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_among(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// A document may be any file that Cloud takes.
fn suits(kind: MediaKind, found: &Type) -> bool {
    kind == MediaKind::Document || found.kind == kind
}

fn find(name: &str) -> Option<&'static Type> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    TYPES.iter().find(|known| is(known.name) || known.aliases.iter().any(|alias| is(alias)))
}

/// The type without its parameters (RFC 9110 section 8.3.1).
pub fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

/// A type says something when it has two sides, neither of them a wildcard.
fn meaningful(declared: &str) -> Option<&str> {
    let name = essence(declared);
    let (main, sub) = name.split_once('/')?;
    let says_nothing = [main, sub].iter().any(|side| side.is_empty() || *side == "*");
    (!says_nothing && !is_among(SAYS_NOTHING, name)).then_some(declared)
}

/// `codecs` belongs to the type of an Ogg file; a charset and the like do not.
fn with_codecs(known: &Type, declared: &str) -> String {
    let codecs = declared.split(';').skip(1).map(str::trim).find(|parameter| {
        known.name == OGG
            && parameter.len() <= MAX_NAME
            && parameter.to_ascii_lowercase().starts_with("codecs=")
            && parameter.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    });
    match codecs {
        Some(codecs) => format!("{}; {codecs}", known.name),
        None => known.name.to_owned(),
    }
}

/// The ending of a file name or of a URL's path.
fn ending(name: &str) -> Option<&str> {
    let name = name.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, ending)| ending)
}

fn by_ending(ending: &str) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.endings.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

fn of_kind(kind: MediaKind) -> impl Iterator<Item = &'static Type> {
    TYPES.iter().filter(move |known| known.kind == kind)
}

fn a(kind: &MediaKind) -> &'static str {
    match kind {
        MediaKind::Audio => "an audio file",
        MediaKind::Document => "a document",
        MediaKind::Image => "an image",
        MediaKind::Sticker => "a sticker",
        MediaKind::Video => "a video",
    }
}

fn wanted(kind: &MediaKind) -> String {
    if *kind == MediaKind::Document {
        return "text, PDF, an Office file, or media that the Cloud API takes".to_owned();
    }
    of_kind(*kind).map(|known| known.name).collect::<Vec<_>>().join(" or ")
}

fn endings(kind: &MediaKind) -> String {
    of_kind(*kind).flat_map(|known| known.endings).map(|e| format!(".{e}")).collect::<Vec<_>>().join(", ")
}

fn size(bytes: &u64) -> String {
    if bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{} KiB", bytes / KIB) }
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
