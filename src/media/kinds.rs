//! Which files Cloud takes for which kind of message, and how a file's type is found out.
//!
//! Cloud's media reference, "Supported media types": everything here is refused by Cloud too, only later,
//! and for links by a failed status long after the message was accepted.

use crate::onprem::message::MediaKind;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// A static sticker may have 100 KB, an animated one 500 KB.
const STATIC_STICKER: u64 = 100 * KIB;

/// The longest name of a type that is remembered, and the longest parameter.
const LONGEST_NAME: usize = 128;

/// The name for "any bytes".
pub const UNKNOWN: &str = "application/octet-stream";

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
    of("audio/ogg", MediaKind::Audio, &["ogg", "oga"], &["application/ogg"]),
    of("audio/opus", MediaKind::Audio, &["opus"], &[]),
    of("application/pdf", MediaKind::Document, &["pdf"], &["application/x-pdf"]),
    of("text/plain", MediaKind::Document, &["txt"], &[]),
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

/// Types that say nothing, as storage services and download scripts send them.
const SAYS_NOTHING: &[&str] = &[
    UNKNOWN,
    "application/binary",
    "application/download",
    "application/force-download",
    "application/x-download",
    "application/x-www-form-urlencoded",
    "binary/octet-stream",
];

/// The most bytes that a file of this kind may have.
pub fn limit(kind: MediaKind) -> u64 {
    match kind {
        MediaKind::Audio | MediaKind::Video => 16 * MIB,
        MediaKind::Document => 100 * MIB,
        MediaKind::Image => 5 * MIB,
        MediaKind::Sticker => 500 * KIB,
    }
}

/// What the first bytes of a file tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sniffed {
    /// Its type, when it is one that Cloud takes.
    pub media_type: Option<String>,
    /// Whether it is a WebP file with more than one frame.
    pub is_animated: bool,
}

impl Sniffed {
    /// Looks at the first bytes.
    pub fn of(head: &[u8]) -> Self {
        let found = infer::get(head).and_then(|found| find(found.mime_type()));
        // Bit 1 of the flags of a VP8X chunk (RFC 9649 section 2.7).
        let is_animated = head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|f| f & 0x02 != 0);
        Self { media_type: found.map(|found| found.name.to_owned()), is_animated }
    }
}

/// What is known of a file's type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence<'a> {
    /// What the server or the client called it.
    pub declared: Option<&'a str>,
    /// What its first bytes tell.
    pub sniffed: Option<&'a str>,
    /// The names it has: a document's file name, the path of a link.
    pub names: [Option<&'a str>; 2],
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

/// The type under which the file goes to Cloud: its declared type, else by its first bytes, else by its name.
pub fn media_type(kind: MediaKind, evidence: Evidence<'_>) -> Result<String, Unfit> {
    if let Some(declared) = evidence.declared.and_then(meaningful) {
        return match find(essence(declared)) {
            Some(known) if suits(kind, known) => Ok(with_codecs(known, declared)),
            Some(_) | None => Err(Unfit::Type { kind, found: essence(declared).to_ascii_lowercase() }),
        };
    }
    let by_name = evidence.names.into_iter().flatten().filter_map(ending).filter_map(by_ending);
    let candidates = evidence.sniffed.and_then(find).into_iter().chain(by_name);
    let mut other = None;
    for candidate in candidates {
        if suits(kind, candidate) {
            return Ok(candidate.name.to_owned());
        }
        other.get_or_insert(candidate);
    }
    Err(match other {
        Some(found) => Unfit::Type { kind, found: found.name.to_owned() },
        None => Unfit::Unknown(kind),
    })
}

/// Refuses a declared type before any byte is read; one that says nothing yet may still turn out well.
pub fn check_declared(kind: MediaKind, declared: Option<&str>) -> Result<(), Unfit> {
    match declared.and_then(meaningful) {
        Some(declared) => {
            media_type(kind, Evidence { declared: Some(declared), ..Evidence::default() }).map(drop)
        }
        None => Ok(()),
    }
}

/// Whether a file of `length` bytes may be sent.
pub fn check_size(kind: MediaKind, length: u64, is_animated: bool) -> Result<(), Unfit> {
    let most = if kind == MediaKind::Sticker && !is_animated { STATIC_STICKER } else { limit(kind) };
    match length {
        0 => Err(Unfit::Empty),
        length if length > most => Err(Unfit::TooLarge(kind, most)),
        _ => Ok(()),
    }
}

/// The type of a file that a client uploads, whatever it will be sent as.
pub fn of_upload(declared: Option<&str>, sniffed: Option<&str>) -> String {
    match declared.and_then(meaningful) {
        Some(declared) => canonical(declared).unwrap_or_else(|| named(declared.trim())),
        None => sniffed.unwrap_or(UNKNOWN).to_owned(),
    }
}

/// Whether Cloud's media endpoint takes so many bytes of this type, as which kind of message whatever.
pub fn is_uploadable(media_type: &str, length: u64) -> bool {
    find(essence(media_type)).is_some_and(|known| length <= limit(known.kind))
}

/// The declared type as it is remembered: one that Cloud takes, under its own name; `None` for all others, among
/// them those that say nothing.
pub fn canonical(declared: &str) -> Option<String> {
    find(essence(declared)).map(|known| with_codecs(known, declared))
}

/// A type that Cloud does not take, as its client called it (RFC 6838 section 4.2: at most 127 characters on each side
/// of the slash; nobody has such).
fn named(declared: &str) -> String {
    let is_fit =
        |name: &str| name.len() <= LONGEST_NAME && name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let fit = [declared, essence(declared)].into_iter().find(|name| is_fit(name));
    fit.unwrap_or(UNKNOWN).to_owned()
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
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn meaningful(declared: &str) -> Option<&str> {
    let name = essence(declared);
    let says_nothing = name.is_empty() || SAYS_NOTHING.iter().any(|known| known.eq_ignore_ascii_case(name));
    (!says_nothing).then_some(declared)
}

/// `codecs` belongs to the type of an Ogg file; a charset and the like do not.
fn with_codecs(known: &Type, declared: &str) -> String {
    let codecs = declared.split(';').skip(1).map(str::trim).find(|parameter| {
        known.name == "audio/ogg"
            && parameter.len() <= LONGEST_NAME
            && parameter.to_ascii_lowercase().starts_with("codecs=")
            && parameter.is_ascii()
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
mod tests {
    use super::*;

    fn declared(kind: MediaKind, declared: &str) -> Result<String, Unfit> {
        media_type(kind, Evidence { declared: Some(declared), ..Evidence::default() })
    }

    #[test]
    fn the_declared_type_decides_when_it_says_something() {
        assert_eq!(declared(MediaKind::Image, "IMAGE/JPG"), Ok("image/jpeg".to_owned()));
        assert_eq!(declared(MediaKind::Document, "text/plain; charset=utf-8"), Ok("text/plain".to_owned()));
        assert_eq!(
            declared(MediaKind::Audio, "audio/ogg; codecs=opus"),
            Ok("audio/ogg; codecs=opus".to_owned())
        );
        assert_eq!(declared(MediaKind::Document, "image/png"), Ok("image/png".to_owned()));
        let html = declared(MediaKind::Image, "text/html; charset=utf-8").unwrap_err();
        assert_eq!(html.to_string(), "an image has to be image/jpeg or image/png, and this is text/html");
        // A page that a login form answers must not go out as a document.
        assert!(declared(MediaKind::Document, "text/html").is_err());
        let png = Evidence { declared: Some("text/html"), sniffed: Some("image/png"), ..Evidence::default() };
        assert!(media_type(MediaKind::Image, png).is_err());
    }

    #[test]
    fn then_the_first_bytes_and_then_the_name() {
        let png = Sniffed::of(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
        assert_eq!(png.media_type.as_deref(), Some("image/png"));
        let evidence = Evidence {
            declared: Some("application/octet-stream"),
            sniffed: png.media_type.as_deref(),
            names: [Some("invoice.pdf"), None],
        };
        assert_eq!(media_type(MediaKind::Image, evidence), Ok("image/png".to_owned()));
        let names = Evidence { names: [None, Some("/a/Report.PDF")], ..Evidence::default() };
        assert_eq!(media_type(MediaKind::Document, names), Ok("application/pdf".to_owned()));
        assert_eq!(
            media_type(MediaKind::Image, names),
            Err(Unfit::Type { kind: MediaKind::Image, found: "application/pdf".to_owned() })
        );
        assert_eq!(media_type(MediaKind::Video, Evidence::default()), Err(Unfit::Unknown(MediaKind::Video)));
        assert_eq!(Sniffed::of(b"").media_type, None);
        assert_eq!(Sniffed::of(b"%PDF-1.7").media_type.as_deref(), Some("application/pdf"));
        assert_eq!(Sniffed::of(b"\xff\xd8\xff\xe0").media_type.as_deref(), Some("image/jpeg"));
    }

    #[test]
    fn stickers_that_move_may_be_larger() {
        let mut webp = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0".to_vec();
        assert!(!Sniffed::of(&webp).is_animated);
        *webp.last_mut().unwrap() = 0x02;
        let sniffed = Sniffed::of(&webp);
        assert_eq!((sniffed.media_type.as_deref(), sniffed.is_animated), (Some("image/webp"), true));
        assert_eq!(check_size(MediaKind::Sticker, 300 * KIB, true), Ok(()));
        let error = check_size(MediaKind::Sticker, 300 * KIB, false).unwrap_err();
        assert_eq!(error.to_string(), "a sticker may have 100 KiB");
        assert_eq!(check_size(MediaKind::Image, 5 * MIB, false), Ok(()));
        assert!(check_size(MediaKind::Image, 5 * MIB + 1, false).is_err());
        assert_eq!(check_size(MediaKind::Audio, 0, false), Err(Unfit::Empty));
    }

    #[test]
    fn uploads_keep_what_their_client_called_them() {
        assert_eq!(of_upload(Some("application/zip"), None), "application/zip");
        assert_eq!(of_upload(Some("image/jpg"), None), "image/jpeg");
        assert_eq!(of_upload(Some("application/x-www-form-urlencoded"), Some("image/png")), "image/png");
        assert_eq!(of_upload(None, None), UNKNOWN);
        assert!(is_uploadable("audio/ogg; codecs=opus", 1) && !is_uploadable("application/zip", 1));
        assert!(!is_uploadable("video/mp4", 17 * MIB));
        assert_eq!(of_upload(Some(&format!("x/{}", "y".repeat(200))), None), UNKNOWN);
    }
}
