//! Messages of users.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::super::files;
use super::super::recipient::digits;
use super::super::state::State;
use super::body::{USER_NAME, business, object};

/// The user of Meta's samples.
const USER: &str = "16505551234";
/// Types whose object names a file.
const MEDIA: &[&str] = &["audio", "document", "image", "sticker", "video"];
/// Further types that a message without `type` is known by.
const OTHERS: &[&str] =
    &["text", "button", "interactive", "location", "contacts", "reaction", "order", "system"];

/// A message of a user to a number, as an element of `messages` in a webhook.
///
/// The `from` of its constructors is a phone number, or a business-scoped user id like `US.1349…`, as of a user who
/// hides the number.
#[derive(Clone, Debug, PartialEq)]
pub struct InboundMessage {
    name: String,
    message: Map<String, Value>,
}

impl InboundMessage {
    /// A text.
    pub fn text(from: &str, body: &str) -> Self {
        Self::typed(from, "text", json!({ "body": body }))
    }

    /// An image; the mock tells type and digest of a file that it has.
    pub fn image(from: &str, media_id: &str) -> Self {
        Self::typed(from, "image", json!({ "id": media_id }))
    }

    /// An audio file.
    pub fn audio(from: &str, media_id: &str) -> Self {
        Self::typed(from, "audio", json!({"id": media_id, "voice": false}))
    }

    /// A voice note.
    pub fn voice(from: &str, media_id: &str) -> Self {
        Self::typed(from, "audio", json!({"id": media_id, "voice": true}))
    }

    /// A video.
    pub fn video(from: &str, media_id: &str) -> Self {
        Self::typed(from, "video", json!({ "id": media_id }))
    }

    /// A document.
    pub fn document(from: &str, media_id: &str, filename: &str) -> Self {
        Self::typed(from, "document", json!({"id": media_id, "filename": filename}))
    }

    /// A sticker that does not move.
    pub fn sticker(from: &str, media_id: &str) -> Self {
        Self::typed(from, "sticker", json!({"id": media_id, "animated": false}))
    }

    /// The quick-reply button of a template.
    pub fn button(from: &str, payload: &str, text: &str) -> Self {
        Self::typed(from, "button", json!({"payload": payload, "text": text}))
    }

    /// A button of an interactive message.
    pub fn button_reply(from: &str, id: &str, title: &str) -> Self {
        let reply = json!({"id": id, "title": title});
        Self::typed(from, "interactive", json!({"type": "button_reply", "button_reply": reply}))
    }

    /// A row of a list.
    pub fn list_reply(from: &str, id: &str, title: &str, description: Option<&str>) -> Self {
        let mut reply = object(json!({"id": id, "title": title}));
        if let Some(description) = description {
            reply.insert("description".into(), description.into());
        }
        Self::typed(from, "interactive", json!({"type": "list_reply", "list_reply": reply}))
    }

    /// The end of a flow, whose answers are JSON in a string.
    pub fn flow_reply(from: &str, response_json: &str) -> Self {
        let reply = json!({"name": "flow", "body": "Sent", "response_json": response_json});
        Self::typed(from, "interactive", json!({"type": "nfm_reply", "nfm_reply": reply}))
    }

    /// A place.
    pub fn location(from: &str, latitude: f64, longitude: f64) -> Self {
        Self::typed(from, "location", json!({"latitude": latitude, "longitude": longitude}))
    }

    /// Cards, an array as Cloud writes it.
    pub fn contacts(from: &str, cards: Value) -> Self {
        Self::typed(from, "contacts", cards)
    }

    /// A reaction to a message; an empty one takes the last back.
    pub fn reaction(from: &str, message_id: &str, emoji: &str) -> Self {
        let mut reaction = object(json!({ "message_id": message_id }));
        if !emoji.is_empty() {
            reaction.insert("emoji".into(), emoji.into());
        }
        Self::typed(from, "reaction", reaction.into())
    }

    /// Any element of `messages`. Where they are missing, `from`, `id`, `timestamp` and `type` are filled in, and
    /// what is told of a file that the mock has; a `text` that is a string becomes its body.
    pub fn from_json(message: Value) -> Result<Self, String> {
        let Value::Object(mut message) = message else {
            return Err("a message is a JSON object".to_owned());
        };
        if let Some(Value::String(body)) = message.get("text") {
            let text = json!({ "body": body });
            message.insert("text".into(), text);
        }
        if !message.contains_key("type") {
            let known = OTHERS.iter().chain(MEDIA).find(|kind| message.contains_key(**kind));
            let kind = known.ok_or("a message of which type?")?;
            message.insert("type".into(), (*kind).into());
        }
        Ok(Self { name: USER_NAME.to_owned(), message })
    }

    /// The user's name.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The user's business-scoped id beside the number.
    pub fn user_id(self, user_id: &str) -> Self {
        self.with("from_user_id", user_id.into())
    }

    /// A caption of the file.
    pub fn captioned(mut self, caption: &str) -> Self {
        if let Some(file) = self.file() {
            file.insert("caption".into(), caption.into());
        }
        self
    }

    /// As an answer to a message of the business.
    pub fn answering(self, wamid: &str) -> Self {
        self.with("context", json!({ "id": wamid }))
    }

    /// With this member of the message.
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.message.insert(key.to_owned(), value);
        self
    }

    fn typed(from: &str, kind: &str, content: Value) -> Self {
        let message = object(json!({"from": from, "type": kind, kind: content}));
        Self { name: USER_NAME.to_owned(), message }
    }

    fn string(&self, key: &str) -> Option<&str> {
        self.message.get(key).and_then(Value::as_str)
    }

    /// The object that names a file.
    fn file(&mut self) -> Option<&mut Map<String, Value>> {
        let kind = MEDIA.iter().find(|kind| self.string("type") == Some(**kind))?;
        self.message.get_mut(*kind)?.as_object_mut()
    }

    /// Fills in what is missing; gives what the webhook adds to its value, and the id.
    pub(super) fn complete(mut self, state: &State, phone_number_id: &str) -> (Map<String, Value>, String) {
        self.settle_sender();
        let user = self.string("from").or_else(|| self.string("from_user_id")).unwrap_or(USER).to_owned();
        let id = match self.string("id") {
            Some(id) => id.to_owned(),
            None => state.next_inbound_wamid(&user),
        };
        self.message.insert("id".into(), id.as_str().into());
        self.message.entry("timestamp").or_insert_with(|| state.now().to_string().into());
        if let Some(Value::Object(context)) = self.message.get_mut("context") {
            context.entry("from").or_insert_with(|| business(&state.options).into());
        }
        self.describe_file(state, phone_number_id);
        let content = json!({"contacts": [self.contact()], "messages": [self.message]});
        (object(content), id)
    }

    /// `from` as digits; a business-scoped id, which has a country in front, stands in `from_user_id` instead.
    fn settle_sender(&mut self) {
        match self.string("from").map(str::to_owned) {
            Some(from) if from.contains(char::is_alphabetic) => {
                self.message.remove("from");
                self.message.insert("from_user_id".into(), from.into());
            }
            Some(from) => {
                self.message.insert("from".into(), digits(&from).collect::<String>().into());
            }
            None if self.message.contains_key("from_user_id") => {}
            None => {
                self.message.insert("from".into(), USER.into());
            }
        }
    }

    fn contact(&self) -> Value {
        let mut contact = object(json!({"profile": {"name": self.name}}));
        for (member, key) in [("wa_id", "from"), ("user_id", "from_user_id")] {
            if let Some(value) = self.message.get(key) {
                contact.insert(member.to_owned(), value.clone());
            }
        }
        contact.into()
    }

    /// What webhooks tell of a file: the digest in base64 here, unlike in `GET /{media-id}`.
    fn describe_file(&mut self, state: &State, phone_number_id: &str) {
        let Some(file) = self.file() else { return };
        let Some(id) = file.get("id").and_then(Value::as_str).map(str::to_owned) else { return };
        let Some(item) = state.media.get(&id, Some(phone_number_id)) else { return };
        let mut tell = |key: &str, value: Value| {
            file.entry(key).or_insert(value);
        };
        tell("mime_type", item.media_type.as_str().into());
        tell("sha256", STANDARD.encode(unhex(&item.sha256)).into());
        // On all addresses at once, nobody knows which of them the reader can reach.
        if !state.addr.ip().is_unspecified() {
            tell("url", files::link(state, &state.addr.to_string(), &id).into());
        }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let nibbles: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    nibbles.chunks(2).map(|pair| pair.iter().fold(0, |byte, nibble| byte << 4 | *nibble as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::*;

    fn complete(message: InboundMessage) -> (Value, Value) {
        let display_phone_number = "+1 555-078-3881".to_owned();
        let options = Options { time: Some(1_749_416_383), display_phone_number, ..Options::default() };
        let state = State::new(options, ([127, 0, 0, 1], 0).into());
        let (mut content, id) = message.complete(&state, "1");
        let message = content["messages"][0].take();
        assert_eq!(message["id"], id);
        (content["contacts"][0].take(), message)
    }

    #[test]
    fn a_message_is_filled_up_and_keeps_what_it_says() {
        let (contact, message) = complete(InboundMessage::text("+1 650 555 1234", "hi").answering("wamid.A"));
        assert_eq!(contact, json!({"profile": {"name": "Kerry Fisher"}, "wa_id": "16505551234"}));
        assert_eq!((&message["from"], &message["timestamp"]), (&json!("16505551234"), &json!("1749416383")));
        assert_eq!(message["context"], json!({"id": "wamid.A", "from": "15550783881"}));
        assert!(message["id"].as_str().unwrap().starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgASGC"));

        let whole = json!({"id": "wamid.B", "from": "1", "timestamp": "5", "type": "order", "order": {}});
        assert_eq!(complete(InboundMessage::from_json(whole.clone()).unwrap()).1, whole);
    }

    #[test]
    fn a_user_without_a_number_is_known_by_an_id() {
        let (contact, message) = complete(InboundMessage::text("US.1349", "hi").named("Ana"));
        assert_eq!(contact, json!({"profile": {"name": "Ana"}, "user_id": "US.1349"}));
        assert_eq!((message.get("from"), &message["from_user_id"]), (None, &json!("US.1349")));

        let (contact, message) = complete(InboundMessage::text("1", "hi").user_id("US.1349"));
        assert_eq!((&contact["wa_id"], &contact["user_id"]), (&json!("1"), &json!("US.1349")));
        assert_eq!((&message["from"], &message["from_user_id"]), (&json!("1"), &json!("US.1349")));
    }

    #[test]
    fn short_forms_are_read() {
        let read = |json| InboundMessage::from_json(json).map(|message| complete(message).1);
        let message = read(json!({"text": "hi"})).unwrap();
        assert_eq!((&message["type"], &message["text"]), (&json!("text"), &json!({"body": "hi"})));
        assert_eq!(message["from"], USER);
        assert_eq!(read(json!({"image": {"id": "5"}})).unwrap()["type"], "image");
        assert!(read(json!({"from": "1"})).is_err() && read(json!([])).is_err());
    }

    #[test]
    fn captions_stand_in_the_file() {
        let (_, message) = complete(InboundMessage::document("1", "5", "a.pdf").captioned("c"));
        assert_eq!(message["document"], json!({"id": "5", "filename": "a.pdf", "caption": "c"}));
        let text = InboundMessage::text("1", "hi");
        assert_eq!(text.clone().captioned("c"), text);
    }

    #[test]
    fn hex_becomes_bytes() {
        assert_eq!(unhex("00ff1a"), [0, 255, 26]);
    }
}
