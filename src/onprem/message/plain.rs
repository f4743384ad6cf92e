//! The commonest messages, read the quickest way.
//!
//! A text or a file with nothing but documented fields is read in one typed pass. Whatever is not exactly that,
//! wrong types and unknown fields included, takes the general way, which also knows what to say about
//! it; the checks are the same ones.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::media::Fields;
use super::{Content, Media, MediaKind, Message, Raw, Recipient, Str, Text, check_body};
use crate::onprem::Invalid;
use crate::wire::Path;

/// What is told to nobody: the general way finds the words.
const NOT_PLAIN: &str = "";

struct Plain<'a> {
    to: &'a str,
    named_type: Option<&'a str>,
    preview_url: Option<bool>,
    content: PlainContent<'a>,
}

enum PlainContent<'a> {
    Text(PlainText<'a>),
    Media(MediaKind, PlainMedia<'a>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainText<'a> {
    #[serde(borrow)]
    body: Raw<'a>,
    preview_url: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainMedia<'a> {
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    link: Option<Str<'a>>,
    #[serde(borrow)]
    provider: Option<Raw<'a>>,
    #[serde(borrow)]
    caption: Option<Str<'a>>,
    #[serde(borrow)]
    filename: Option<Str<'a>>,
}

/// What is read from an object alone: a derived reader takes an array for one whose names are left out.
struct Members<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OfObject<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Members<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Members)
            }
        }

        deserializer.deserialize_map(OfObject(PhantomData))
    }
}

/// By hand, because a derived one tells at length which fields it knows when it meets another, and most templates
/// have one.
impl<'de> Deserialize<'de> for Plain<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMessage;

        impl<'de> Visitor<'de> for OfMessage {
            type Value = Plain<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain<'de>, A::Error> {
                let (mut to, mut recipient_type, mut named_type) = (None::<&str>, None::<&str>, None::<&str>);
                let (mut preview_url, mut content) = (None::<bool>, None);
                while let Some(key) = map.next_key::<&str>()? {
                    let was_given = match key {
                        "to" => to.replace(map.next_value()?).is_some(),
                        "recipient_type" => recipient_type.replace(map.next_value()?).is_some(),
                        "type" => named_type.replace(map.next_value()?).is_some(),
                        "preview_url" => preview_url.replace(map.next_value()?).is_some(),
                        "text" => {
                            let Members(text) = map.next_value()?;
                            content.replace(PlainContent::Text(text)).is_some()
                        }
                        _ => {
                            let kind =
                                MediaKind::from_name(key).ok_or_else(|| A::Error::custom(NOT_PLAIN))?;
                            let Members(media) = map.next_value()?;
                            content.replace(PlainContent::Media(kind, media)).is_some()
                        }
                    };
                    if was_given {
                        return Err(A::Error::custom(NOT_PLAIN));
                    }
                }
                match (to, content) {
                    (Some(to), Some(content)) if matches!(recipient_type, None | Some("individual")) => {
                        Ok(Plain { to, named_type, preview_url, content })
                    }
                    _ => Err(A::Error::custom(NOT_PLAIN)),
                }
            }
        }

        deserializer.deserialize_map(OfMessage)
    }
}

/// Reads `json` if it is a plain message; `None` when it is anything else.
pub(super) fn parse(json: &str) -> Option<Result<Message<'_>, Invalid>> {
    let plain: Plain<'_> = serde_json::from_str(json).ok()?;
    let is_plain = match (&plain.content, plain.named_type) {
        (PlainContent::Text(_), None) => true,
        (PlainContent::Text(_), Some(name)) => name == "text",
        (PlainContent::Media(kind, _), name) => name == Some(kind.name()),
    };
    is_plain.then(|| message(plain))
}

fn message(plain: Plain<'_>) -> Result<Message<'_>, Invalid> {
    let recipient = Recipient::read(Str::from(plain.to))?;
    let content = match plain.content {
        PlainContent::Text(PlainText { body, preview_url }) => {
            check_body(body, Path::Root.key("text").key("body"))?;
            Content::Text(Text { body, preview_url, rest: Vec::new() })
        }
        PlainContent::Media(kind, PlainMedia { id, link, provider, caption, filename }) => {
            let path = Path::Root.key(kind.name());
            let provider = provider.map(|raw| Fields::provider(raw, path)).transpose()?.flatten();
            let fields = Fields { id, link, provider, caption, filename };
            Content::Media(Media::of(kind, fields, Vec::new(), path)?)
        }
    };
    Ok(Message {
        recipient,
        named_type: plain.named_type.map(Str::from),
        is_cloud_envelope: false,
        preview_url: plain.preview_url,
        has_ttl: false,
        has_idle_status: false,
        content,
        context: None,
        other_content: Vec::new(),
        rest: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::parse;
    use crate::onprem::message::{Body, Message};

    /// What both ways give of a body as both get it, without `null`; nothing of what the quick way leaves to the other.
    fn both(json: &str) -> Option<[String; 2]> {
        let body = Body::read(json.as_bytes()).unwrap();
        let plain = parse(body.json())?;
        let general = body.object().map(|object| Message::parse(object, body.unpacked()));
        Some([format!("Ok({plain:?})"), format!("{general:?}")])
    }

    #[test]
    fn gives_what_the_general_way_gives() {
        for json in [
            r#"{"to":"16505551234","text":{"body":"hello"}}"#,
            r#"{"text":{"preview_url":false,"body":"a\n\u00e4"},"preview_url":true,"type":"text","to":"+1 650 555-1234"}"#,
            r#"{"recipient_type":"individual","to":"US.1349120865","type":"text","text":{"body":"hello"}}"#,
            r#"{"to":"","text":{"body":"hello"}}"#,
            r#"{"to":"1650","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","text":{"body":""}}"#,
            r#"{"to":"16505551234","text":{"body":5}}"#,
            r#"{"to":"16505551234","text":{"body":"\ud800"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1234","caption":"a \"b\" \u00e4"}}"#,
            r#"{"to":"1","type":"image","image":{}}"#,
            r#"{"to":"16505551234","type":"image","image":{}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1","link":"https://h/a"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"","link":"https://h/a","caption":""}}"#,
            r#"{"to":"16505551234","type":"image","preview_url":true,"image":{"id":"1","provider":"cdn"}}"#,
            r#"{"image":{"link":"ftp://h/a"},"type":"image","to":"16505551234"}"#,
            r#"{"to":"16505551234","type":"video","video":{"link":"cdn/https://h/a","filename":"b"}}"#,
            r#"{"to":"16505551234","type":"document","document":{"provider":{"name":"cdn"},"link":"https:\/\/h\/a"}}"#,
            r#"{"to":"16505551234","type":"document","document":{"provider":{"name":5},"link":"https://h/a"}}"#,
            r#"{"to":"16505551234","type":"document","document":{"provider":5,"link":"x","filename":"a.pdf"}}"#,
            r#"{"to":"16505551234","type":"audio","audio":{"link":"HTTP://h/a b"}}"#,
            r#"{"to":"16505551234","type":"sticker","sticker":{"link":"https:///a","caption":"x"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":null}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1","link":null,"provider":null,"caption":null}}"#,
            r#"{"to":"16505551234","text":{"body":"hello","preview_url":null},"preview_url":null}"#,
        ] {
            let [plain, general] = both(json).expect(json);
            assert_eq!(plain, general, "{json}");
        }
    }

    #[test]
    fn leaves_everything_else_to_the_general_way() {
        for json in [
            r#"{"to":"16505551234","to":"16505551235","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","ttl":5,"text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","type":"image","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","recipient_type":"group","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","text":{"body":"hello","body":"again"}}"#,
            r#"{"to":"1\u003650555","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","text":{"body":"hello"}} x"#,
            r#"{"messaging_product":"whatsapp","to":"16505551234","text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","image":{"id":"1"}}"#,
            r#"{"to":"16505551234","type":"video","image":{"id":"1"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":1}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1","id":"2"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1","ids":"2"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1","caption":"\ud800"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1"},"image":{"id":"1"}}"#,
            r#"{"to":"16505551234","type":"image","image":{"id":"1"},"text":{"body":"hello"}}"#,
            r#"{"to":"16505551234","type":"template","template":{"name":"a"}}"#,
            r#"{"to":"16505551234","text":["hello",null]}"#,
            r#"{"to":"16505551234","type":"image","image":["1234",null,null,null,null]}"#,
            r#"{"to":"16505551234","type":"image","image":["","https://h/a","",null,null]}"#,
            r#"["16505551234"]"#,
            r#"[]"#,
            r#"{}"#,
        ] {
            assert!(parse(json).is_none(), "{json}");
        }
    }

    /// A value of whatever type: mostly one that could stand there.
    fn value() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            4 => prop::sample::select(vec![
                r#""1234""#, r#""""#, r#""https://h/a""#, r#""cdn/https://h/a""#, r#""a\u00e4\n""#, r#""\ud800""#,
            ]),
            1 => prop::sample::select(vec!["null", "5", "true", "{}", "[]", r#"{"name":"cdn"}"#]),
        ];
        let name = prop::sample::select(vec![
            "body",
            "preview_url",
            "id",
            "link",
            "provider",
            "caption",
            "filename",
            "name",
            "x",
        ]);
        let members = prop::collection::vec((name, leaf.clone()), 0..4).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        });
        let elements = prop::collection::vec(leaf.clone(), 0..6)
            .prop_map(|elements| format!("[{}]", elements.join(",")));
        prop_oneof![6 => members, 1 => elements, 1 => leaf.prop_map(str::to_owned)]
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// What the quick way takes, the general way takes, too, and finds the same in it.
        #[test]
        fn both_ways_agree(
            kind in prop::sample::select(vec!["text", "image", "document", "sticker", "audio", "video", "contacts"]),
            named in prop::sample::select(vec!["", r#""type":"text","#, r#""type":"image","#, r#""type":"document","#]),
            content in value(),
            rest in prop::sample::select(vec!["", r#","preview_url":true"#, r#","preview_url":"true""#, r#","x":1"#]),
        ) {
            let json = format!(r#"{{{named}"to":"16505551234","{kind}":{content}{rest}}}"#);
            if let Some([plain, general]) = both(&json) {
                prop_assert_eq!(plain, general, "{}", json);
            }
        }
    }
}
