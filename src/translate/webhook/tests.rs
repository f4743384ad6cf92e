use super::*;
use crate::translate::message_id::MessageIds;

fn body(value: &str) -> String {
    format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{{"metadata":{{"phone_number_id":"7"}},{value}}}}}]}}]}}"#
    )
}

/// One user is known by two ids, another by a spelling of the client.
struct Known;

impl Lookup for Known {
    fn wa_id(&self, user_id: &str) -> Option<String> {
        (user_id == "US.1").then(|| "1650".to_owned())
    }

    fn shown(&self, id: &str) -> Option<String> {
        (id == "16505551299").then(|| "16505551234".to_owned())
    }
}

/// Kind, chat and dedupe key of each callback.
fn queued(value: &str, options: &WebhookOptions) -> Vec<(CallbackKind, Option<String>, Option<String>)> {
    let text = body(value);
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    let converted = webhook_to_onprem(&webhook, options, &Known, &mut Notes::brief());
    let mut queued = Vec::new();
    for callback in converted.callbacks {
        assert_eq!(callback.phone_number_id, "7");
        queued.push((callback.kind, callback.chat, callback.dedupe));
    }
    queued
}

fn expected(kind: CallbackKind, chat: &str, dedupe: &str) -> (CallbackKind, Option<String>, Option<String>) {
    (kind, Some(chat.to_owned()), Some(dedupe.to_owned()))
}

#[test]
fn the_queue_learns_what_it_needs() {
    let value = r#""messages":[{"id":"a","from":"1650","type":"text","text":{"body":"x"}},
        {"id":"b","from":"1650","type":"system","system":{"type":"user_changed_number","wa_id":"1651"}},
        {"id":"c","from_user_id":"US.1","type":"revoke","revoke":{"original_message_id":"a"}}],
        "statuses":[{"id":"w","status":"failed","recipient_id":"16505551234"},{"id":"v","status":"read","recipient_user_id":"US.1"},
        {"id":"w","status":"sent"}],
        "errors":[{"code":131000}]"#;
    assert_eq!(
        queued(value, &WebhookOptions::default()),
        [
            expected(CallbackKind::Message, "1650", "a"),
            expected(CallbackKind::System, "1650", "b"),
            expected(CallbackKind::Status(StatusWord::Deleted), "1650", "a deleted"),
            expected(CallbackKind::Status(StatusWord::Failed), "16505551234", "w failed"),
            expected(CallbackKind::Status(StatusWord::Read), "1650", "v read"),
            (CallbackKind::Status(StatusWord::Sent), None, Some("w sent".to_owned())),
            (CallbackKind::Error, None, None),
        ]
    );
}

#[test]
fn the_chat_is_clouds_and_not_the_clients_spelling() {
    let value = r#""statuses":[{"id":"w","status":"sent","recipient_id":"16505551299"}]"#;
    assert_eq!(queued(value, &WebhookOptions::default())[0].1.as_deref(), Some("16505551299"));
}

#[test]
fn the_same_event_has_one_key_whatever_clients_see() {
    let wamid = "wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI4MjZGRDA0OUE2OTQ3RkEyMzcA";
    let value = format!(r#""statuses":[{{"id":"{wamid}","status":"sent","recipient_id":"1"}}]"#);
    let compat = Options { message_ids: MessageIds::Onprem, ..Options::default() };
    let onprem = queued(&value, &WebhookOptions { compat, received_at: 0 });
    assert_eq!(onprem, queued(&value, &WebhookOptions::default()));
    assert_eq!(onprem[0].2, Some(format!("{wamid} sent")));
}

#[test]
fn everything_that_is_looked_up_is_announced() {
    let text = body(
        r#""contacts":[{"user_id":"US.2"},{"wa_id":"1"}],
        "messages":[{"id":"a","from_user_id":"US.1"},{"id":"b","from_user_id":"US.1","context":{"id":"z","from_user_id":"US.4"}},
        {"id":"c","from":"1","type":"system","system":{"type":"user_changed_number","user_id":"US.5"}}],
        "statuses":[{"id":"w","status":"sent","recipient_user_id":"US.3"},{"id":"w","status":"read"}]"#,
    );
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    let value = webhook.values().next().unwrap();
    let asks = asks(value);
    assert_eq!(asks, ["US.1", "US.2", "US.3", "US.4", "US.5"]);
    /// Fails a question that was not announced.
    struct Strict(Vec<String>);
    impl Lookup for Strict {
        fn wa_id(&self, user_id: &str) -> Option<String> {
            assert!(self.0.iter().any(|known| known == user_id), "{user_id} was not announced");
            None
        }
        fn shown(&self, _id: &str) -> Option<String> {
            None
        }
    }
    let strict = Strict(asks);
    let converted = value_to_onprem(value, &WebhookOptions::default(), &strict, &mut Notes::brief());
    assert_eq!(converted.callbacks.len(), 5);
}
