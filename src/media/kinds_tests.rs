//! Which type a file goes up under, case by case.

use super::*;
use crate::media::sniff::Sniffed;

fn declared(kind: MediaKind, declared: &str) -> Result<String, Unfit> {
    media_type(kind, Evidence { declared: Some(declared), ..Evidence::default() })
}

#[test]
fn the_declared_type_decides_when_it_fits() {
    assert_eq!(declared(MediaKind::Image, "IMAGE/JPG"), Ok("image/jpeg".to_owned()));
    assert_eq!(declared(MediaKind::Document, "text/plain; charset=utf-8"), Ok(TEXT.to_owned()));
    assert_eq!(declared(MediaKind::Audio, OPUS), Ok(OPUS.to_owned()));
    assert_eq!(declared(MediaKind::Document, "image/png"), Ok("image/png".to_owned()));
    let html = declared(MediaKind::Image, "text/html; charset=utf-8").unwrap_err();
    assert_eq!(html.to_string(), "an image has to be image/jpeg or image/png, and this is text/html");
    for codecs in ["opus\nX: y", "opus\r", "\0", "\x7f", "ö"] {
        let ogg = declared(MediaKind::Audio, &format!("audio/ogg; codecs=a{codecs}b"));
        assert_eq!(ogg, Ok(OGG.to_owned()), "{codecs:?}");
    }
    // A page that a login form answers must not go out as a document.
    assert!(declared(MediaKind::Document, "text/html").is_err());
}

/// The kind, what is declared, what the bytes tell, the names, and the type or what it is instead.
type Case = (MediaKind, &'static str, &'static str, [&'static str; 2], Result<&'static str, &'static str>);

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // What says nothing.
    (MediaKind::Image, "application/octetstream", "image/png", ["invoice.pdf", ""], Ok("image/png")),
    (MediaKind::Image, "Binary/Octet-Stream", "image/png", ["", ""], Ok("image/png")),
    (MediaKind::Image, "image/*", "image/jpeg", ["", ""], Ok("image/jpeg")),
    (MediaKind::Image, "*/*", "image/jpeg", ["", ""], Ok("image/jpeg")),
    (MediaKind::Image, "undefined", "image/jpeg", ["", ""], Ok("image/jpeg")),
    (MediaKind::Image, "multipart/form-data; boundary=x", "image/jpeg", ["", ""], Ok("image/jpeg")),
    (MediaKind::Image, "", "", ["", "/a/b.PNG"], Ok("image/png")),
    (MediaKind::Document, "null", "", ["", "/a/Report.PDF"], Ok("application/pdf")),
    (MediaKind::Document, "", "", ["a.pdf", "/x.txt"], Ok("application/pdf")),
    (MediaKind::Document, "", "", ["a.zip", "/x.txt"], Ok(TEXT)),
    // What does not fit the message.
    (MediaKind::Image, "text/plain", "image/png", ["", ""], Ok("image/png")),
    (MediaKind::Image, "text/html", "image/png", ["", ""], Ok("image/png")),
    (MediaKind::Image, "application/msword", "image/jpeg", ["", ""], Ok("image/jpeg")),
    (MediaKind::Image, "image/gif", "image/png", ["", ""], Ok("image/png")),
    (MediaKind::Document, "application/zip", DOCX, ["contract.docx", ""], Ok(DOCX)),
    (MediaKind::Document, "application/zip", "", ["contract.docx", ""], Ok(DOCX)),
    (MediaKind::Audio, "video/mp4", "video/mp4", ["voice.m4a", ""], Ok("audio/mp4")),
    (MediaKind::Video, "application/mp4", "video/mp4", ["", ""], Ok("video/mp4")),
    // What the bytes disprove.
    (MediaKind::Document, "application/msword", "application/pdf", ["", ""], Ok("application/pdf")),
    (MediaKind::Document, "application/msword", "image/png", ["a.doc", ""], Ok("image/png")),
    (MediaKind::Document, "application/msword", DOCX, ["", ""], Ok(DOCX)),
    (MediaKind::Document, TEXT, "application/pdf", ["", ""], Ok("application/pdf")),
    (MediaKind::Document, "application/vnd.ms-excel", "application/msword", ["", ""], Ok("application/vnd.ms-excel")),
    (MediaKind::Document, "video/3gpp", "video/mp4", ["", ""], Ok("video/3gpp")),
    // What they do not.
    (MediaKind::Image, "image/jpeg", "image/png", ["", ""], Ok("image/jpeg")),
    (MediaKind::Audio, "audio/aac", "audio/mpeg", ["", ""], Ok("audio/aac")),
    (MediaKind::Audio, "audio/mp4", "video/mp4", ["", ""], Ok("audio/mp4")),
    (MediaKind::Document, TEXT, "text/html", ["", ""], Ok(TEXT)),
    (MediaKind::Document, "", "text/html", ["notes.txt", ""], Ok(TEXT)),
    (MediaKind::Document, "application/vnd.ms-excel", "text/html", ["a.xls", ""], Ok("application/vnd.ms-excel")),
    // Ogg tells itself.
    (MediaKind::Audio, "audio/opus", OPUS, ["", ""], Ok(OPUS)),
    (MediaKind::Audio, "application/ogg", OPUS, ["", ""], Ok(OPUS)),
    (MediaKind::Audio, "video/ogg", OPUS, ["", ""], Ok(OPUS)),
    (MediaKind::Audio, "audio/ogg", OPUS, ["", ""], Ok(OPUS)),
    (MediaKind::Audio, "audio/mpeg", OPUS, ["a.mp3", ""], Ok(OPUS)),
    (MediaKind::Audio, "audio/ogg; codecs=opus", OGG, ["", ""], Ok(OGG)),
    (MediaKind::Audio, "audio/opus", "", ["", ""], Ok(OPUS)),
    (MediaKind::Audio, "", "", ["a.opus", ""], Ok(OPUS)),
    (MediaKind::Document, "audio/opus", OPUS, ["", ""], Ok(OPUS)),
    // What is another file stays refused, whatever it is called.
    (MediaKind::Image, "", "text/html", ["", "/a.png"], Err("text/html")),
    (MediaKind::Image, "image/png", "text/html", ["", "/a.png"], Err("text/html")),
    (MediaKind::Image, "text/html", "", ["", "/a.png"], Err("text/html")),
    (MediaKind::Image, "application/json", "", ["", "/a.png"], Err("application/json")),
    (MediaKind::Audio, "", "video/webm", ["", "/voice.ogg"], Err("video/webm")),
    (MediaKind::Audio, "audio/webm", "video/webm", ["", "/voice.ogg"], Err("video/webm")),
    (MediaKind::Document, "", "application/gzip", ["a.pdf", ""], Err("application/gzip")),
    (MediaKind::Image, "", "application/pdf", ["", "/a.png"], Err("application/pdf")),
    (MediaKind::Image, "", "", ["", "/a.pdf"], Err("application/pdf")),
    (MediaKind::Video, "video/ogg", OPUS, ["", ""], Err("audio/ogg; codecs=opus")),
    (MediaKind::Document, "application/pdf", "text/html", ["a.pdf", ""], Err("text/html")),
    (MediaKind::Document, "application/x-pdf", "text/html", ["a.txt", ""], Err("text/html")),
    (MediaKind::Document, DOCX, "text/html", ["a.docx", ""], Err("text/html")),
    (MediaKind::Document, "image/png", "text/html", ["a.png", ""], Err("text/html")),
    (MediaKind::Document, "", "text/html", ["a.pdf", ""], Err("text/html")),
    (MediaKind::Image, "", "image/heif", ["", "/photo.jpg"], Err("image/heif")),
    (MediaKind::Image, "image/heic", "", ["", "/photo.jpg"], Err("image/heic")),
    (MediaKind::Document, "Image/BMP", "", ["a.pdf", ""], Err("image/bmp")),
    (MediaKind::Audio, "audio/x-ms-wma", "", ["", "/a.mp3"], Err("audio/x-ms-wma")),
    (MediaKind::Video, "video/quicktime", "", ["", "/a.mp4"], Err("video/quicktime")),
    (MediaKind::Video, "video/mp4", "video/quicktime", ["", "/a.mov"], Ok("video/mp4")),
    (MediaKind::Audio, "video/mp4", "", ["", "/voice.m4a"], Ok("audio/mp4")),
];

#[test]
fn then_the_bytes_and_then_the_name() {
    let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    for (kind, declared, sniffed, [filename, path], expected) in CASES {
        let names = [given(filename), None, None, given(path)];
        let evidence = Evidence { declared: given(declared), sniffed: given(sniffed), names };
        let found = media_type(*kind, evidence).map_err(|unfit| match unfit {
            Unfit::Type { found, .. } => found,
            other @ (Unfit::Unknown(_) | Unfit::TooLarge(..) | Unfit::Empty) => other.to_string(),
        });
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(found, expected, "{kind:?} {evidence:?}");
    }
    assert_eq!(media_type(MediaKind::Video, Evidence::default()), Err(Unfit::Unknown(MediaKind::Video)));
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
fn uploads_keep_what_their_client_called_them_unless_their_bytes_disprove_it() {
    let of_upload = |declared: &str, sniffed: &str, name: &str| {
        let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
        let names = [given(name), None, None, None];
        of_upload(Evidence { declared: given(declared), sniffed: given(sniffed), names })
    };
    for (declared, sniffed, name, kept) in [
        ("application/zip", "", "", "application/zip"),
        ("application/zip", DOCX, "", DOCX),
        ("image/jpg", "", "", "image/jpeg"),
        ("image/jpg", "image/png", "", "image/jpeg"),
        ("application/x-www-form-urlencoded", "image/png", "", "image/png"),
        ("application/msword", "image/png", "", "image/png"),
        ("application/msword", "", "", "application/msword"),
        ("image/png", "text/html", "", "text/html"),
        ("text/plain", "text/html", "", "text/plain"),
        ("application/pdf", "text/html", "a.pdf", "text/html"),
        ("application/vnd.ms-excel", "text/html", "", "application/vnd.ms-excel"),
        ("image/*", "image/png", "", "image/png"),
        ("audio/opus", OPUS, "", OPUS),
        ("audio/ogg", OPUS, "", OPUS),
        ("audio/mp4", "video/mp4", "", "audio/mp4"),
        ("", "", "", UNKNOWN),
        ("", "", "a.pdf", "application/pdf"),
        ("undefined", "text/html", "a.pdf", "text/html"),
    ] {
        assert_eq!(of_upload(declared, sniffed, name), kept, "{declared} {sniffed} {name}");
    }
    assert_eq!(of_upload(&format!("x/{}", "y".repeat(200)), "", ""), UNKNOWN);
    assert!(is_uploadable(OPUS, 1) && is_uploadable("audio/opus", 1) && !is_uploadable("application/zip", 1));
    assert!(!is_uploadable("video/mp4", 17 * MIB));
}
