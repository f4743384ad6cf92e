use super::*;

fn body(value: &str) -> String {
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"1","changes":[{{"field":"messages","value":{value}}}]}}]}}"#
    )
}

fn lost(webhook: &Webhook<'_>) -> Vec<String> {
    webhook.unreadable.iter().map(|lost| format!("{} {}", lost.path, lost.reason)).collect()
}

#[test]
fn entries_and_changes_come_in_one_row() {
    let value = |number: &str| {
        format!(
            r#"{{"messaging_product":"whatsapp","metadata":{{"phone_number_id":"{number}"}},"statuses":[{{"id":"w","status":"sent","timestamp":"1","recipient_id":"1650"}}]}}"#
        )
    };
    let text = format!(
        r#"{{"entry":[{{"changes":[{{"field":"messages","value":{}}},{{"field":"account_update","value":5}}]}},{{"changes":[{{"value":{}}}]}}]}}"#,
        value("1"),
        value("2")
    );
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    let numbers: Vec<_> = webhook.values().map(|value| (&*value.phone_number_id, &*value.path)).collect();
    assert_eq!(numbers, [("1", "entry[0].changes[0].value"), ("2", "entry[1].changes[0].value")]);
    assert!(matches!(&webhook.changes[1], Change::Other { path, field }
        if &**field == "account_update" && path == "entry[0].changes[1]"));
    assert!(webhook.unreadable.is_empty());
}

#[test]
fn one_broken_element_does_not_cost_the_others() {
    let text = body(
        r#"{"metadata":{"phone_number_id":"1"},
        "messages":[{"id":"a","from":"1650","type":"text"},5,{"from":"1650"},{"id":"b"},{"id":"c","id":"d"},{"id":"e","from_user_id":"US.1"}],
        "statuses":[{"id":"a","status":"sent"},{"id":"a"},null,{"status":"read"}],
        "errors":[{"code":1},"x"]}"#,
    );
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    let value = webhook.values().next().unwrap();
    assert_eq!(
        value.messages.iter().map(|message| (message.index, &*message.id)).collect::<Vec<_>>(),
        [(0, "a"), (5, "e")]
    );
    assert_eq!((value.statuses.len(), value.errors.len()), (1, 1));
    let at = |rest: &str| format!("entry[0].changes[0].value.{rest}");
    assert_eq!(
        lost(&webhook),
        [
            at("messages[1] is not an object, or has a key twice"),
            at("messages[2] has no id"),
            at("messages[3] names no user"),
            at("messages[4] is not an object, or has a key twice"),
            at("statuses[1] has no status"),
            at("statuses[2] is not an object, or has a key twice"),
            at("statuses[3] has no id"),
            at("errors[1] is not an object"),
        ]
    );
}

#[test]
fn what_is_no_webhook_is_told_from_an_empty_one() {
    for (text, expected) in [
        ("", NotAWebhook::NotAnObject),
        ("[]", NotAWebhook::NotAnObject),
        ("\u{fffd}", NotAWebhook::NotAnObject),
        ("{}", NotAWebhook::NoEntries),
        (r#"{"entry":{}}"#, NotAWebhook::NoEntries),
    ] {
        assert_eq!(Webhook::read(text.as_bytes()).unwrap_err(), expected, "{text}");
    }
    assert!(Webhook::read(br#"{"entry":[]}"#).unwrap().changes.is_empty());
    let odd =
        Webhook::read(br#"{"entry":[5,{"changes":5},{"changes":[5,{"field":"messages"},{"value":{}}]}]}"#)
            .unwrap();
    assert_eq!(odd.unreadable.len(), 5);
}

#[test]
fn a_body_that_nests_without_end_costs_one_message() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let text = body(&format!(
        r#"{{"metadata":{{"phone_number_id":"1"}},"messages":[{{"id":"a","from":"1","x":{deep}}},{{"id":"b","from":"1"}}]}}"#
    ));
    let webhook = Webhook::read(text.as_bytes()).unwrap();
    assert_eq!(webhook.values().next().unwrap().messages.len(), 1);
    assert!(lost(&webhook)[0].contains("messages[0] nests too deep"));
}

#[test]
fn times_are_digits_or_nothing() {
    for (written, digits, odd) in [
        (r#""1518694235""#, Some("1518694235"), false),
        ("1518694235", Some("1518694235"), true),
        ("15.5", None, true),
        (r#""soon""#, None, true),
        ("null", None, true),
        (r#""""#, None, true),
    ] {
        let text = body(&format!(
            r#"{{"metadata":{{"phone_number_id":"1"}},"messages":[{{"id":"a","from":"+1","timestamp":{written}}}]}}"#
        ));
        let webhook = Webhook::read(text.as_bytes()).unwrap();
        let message = &webhook.values().next().unwrap().messages[0];
        assert_eq!((message.timestamp.as_deref(), message.odd_timestamp), (digits, odd), "{written}");
        assert_eq!(message.user.wa_id.as_deref(), Some("1"));
    }
}
