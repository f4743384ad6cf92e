use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::onprem::error::Meta;

fn new_pack() -> NewPack {
    NewPack::parse(br#"{"publisher":"p","name":"n","ios_app_store_link":"i"}"#).unwrap()
}

fn new_sticker(image: &str) -> NewSticker {
    NewSticker { image_data_id: image.to_owned(), emojis: Vec::new() }
}

fn shown(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Invalid>, code: ErrorCode, words: &str) {
    let invalid = result.unwrap_err();
    assert_eq!(invalid.code, code, "{invalid:?}");
    assert!(invalid.details.contains(words), "{invalid:?}");
}

#[test]
fn packs_are_made_changed_and_deleted() {
    let mut packs = Packs::default();
    packs.add("one".into(), new_pack()).unwrap();
    packs.add("two".into(), new_pack()).unwrap();
    let change = PackChange::parse(br#"{"name":"other","ios_app_store_link":"","publisher":null}"#).unwrap();
    packs.change("two", change).unwrap();
    let meta = Meta::stable("v");
    assert_eq!(
        shown(&ShownPack::new(packs.pack("two").unwrap(), meta))["stickerpacks"],
        json!([{"id": "two", "publisher": "p", "name": "other"}])
    );
    assert_eq!(shown(&PackIds::all(&packs, meta))["stickerpacks"], json!([{"id": "one"}, {"id": "two"}]));
    packs.remove("one").unwrap();
    assert_eq!(packs.all().len(), 1);
    assert_refused(packs.remove("one"), ErrorCode::ResourceNotFound, "no sticker pack");
    assert_refused(packs.pack("one").cloned(), ErrorCode::ResourceNotFound, "no sticker pack");
}

#[test]
fn places_count_from_nought_and_never_come_twice() {
    let mut packs = Packs::default();
    packs.add("one".into(), new_pack()).unwrap();
    for index in 0..3 {
        assert_eq!(packs.add_sticker("one", new_sticker("i")), Ok(index));
    }
    packs.remove_sticker("one", "2").unwrap();
    packs.remove_sticker("one", "0").unwrap();
    let mut packs = Packs::from_json(&packs.to_stored().unwrap()).unwrap();
    assert_eq!(packs.add_sticker("one", new_sticker("last")), Ok(3));
    let left: Vec<_> = packs.pack("one").unwrap().stickers().iter().map(|sticker| sticker.index).collect();
    assert_eq!(left, [1, 3]);
    for index in ["0", "2", "01", "+1", "", "x", "99999999999999999999999"] {
        assert_refused(packs.remove_sticker("one", index), ErrorCode::ResourceNotFound, "no sticker at");
    }
    let change = StickerChange::parse(r#"{"emojis":["🐰"]}"#.as_bytes()).unwrap();
    assert_eq!(packs.change_sticker("one", "3", change), Ok(3));
    let sticker = packs.pack("one").unwrap().sticker("3").unwrap();
    assert_eq!(
        shown(&ShownSticker::new(sticker, Meta::stable("v")))["stickers"],
        json!([{"id": "last", "image_data_id": "last", "emojis": ["🐰"]}])
    );
}

#[test]
fn there_are_bounds() {
    let mut packs = Packs::default();
    for at in 0..MOST_PACKS {
        packs.add(at.to_string(), new_pack()).unwrap();
    }
    assert_refused(
        packs.add("x".into(), new_pack()),
        ErrorCode::ParameterInvalid,
        "more than 100 sticker packs",
    );
    for _ in 0..MOST_STICKERS {
        packs.add_sticker("0", new_sticker("i")).unwrap();
    }
    assert_refused(
        packs.add_sticker("0", new_sticker("i")),
        ErrorCode::ParameterInvalid,
        "more than 100 stickers",
    );
    assert!(packs.to_stored().is_ok());
    let long = "\u{1f430}".repeat(512);
    for at in 0..100 {
        for _ in 0..30 {
            let sticker = NewSticker { image_data_id: long.clone(), emojis: Vec::new() };
            let _ = packs.add_sticker(&at.to_string(), sticker);
        }
    }
    assert_refused(packs.to_stored(), ErrorCode::ParameterInvalid, "bytes together");
}

#[test]
fn bodies_that_cannot_be() {
    use ErrorCode::{InvalidRequest, ParameterInvalid, ParameterMissing, ParameterNotRequired};
    let long = "x".repeat(513);
    for (body, code, words) in [
        (json!({}), ParameterMissing, "publisher"),
        (json!({"publisher": "p"}), ParameterMissing, "name"),
        (json!({"publisher": "", "name": "n"}), ParameterMissing, "publisher"),
        (json!({"publisher": "p", "name": null}), ParameterMissing, "name"),
        (json!({"publisher": "p", "name": 1}), ParameterInvalid, "name must be a string"),
        (json!({"publisher": "p", "name": long}), ParameterInvalid, "name must be at most 512"),
        (
            json!({"publisher": "p", "name": "n", "ios_app_store_link": long}),
            ParameterInvalid,
            "ios_app_store_link",
        ),
        (json!({"publisher": "p", "name": "n", "x": 1}), ParameterNotRequired, "x is not known"),
        (json!([]), ParameterMissing, "publisher"),
        (json!([1]), InvalidRequest, "must be a JSON object"),
    ] {
        assert_refused(NewPack::parse(body.to_string().as_bytes()), code, words);
    }
    for (body, code, words) in [
        (json!({}), ParameterMissing, "image_data_id"),
        (json!({"image_data_id": "i", "emojis": "x"}), ParameterInvalid, "emojis must be an array"),
        (json!({"image_data_id": "i", "emojis": ["a", "b", "c", "d"]}), ParameterInvalid, "at most 3"),
        (json!({"image_data_id": "i", "emojis": ["a", ""]}), ParameterInvalid, "emojis[1] is empty"),
        (json!({"image_data_id": "i", "emojis": [long]}), ParameterInvalid, "emojis[0] must be at most"),
        (json!({"image_data_id": "i", "emojis": [1]}), ParameterInvalid, "emojis[0] must be a string"),
    ] {
        assert_refused(NewSticker::parse(body.to_string().as_bytes()), code, words);
    }
    assert_refused(PackChange::parse(b"{}"), ParameterInvalid, "changes nothing");
    assert_refused(PackChange::parse(br#"{"name":null}"#), ParameterInvalid, "changes nothing");
    assert_refused(PackChange::parse(br#"{"name":""}"#), ParameterMissing, "name");
    assert_refused(StickerChange::parse(b"{}"), ParameterInvalid, "changes nothing");
    assert_refused(StickerChange::parse(b""), InvalidRequest, "empty");
}

#[test]
fn only_whatsapps_namespace_is_another() {
    for (query, is) in [
        ("", false),
        ("namespace=whatsapp", true),
        ("retry=1&namespace=WhatsApp", true),
        ("namespace=ba30dd89_2ebd", false),
        ("whatsapp", false),
    ] {
        assert_eq!(is_whatsapps(query), is, "{query}");
    }
}

#[test]
fn what_is_not_ours_is_not_read() {
    for stored in ["", "{}", "[{}]", "[1]", r#"[{"id":"1","publisher":"p","name":"n"}]"#] {
        assert!(Packs::from_json(stored.as_bytes()).is_none(), "{stored}");
    }
}

proptest! {
    #![proptest_config(crate::seeded::config(256))]

    /// Whatever is accepted comes back as it was sent, after a restart too.
    #[test]
    fn what_goes_in_comes_out(
        publisher in ".{1,30}", name in ".{1,30}", link in proptest::option::of(".{1,30}"),
        image in ".{1,30}", emojis in proptest::collection::vec(".{1,4}", 0..=3),
    ) {
        let mut packs = Packs::default();
        let mut pack = json!({"publisher": publisher, "name": name});
        if let Some(link) = &link {
            pack["android_app_store_link"] = json!(link);
        }
        packs.add("id".into(), NewPack::parse(pack.to_string().as_bytes()).unwrap()).unwrap();
        let sticker = json!({"image_data_id": image, "emojis": emojis});
        let index = packs.add_sticker("id", NewSticker::parse(sticker.to_string().as_bytes()).unwrap()).unwrap();
        let again = Packs::from_json(&packs.to_stored().unwrap()).unwrap();
        prop_assert_eq!(&again, &packs);
        pack["id"] = json!("id");
        let meta = Meta::stable("v");
        prop_assert_eq!(&shown(&ShownPack::new(again.pack("id").unwrap(), meta))["stickerpacks"][0], &pack);
        let found = again.pack("id").unwrap().sticker(&index.to_string()).unwrap();
        let found = shown(&ShownSticker::new(found, meta));
        prop_assert_eq!(&found["stickers"][0]["image_data_id"], &sticker["image_data_id"]);
        prop_assert_eq!(&found["stickers"][0]["emojis"], &sticker["emojis"]);
    }
}
