//! Each kind of message with the types and sizes that Cloud takes for it.

use serde_json::{Value, json};

use super::scene::*;
use crate::stub::Answer;
use crate::support::TO;

const KIB: usize = 1 << 10;

/// A WebP file of this many bytes.
fn webp(is_animated: bool, length: usize) -> Vec<u8> {
    let mut bytes = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0".to_vec();
    if is_animated {
        bytes[20] = 0x02;
    }
    bytes.resize(length, 0);
    bytes
}

#[tokio::test]
async fn a_file_goes_up_under_its_type() {
    let scene = Scene::start().await;
    let pdf = b"%PDF-1.7 ".as_slice();
    let mp4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".as_slice();
    for (n, (kind, path, filename, declared, bytes, uploaded)) in [
        ("image", "/x", "", "image/png", PNG, "image/png"),
        ("image", "/x", "", "IMAGE/JPG", b"jpeg", "image/jpeg"),
        ("image", "/x", "", "", PNG, "image/png"),
        ("image", "/x", "", "application/octet-stream", PNG, "image/png"),
        ("image", "/x.jpeg", "", "binary/octet-stream", b"?", "image/jpeg"),
        ("document", "/x", "", "application/pdf", b"?", "application/pdf"),
        ("document", "/x", "", "text/plain; charset=utf-8", b"?", "text/plain"),
        ("document", "/x", "a.PDF", "application/octet-stream", b"?", "application/pdf"),
        (
            "document",
            "/x",
            "a.docx",
            "",
            b"?",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        ("document", "/x.txt", "a.pdf", "", b"?", "application/pdf"),
        ("document", "/x.txt", "", "", b"?", "text/plain"),
        ("document", "/x", "a.txt", "", pdf, "application/pdf"),
        ("document", "/x", "", "", PNG, "image/png"),
        ("video", "/x", "", "video/mp4", b"?", "video/mp4"),
        ("video", "/x", "", "video/3gp", b"?", "video/3gpp"),
        ("video", "/x", "", "", mp4, "video/mp4"),
        ("audio", "/x", "", "audio/ogg; codecs=opus", b"?", "audio/ogg; codecs=opus"),
        ("audio", "/x", "", "Audio/Ogg;codecs=opus;x=y", b"?", "audio/ogg; codecs=opus"),
        ("audio", "/x", "", "audio/mp3", b"?", "audio/mpeg"),
        ("audio", "/x.amr", "", "", b"?", "audio/amr"),
        ("sticker", "/x", "", "image/webp", b"?", "image/webp"),
    ]
    .into_iter()
    .enumerate()
    {
        // Bytes of its own, so that each is uploaded.
        let bytes = [bytes, format!(" {n}").as_bytes()].concat();
        let answer = Answer::ok(bytes);
        let answer =
            if declared.is_empty() { answer.no_content_type() } else { answer.content_type(declared) };
        scene.provider.serve(&format!("/{n}{path}"), answer);
        let mut object = json!({"link": scene.provider.url(&format!("/{n}{path}?a=b.zip"))});
        if !filename.is_empty() {
            object["filename"] = filename.into();
        }
        let sent = scene.sent_message(&media(kind, &object)).await;
        let upload = scene.uploads().pop().unwrap();
        assert_eq!(upload.body.file().unwrap().media_type, uploaded, "{n} {kind} {declared:?}");
        assert!(upload.notes.is_empty(), "{:?}", upload.notes);
        assert!(sent[kind]["id"].is_string() && sent[kind]["link"].is_null(), "{sent}");
        assert_eq!(sent[kind]["filename"].as_str().unwrap_or_default(), filename);
        assert_eq!(scene.uploads().len(), n + 1);
    }
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused() {
    let scene = Scene::start().await;
    for (kind, declared, bytes, words) in [
        ("image", "image/gif", b"?".as_slice(), "this is image/gif"),
        ("image", "image/webp", b"?", "this is image/webp"),
        ("image", "image/gif", b"GIF89a", "this is image/gif"),
        ("image", "", b"<!DOCTYPE html><title>", "this is text/html"),
        ("image", "image/png", b"<html><body>", "this is text/html"),
        ("audio", "audio/webm", b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01webm", "this is video/webm"),
        ("image", "", b"%PDF-1.7".as_slice(), "this is application/pdf"),
        ("image", "", b"?", "nothing tells its type"),
        ("image", "/", b"?", "nothing tells its type"),
        ("document", "text/html", b"?", "this is text/html"),
        ("document", "application/zip", b"?", "this is application/zip"),
        ("audio", "video/mp4", b"?", "this is video/mp4"),
        ("audio", "audio/wav", b"?", "this is audio/wav"),
        ("video", "audio/mpeg", b"?", "this is audio/mpeg"),
        ("sticker", "image/png", PNG, "this is image/png"),
    ] {
        let answer = Answer::ok(bytes);
        let answer =
            if declared.is_empty() { answer.no_content_type() } else { answer.content_type(declared) };
        scene.provider.serve("/x", answer);
        let message = media(kind, &json!({"link": scene.provider.url("/x?y=canary")}));
        let reply = scene.proxy.send(&message).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1014), "{kind} {declared}: {reply:?}");
        assert!(details.contains(words) && !details.contains("canary"), "{words}: {details}");
    }
    assert_eq!(scene.counts(), counts(15, 0, 0, 0));
    assert!(scene.files().is_empty());
}

#[tokio::test]
async fn stickers_that_move_may_be_larger() {
    let scene = Scene::start().await;
    for (n, (is_animated, length, is_taken)) in [
        (false, 100 * KIB, true),
        (false, 100 * KIB + 1, false),
        (true, 300 * KIB, true),
        (true, 500 * KIB, true),
        (true, 500 * KIB + 1, false),
    ]
    .into_iter()
    .enumerate()
    {
        let bytes = webp(is_animated, length);
        let uploaded =
            if length <= 500 * KIB { Some(scene.upload("image/webp", &bytes).await) } else { None };
        scene.provider.serve("/x", Answer::ok(bytes).content_type("image/webp"));
        let by_link = media("sticker", &json!({"link": scene.provider.url(&format!("/x?{n}"))}));
        let by_id = uploaded.map(|id| media("sticker", &json!({"id": id})));
        for (message, code) in [(Some(by_link), (500, 1014)), (by_id, (400, 1009))] {
            let Some(message) = message else { continue };
            let reply = scene.proxy.send(&message).await;
            if is_taken {
                assert_eq!(reply.status, 201, "{length}: {reply:?}");
            } else {
                assert_eq!((reply.status, reply.code()), code, "{length}: {reply:?}");
                assert!(reply.error().2.contains("a sticker may have"), "{reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_files_of_a_template_are_fetched_at_the_same_time() {
    let scene = Scene::start().await;
    scene.provider.serve("/i", png());
    scene.provider.serve("/d", Answer::ok("%PDF-1.7").content_type("application/pdf"));
    let [image, document] = ["/i", "/d"].map(|path| scene.provider.url(path));
    let message = json!({"to": TO, "type": "template", "template": {
    "name": "n", "language": {"policy": "deterministic", "code": "en_US"}, "components": [
        {"type": "header", "parameters": [{"type": "image", "image": {"link": image}}]},
        {"type": "header", "parameters": [
            {"type": "document", "document": {"link": document, "filename": "a.pdf"}}]},
        {"type": "body", "parameters": [{"type": "text", "text": "t"}]},
    ]}});
    scene.provider.hold();
    let waiting = async {
        scene.provider.until(|seen| seen.requests.len() == 2).await;
        scene.provider.release();
    };
    let (sent, ()) = tokio::join!(scene.sent_message(&message), waiting);
    let components = &sent["template"]["components"];
    let [first, second] = [0, 1].map(|at| &components[at]["parameters"][0]);
    let ids = [&first["image"], &second["document"]].map(|object| {
        assert!(object["link"].is_null(), "{object}");
        object["id"].as_str().unwrap().to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    assert_eq!(second["document"]["filename"], "a.pdf");
    let types: Vec<_> = ids.iter().map(|id| scene.proxy.mock.expire_media(id)).collect();
    assert_eq!(types, [true, true], "each is Cloud's");
    assert_eq!(scene.counts(), counts(2, 0, 2, 1));
    // The path of the one that fails is told, and nothing is sent.
    scene.provider.serve("/d", Answer::new(404));
    let reply = scene.proxy.send(&message).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (500, 1014), "{reply:?}");
    assert!(details.starts_with("template.components[1].parameters[0].document: "), "{details}");
    assert_eq!(scene.counts().s, 1);
}

#[tokio::test]
async fn the_header_of_an_interactive_message_has_its_file() {
    let scene = Scene::start().await;
    scene.serve(png());
    scene.set_provider("cdn", &json!({"bearer": "b"})).await;
    let link = scene.provider.url("/a.png");
    let uploaded = scene.upload("image/png", &image_bytes("ours")).await;
    for object in
        [json!({"link": link}), json!({"link": link, "provider": {"name": "cdn"}}), json!({"id": uploaded})]
    {
        let message = json!({"to": TO, "type": "interactive", "interactive": {
            "type": "button", "header": {"type": "image", "image": object}, "body": {"text": "b"},
            "action": {"buttons": [{"type": "reply", "reply": {"id": "i", "title": "t"}}]}}});
        let sent = scene.sent_message(&message).await;
        let header = &sent["interactive"]["header"]["image"];
        assert_eq!(header.as_object().unwrap().keys().collect::<Vec<_>>(), ["id"], "{sent}");
    }
    assert_eq!(scene.counts(), counts(2, 0, 2, 3));
}

/// An Office file as its programs pack it: the main part, which is large, before its companions.
fn office(folder: &str) -> Vec<u8> {
    let parts = ["[Content_Types].xml".to_owned(), "_rels/.rels".to_owned(), format!("{folder}/main.xml")];
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, length) in parts.iter().zip([300, 20, 200 * KIB]) {
        let head = |magic: &[u8], room: usize| {
            let length = u16::try_from(name.len()).unwrap().to_le_bytes();
            let after = if magic == b"PK\x03\x04" { 2 } else { 16 };
            [magic, &vec![0; room], &length, &vec![0; after], name.as_bytes()].concat()
        };
        directory.extend(head(b"PK\x01\x02", 24));
        file.extend(head(b"PK\x03\x04", 22));
        file.extend((0..length).map(|n| u8::try_from(n * n % 251).unwrap()));
    }
    let [start, size] = [file.len(), directory.len()].map(|n| u32::try_from(n).unwrap().to_le_bytes());
    [file, directory, b"PK\x05\x06\0\0\0\0\0\0\0\0".to_vec(), size.to_vec(), start.to_vec(), vec![0; 2]]
        .concat()
}

fn ogg(codec: &[u8]) -> Vec<u8> {
    [b"OggS\0\x02", [0; 20].as_slice(), b"\x01\x13", codec, &[0; 20]].concat()
}

/// Whatever the server calls a file that nothing but its bytes, or its name, can tell; and the same from a client.
#[tokio::test]
async fn wrong_names_of_types_are_seen_through() {
    const OPENXML: &str = "application/vnd.openxmlformats-officedocument";
    let scene = Scene::start().await;
    let [docx, xlsx] = [("word", "wordprocessingml.document"), ("xl", "spreadsheetml.sheet")]
        .map(|(folder, name)| (office(folder), format!("{OPENXML}.{name}")));
    let opus = (ogg(b"OpusHead"), "audio/ogg; codecs=opus".to_owned());
    let vorbis = (ogg(b"\x01vorbis"), "audio/ogg".to_owned());
    let png = (PNG.to_vec(), "image/png".to_owned());
    let pdf = (b"%PDF-1.7 ".to_vec(), "application/pdf".to_owned());
    for (n, (kind, declared, (bytes, uploaded))) in [
        ("image", "application/octetstream", &png),
        ("image", "image/*", &png),
        ("image", "undefined", &png),
        ("image", "multipart/form-data", &png),
        ("image", "text/plain", &png),
        ("image", "text/html; charset=UTF-8", &png),
        ("image", "application/msword", &png),
        ("image", "application/pdf", &png),
        ("document", "application/msword", &pdf),
        ("document", "application/zip", &docx),
        ("document", "application/octet-stream", &docx),
        ("document", "application/x-zip-compressed", &xlsx),
        ("document", "", &xlsx),
        ("audio", "audio/opus", &opus),
        ("audio", "application/ogg", &opus),
        ("audio", "video/ogg", &opus),
        ("audio", "audio/ogg", &opus),
        ("audio", "application/octet-stream", &opus),
        ("audio", "audio/mpeg", &opus),
        ("audio", "", &opus),
        ("document", "audio/opus", &opus),
        ("audio", "audio/opus", &vorbis),
        ("audio", "audio/ogg; codecs=opus", &vorbis),
    ]
    .into_iter()
    .enumerate()
    {
        for by_link in [true, false] {
            if declared == "multipart/form-data" && !by_link {
                continue;
            }
            // Appended bytes make each a file of its own.
            let bytes = [bytes.as_slice(), format!(" {n} {by_link}").as_bytes()].concat();
            let object = if by_link {
                let answer = Answer::ok(bytes).no_content_type();
                let answer = if declared.is_empty() { answer } else { answer.content_type(declared) };
                scene.provider.serve(&format!("/{n}"), answer);
                json!({"link": scene.provider.url(&format!("/{n}"))})
            } else {
                json!({"id": scene.upload(declared, &bytes).await})
            };
            scene.sent_message(&media(kind, &object)).await;
            let upload = scene.uploads().pop().unwrap();
            let file = upload.body.file().unwrap();
            assert_eq!(&file.media_type, uploaded, "{kind} {declared:?} by link: {by_link}");
        }
    }
}

#[tokio::test]
async fn the_name_may_stand_in_the_answer_or_at_the_end_of_redirects() {
    let scene = Scene::start().await;
    for (n, (disposition, target, expected)) in [
        ("attachment; filename=\"dummy.pdf\"", "/x", Some("application/pdf")),
        ("attachment;filename=notes.txt", "/x", Some("text/plain")),
        (
            "inline; filename=\"a.bin\"; filename*=UTF-8''r%C3%A9sum%C3%A9.doc",
            "/x",
            Some("application/msword"),
        ),
        ("attachment; filename=\"r\u{e9}sum\u{e9}.ppt\"", "/x", Some("application/vnd.ms-powerpoint")),
        ("", "/files/report.xls", Some("application/vnd.ms-excel")),
        ("attachment; filename=\"a.zip\"", "/x", None),
        ("attachment", "/x", None),
    ]
    .into_iter()
    .enumerate()
    {
        let target = format!("/{n}{target}");
        let answer = Answer::ok(format!("? {n}")).content_type("application/octet-stream");
        let answer =
            if disposition.is_empty() { answer } else { answer.header("Content-Disposition", disposition) };
        scene.provider.serve(&target, answer.header("Cache-Control", "max-age=60"));
        scene.provider.serve(&format!("/{n}"), Answer::new(301).header("Location", &target));
        let message = media("document", &json!({"link": scene.provider.url(&format!("/{n}"))}));
        let before = scene.counts();
        // What is remembered says the same.
        for _ in 0..2 {
            let reply = scene.proxy.send(&message).await;
            assert_eq!(reply.status, if expected.is_some() { 201 } else { 500 }, "{disposition}: {reply:?}");
        }
        let Some(expected) = expected else { continue };
        assert_eq!(scene.counts() - before, counts(2, 0, 1, 2), "{disposition}");
        assert_eq!(scene.uploads().pop().unwrap().body.file().unwrap().media_type, expected, "{disposition}");
    }
}

/// Cards have files as headers have: ids of ours become Cloud's, and links are resolved, behind providers too.
#[tokio::test]
async fn the_cards_of_a_carousel_have_their_files() {
    let scene = Scene::start().await;
    scene.serve(png());
    scene.set_provider("cdn", &json!({"bearer": "b"})).await;
    let link = scene.provider.url("/a.png");
    let uploaded = scene.upload("image/png", &image_bytes("ours")).await;
    let objects =
        [json!({"link": link}), json!({"link": link, "provider": {"name": "cdn"}}), json!({"id": uploaded})];
    let template = |object: &Value| {
        let header = json!({"type": "header", "parameters": [{"type": "image", "image": object}]});
        json!({"card_index": 0, "components": [header]})
    };
    let card = |object: &Value| {
        json!({"card_index": 0, "type": "cta_url", "header": {"type": "image", "image": object}, "body": {"text": "b"},
            "action": {"name": "cta_url", "parameters": {"display_text": "Go", "url": "https://example.org"}}})
    };
    let templates: Vec<Value> = objects.iter().map(template).collect();
    let cards: Vec<Value> = objects.iter().map(card).collect();
    for (message, place, image) in [
        (
            json!({"to": TO, "type": "template", "template": {"name": "n", "language": {"code": "en"},
                "components": [{"type": "carousel", "cards": templates}]}}),
            "/template/components/0/cards",
            "/components/0/parameters/0/image",
        ),
        (
            json!({"to": TO, "type": "interactive", "interactive": {"type": "carousel", "body": {"text": "b"},
                "action": {"cards": cards}}}),
            "/interactive/action/cards",
            "/header/image",
        ),
    ] {
        let sent = scene.sent_message(&message).await;
        let cards = sent.pointer(place).unwrap().as_array().unwrap();
        let images: Vec<&Value> = cards.iter().map(|card| card.pointer(image).unwrap()).collect();
        for image in &images {
            let id = image["id"].as_str().unwrap();
            assert!(id.bytes().all(|byte| byte.is_ascii_digit()), "{sent}");
            assert_eq!(image.as_object().unwrap().len(), 1, "{sent}");
        }
        assert_eq!((images[0] == images[1], images[1] == images[2]), (true, false), "{sent}");
    }
    // One that is not to be had is named by its place, and nothing is sent.
    scene.serve(Answer::new(404));
    let message = json!({"to": TO, "type": "template", "template": {"name": "n", "language": {"code": "en"},
        "components": [{"type": "carousel", "cards": [template(&objects[0])]}]}});
    let details = scene.proxy.send(&message).await.error().2;
    let place = "template.components[0].cards[0].components[0].parameters[0].image: ";
    assert!(details.starts_with(place), "{details}");
    assert_eq!(scene.counts().s, 2);
}
