//! What must hold for any input at all; shared by the property tests and the fuzz targets.

use prembridge::cloud::webhook::{Value, Webhook};
use prembridge::net::egress::{LONGEST, redirect, same_origin, vet_url};
use prembridge::onprem::Invalid;
use prembridge::onprem::callback::{MESSAGE_TYPES, StatusWord};
use prembridge::onprem::error::ErrorBody;
use prembridge::onprem::message::{Body, Message, Request};
use prembridge::translate::errors::{CloudFailure, Endpoint};
use prembridge::translate::webhook::{Converted, NothingKnown};
use prembridge::translate::{
    MOST_FILES, MessageIds, Notes, Options, Resolved, UndeliverableAs, WebhookOptions, error_to_onprem,
    media_refs, message_to_cloud, webhook_to_onprem,
};
use prembridge::wire::{Object, ObjectError, Raw, array, string, too_deep};

/// Fields that only on-prem knows at the top of a message.
const ONPREM_ONLY: [&str; 3] = ["hsm", "preview_url", "ttl"];
/// `Object` reads at most 256 members; translation may add these to those of the client.
const ADDED_MEMBERS: usize = 4;

/// Checks whatever a client may post to `/v1/messages`. Returns the Cloud form, if there is one.
pub fn message(bytes: &[u8]) -> Option<String> {
    let body = match Body::read(bytes) {
        Ok(body) => body,
        Err(invalid) => return refused(&invalid),
    };
    let message = match Request::parse(&body) {
        Ok(Request::Message(message)) => message,
        Ok(Request::Receipt(receipt)) => {
            let cloud =
                String::from_utf8(prembridge::cloud::message::Receipt::from(&receipt).to_json()).unwrap();
            assert!(Object::parse(&cloud).is_ok(), "not an object: {cloud}");
            return None;
        }
        Err(invalid) => return refused(&invalid),
    };
    // Such a message is refused before it is translated.
    if media_refs(&message).len() > MOST_FILES {
        return None;
    }
    let cloud = translate(&message, &body);
    well_formed(&cloud, &message);
    again(&cloud);
    Some(cloud)
}

/// A refusal tells what is wrong, on one line.
fn refused(invalid: &Invalid) -> Option<String> {
    assert!(invalid.details.split_whitespace().count() >= 3, "says nothing: {invalid:?}");
    assert!(!invalid.details.contains(char::is_control), "more than a line: {invalid:?}");
    assert!((400..500).contains(&invalid.code.http()), "a client's mistake is a 4xx: {invalid:?}");
    None
}

/// The Cloud form, with each link resolved; people's notes and the server's must not differ.
fn translate(message: &Message<'_>, body: &Body<'_>) -> String {
    let resolved: Vec<_> =
        media_refs(message).iter().map(|_| Resolved::Id("1037543291543636".into())).collect();
    let (mut full, mut brief) = (Notes::full(), Notes::brief());
    let text =
        String::from_utf8(message_to_cloud(message, body, &resolved, None, &mut full).unwrap().to_json(0));
    let quiet =
        String::from_utf8(message_to_cloud(message, body, &resolved, None, &mut brief).unwrap().to_json(0));
    let text = text.unwrap();
    assert_eq!(text, quiet.unwrap());
    assert_eq!(full.applied(), brief.applied());
    for info in full.applied().iter() {
        assert!(full.list().iter().any(|note| note.rule == info.rule), "no note for {}", info.id);
    }
    text
}

fn well_formed(cloud: &str, message: &Message<'_>) {
    let object = Object::parse(cloud).unwrap_or_else(|error| panic!("{error:?}: {cloud}"));
    let text = |key: &str| object.get(key).and_then(string).map(|text| text.to_string());
    assert_eq!(text("messaging_product").as_deref(), Some("whatsapp"), "{cloud}");
    assert_eq!(text("recipient_type").as_deref(), Some("individual"), "{cloud}");
    for key in ONPREM_ONLY {
        assert!(object.get(key).is_none(), "{key} in {cloud}");
    }
    let input = &message.recipient.input;
    match message.recipient.digits() {
        Some(digits) => {
            // Those of other scripts have tests of their own.
            if input.chars().all(|c| c.is_ascii() || !c.is_numeric()) {
                let written: String = input.chars().filter(char::is_ascii_digit).collect();
                assert_eq!(digits, written, "another recipient than {input}: {cloud}");
            }
            assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{digits}");
            assert_eq!(text("to"), Some(format!("+{digits}")), "another recipient than {input}: {cloud}");
            assert!(object.get("recipient").is_none(), "{cloud}");
        }
        None => {
            assert_eq!(text("recipient").as_deref(), Some(&**input), "{cloud}");
            assert!(object.get("to").is_none(), "{cloud}");
        }
    }
    let kind = text("type").unwrap();
    let content = object.get(&kind).unwrap_or_else(|| panic!("no {kind} in {cloud}"));
    match kind.as_str() {
        "image" | "audio" | "video" | "document" | "sticker" => without_provider(content, cloud),
        "template" => {
            let template = Object::parse(content.get()).unwrap();
            assert!(template.get("namespace").is_none(), "{cloud}");
            let language = Object::parse(template.get("language").unwrap().get()).unwrap();
            assert!(language.get("policy").is_none(), "{cloud}");
        }
        "interactive" => {
            let interactive = Object::parse(content.get()).unwrap();
            assert!(interactive.get("Header").is_none(), "{cloud}");
            if let Some(header) = interactive.get("header") {
                let header = Object::parse(header.get()).unwrap();
                for kind in ["image", "video", "document"] {
                    if header.get("type").and_then(string).is_some_and(|named| &*named == kind) {
                        without_provider(header.get(kind).unwrap(), cloud);
                    }
                }
            }
        }
        _ => {}
    }
}

fn without_provider(media: Raw<'_>, cloud: &str) {
    let media = Object::parse(media.get()).unwrap();
    assert!(media.get("provider").is_none(), "{cloud}");
    assert!(media.get("id").is_some() != media.get("link").is_some(), "{cloud}");
}

/// What is Cloud-shaped already passes unchanged, byte for byte.
fn again(cloud: &str) {
    let members = Object::parse(cloud).unwrap().members().len();
    // Unpacking and writing out may carry a body over the limits that the first reading kept.
    if too_deep(cloud) || members + ADDED_MEMBERS > 256 {
        return;
    }
    let body = Body::read(cloud.as_bytes()).unwrap();
    match Request::parse(&body) {
        Ok(Request::Message(message)) => {
            assert!(message.is_cloud_envelope, "{cloud}");
            assert_eq!(translate(&message, &body), cloud, "not idempotent");
        }
        other => panic!("{other:?}: its own Cloud form is refused: {cloud}"),
    }
}

/// Checks whatever Graph may answer.
pub fn error(http: u16, body: &[u8]) {
    for endpoint in [Endpoint::Messages, Endpoint::Media, Endpoint::Account, Endpoint::Other] {
        for expose_cloud_code in [true, false] {
            let failure =
                CloudFailure { http, body, retry_after: None, endpoint, phone_number_id: "106540352242922" };
            let options = Options {
                undeliverable_as: UndeliverableAs::UserNotValid,
                expose_cloud_code,
                ..Options::default()
            };
            let error = error_to_onprem(&failure, &options);
            // 401 is only ever about the client's own login.
            assert!(matches!(error.http, 400 | 403 | 404 | 429 | 500 | 503), "{error:?}");
            assert!(!error.details.trim().is_empty(), "{error:?}");
            assert!(!error.details.contains(char::is_control), "more than a line: {error:?}");
            assert!(error.details.chars().count() <= 640, "{error:?}");
            assert_eq!(error.retry_after.is_some(), matches!(error.http, 429 | 503), "{error:?}");
            let body = ErrorBody::new(error.code, &error.details, "v2.45.1");
            assert!(serde_json::to_string(&body).is_ok());
        }
    }
}

/// Checks whatever may be posted to the webhook.
pub fn webhook(bytes: &[u8]) {
    let Ok(webhook) = Webhook::read(bytes) else { return };
    let mut dedupe_keys = Vec::new();
    for message_ids in [MessageIds::Cloud, MessageIds::Onprem] {
        let compat = Options { message_ids, ..Options::default() };
        let options = WebhookOptions { compat, received_at: 1_700_000_000 };
        let (mut full, mut brief) = (Notes::full(), Notes::brief());
        let converted = webhook_to_onprem(&webhook, &options, &NothingKnown, &mut full);
        assert_eq!(converted, webhook_to_onprem(&webhook, &options, &NothingKnown, &mut brief));
        assert_eq!(full.applied(), brief.applied());
        for info in full.applied().iter() {
            assert!(full.list().iter().any(|note| note.rule == info.rule), "no note for {}", info.id);
        }
        let events = |value: &Value<'_>| value.messages.len() + value.statuses.len() + value.errors.len();
        let events: usize = webhook.values().map(events).sum();
        assert_eq!(events, converted.callbacks.len() + converted.dropped.len(), "{converted:?}");
        callbacks(&converted);
        let keys = converted.callbacks.into_iter().map(|callback| callback.dedupe);
        dedupe_keys.push(keys.collect::<Vec<_>>());
    }
    assert_eq!(dedupe_keys[0], dedupe_keys[1], "another form of ids must not make an event another one");
}

/// Each callback is about one thing, flat, and has what every client reads.
fn callbacks(converted: &Converted<'_>) {
    for callback in &converted.callbacks {
        let text = std::str::from_utf8(&callback.body).unwrap();
        let body = Object::parse(text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
        let mut names = Vec::new();
        for (key, raw) in body.members() {
            let elements = array(raw).unwrap_or_else(|| panic!("{key} is no array: {text}"));
            assert_eq!(elements.len(), 1, "{text}");
            let element = match Object::parse(elements[0].get()) {
                Ok(element) => element,
                // One more than we read ourselves.
                Err(ObjectError::TooManyMembers) => continue,
                Err(error) => panic!("{error:?}: {text}"),
            };
            for name in ["messaging_product", "metadata"] {
                assert!(element.get(name).is_none(), "{name} in {text}");
            }
            match &**key {
                "contacts" => assert!(element.get("wa_id").is_some(), "{text}"),
                "messages" => message_callback(&element, text),
                "statuses" => status_callback(&element, text),
                "errors" => assert!(element.get("code").is_some(), "{text}"),
                other => panic!("{other} in {text}"),
            }
            names.push(key.to_string());
        }
        names.retain(|name| name != "contacts");
        assert!(names.len() <= 1, "{text}");
    }
}

fn message_callback(message: &Object<'_>, text: &str) {
    let word = |key: &str| message.get(key).and_then(string).unwrap_or_else(|| panic!("no {key} in {text}"));
    assert!(!word("id").is_empty() && !word("from").is_empty(), "{text}");
    assert!(word("timestamp").bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    match &*word("type") {
        "unknown" => assert!(message.get("errors").is_some(), "{text}"),
        "system" => assert!(message.get("system").is_some(), "{text}"),
        kind => assert!(MESSAGE_TYPES.contains(&kind) && message.get(kind).is_some(), "{text}"),
    }
}

fn status_callback(status: &Object<'_>, text: &str) {
    let word = |key: &str| status.get(key).and_then(string);
    assert!(word("status").is_some_and(|word| StatusWord::from_name(&word).is_some()), "{text}");
    assert_eq!(word("type").as_deref(), Some("message"), "{text}");
    assert!(word("timestamp").is_some_and(|time| time.bytes().all(|byte| byte.is_ascii_digit())), "{text}");
    assert_eq!(status.get("recipient_id").is_some(), status.get("message").is_some(), "{text}");
}

/// Checks whatever a client may give as a link, and on a second line what its host may answer as `Location`.
pub fn link(bytes: &[u8]) {
    let mut lines = bytes.splitn(2, |byte| *byte == b'\n');
    let (link, location) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let base = "https://media.example/folder/file?query";
    for link in [std::str::from_utf8(link).unwrap_or(base), base] {
        let from = match vet_url(link) {
            Ok(url) => url,
            Err(bad) => {
                assert!(!bad.to_string().contains(['\r', '\n']), "{bad}");
                continue;
            }
        };
        vetted(from.as_str());
        if let Ok(to) = redirect(&from, location) {
            vetted(to.as_str());
            assert!(from.scheme() == "http" || to.scheme() == "https", "{from} leads to {to}");
            assert!(!same_origin(&from, &to) || from.host() == to.host(), "{from} and {to}");
        }
    }
}

/// Nothing is left in a link that two readers could read in two ways.
fn vetted(link: &str) {
    let url = vet_url(link).unwrap_or_else(|bad| panic!("vetted twice: {bad}: {link}"));
    assert_eq!(url.as_str(), link, "vetting again changes it");
    assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{link}");
    assert!(link.len() <= LONGEST && link.chars().all(|c| c.is_ascii_graphic()), "{link}");
    assert!(link.starts_with("http://") || link.starts_with("https://"), "{link}");
    assert!(url.host_str().is_some_and(|host| !host.is_empty() && !host.ends_with('.')), "{link}");
}
