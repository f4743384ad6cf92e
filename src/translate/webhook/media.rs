//! Files that users send.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Lookup, UserFile, Work};
use crate::onprem::callback::{Field, Fields, MessageContent};
use crate::translate::rules::Rule;
use crate::wire::{self, Object, Raw, Str};

/// SHA-256 has 32 bytes, which base64 writes with 44 characters.
const SHA256_BASE64: usize = 44;

/// Translates the media object of a message, which stands at `path` under the name of its type. Also says
/// what its type is to on-prem clients.
///
/// Rule   webhook.voice, webhook.media-sha256, webhook.media-missing (translated), webhook.media-url (dropped)
/// Onprem webhooks, media objects; voice notes are of type `voice`; `status: undownloaded`
/// Cloud  webhooks, media objects; `voice`, `url`, `sha256`
/// Golden webhooks/audio/*, webhooks/image/*
pub(super) fn convert<'v, L: Lookup>(
    kind: &'v str,
    raw: Option<Raw<'v>>,
    path: &str,
    work: &mut Work<'v, '_, L>,
) -> (&'v str, MessageContent<'v>) {
    let object = raw.and_then(|raw| Object::parse(raw.get()).ok()).unwrap_or_default();
    let path = format!("{path}.{kind}");
    let mut fields: Fields<'v> = Vec::with_capacity(object.members().len());
    let mut onprem_kind = kind;
    let mut has_id = false;
    let text = |key| object.get(key).and_then(wire::string).map(|text| text.to_string());
    let (id, media_type) = (text("id"), text("mime_type").unwrap_or_default());
    for (key, raw) in object.into_members() {
        match &*key {
            "url" => {
                work.note(Rule::MediaUrl, format_args!("{path}.url"), "left out: it needs Cloud's token")
            }
            "voice" if kind == "audio" => {
                if raw.get() == "true" {
                    onprem_kind = "voice";
                }
                work.note(Rule::Voice, format_args!("{path}.voice"), format_args!("-> type {onprem_kind}"));
            }
            "sha256" => {
                let field = match sha256(raw) {
                    Some(hex) => {
                        work.note(Rule::MediaSha256, format_args!("{path}.sha256"), "base64 -> hex");
                        Field::Text(Cow::Owned(hex))
                    }
                    None => Field::Raw(raw),
                };
                fields.push((key, field));
            }
            _ if raw.get() == "null" => {}
            name => {
                has_id |= name == "id";
                fields.push((key, Field::Raw(raw)));
            }
        }
    }
    if !has_id && !fields.iter().any(|(key, _)| &**key == "status") {
        work.note(Rule::MediaMissing, &path, "has no id, so its status is undownloaded");
        fields.push((Str::from("status"), Field::Text(Cow::Borrowed("undownloaded"))));
    }
    work.file = id.map(|id| UserFile { kind: onprem_kind.to_owned(), id, media_type });
    (onprem_kind, MessageContent::Fields(fields))
}

/// The digest in hex, if it is base64.
fn sha256(raw: Raw<'_>) -> Option<String> {
    let text = wire::string(raw).filter(|text| text.len() == SHA256_BASE64)?;
    let digest = STANDARD.decode(text.as_bytes()).ok().filter(|digest| digest.len() == 32)?;
    Some(digest.iter().flat_map(|byte| [hex(byte >> 4), hex(byte & 0x0f)]).collect())
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}
