//! The commonest message, read the quickest way.
//!
//! A text with nothing but documented fields is read in one typed pass. Whatever is not exactly that,
//! wrong types and unknown fields included, takes the general way, which also knows what to say about
//! it; the checks are the same ones.

use serde::Deserialize;

use super::{Content, Message, Raw, Recipient, Str, Text, check_body};
use crate::onprem::Invalid;
use crate::wire::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    to: &'a str,
    recipient_type: Option<&'a str>,
    #[serde(rename = "type")]
    named_type: Option<&'a str>,
    preview_url: Option<bool>,
    #[serde(borrow)]
    text: PlainText<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainText<'a> {
    #[serde(borrow)]
    body: Raw<'a>,
    preview_url: Option<bool>,
}

/// Reads `json` if it is a plain text; `None` when it is anything else.
pub(super) fn parse(json: &str) -> Option<Result<Message<'_>, Invalid>> {
    let plain: Plain<'_> = serde_json::from_str(json).ok()?;
    let is_plain = matches!(plain.recipient_type, None | Some("individual"))
        && matches!(plain.named_type, None | Some("text"));
    is_plain.then(|| message(plain))
}

fn message(plain: Plain<'_>) -> Result<Message<'_>, Invalid> {
    let recipient = Recipient::read(Str::from(plain.to))?;
    let PlainText { body, preview_url } = plain.text;
    check_body(body, Path::Root.key("text").key("body"))?;
    Ok(Message {
        recipient,
        named_type: plain.named_type.map(Str::from),
        is_cloud_envelope: false,
        preview_url: plain.preview_url,
        has_ttl: false,
        has_idle_status: false,
        content: Content::Text(Text { body, preview_url, rest: Vec::new() }),
        context: None,
        other_content: Vec::new(),
        rest: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use crate::onprem::message::Message;
    use crate::wire::Object;

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
        ] {
            let plain = parse(json).expect(json);
            let general = Message::parse(Object::parse(json).unwrap());
            assert_eq!(format!("{plain:?}"), format!("{general:?}"), "{json}");
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
        ] {
            assert!(parse(json).is_none(), "{json}");
        }
    }
}
