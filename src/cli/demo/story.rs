//! What happens in the demo: each step is a request of an on-prem client and what it must lead to.

/// One exchange.
pub struct Step {
    /// What the step is about.
    pub title: &'static str,
    /// Verb and path.
    pub request: (&'static str, &'static str),
    /// The body, exactly as the client sends it.
    pub body: &'static str,
    /// A fault for the mock, first.
    pub fault: Option<&'static str>,
    /// The status that the client must get.
    pub status: u16,
    /// JSON pointers into what Cloud must have got, with their values.
    pub cloud: &'static [(&'static str, &'static str)],
    /// JSON pointers into what the client must get, with their values; `*` is any value.
    pub app: &'static [(&'static str, &'static str)],
}

/// A message.
const MESSAGES: (&str, &str) = ("POST", "/v1/messages");

/// The story.
pub const STORY: &[Step] = &[
    Step {
        title: "A text, with the link preview where on-prem had it",
        request: MESSAGES,
        body: r#"{"to":"1 (650) 555-1234","type":"text","preview_url":true,"text":{"body":"See https://example.com"}}"#,
        fault: None,
        status: 201,
        cloud: &[("/messaging_product", "whatsapp"), ("/to", "+16505551234"), ("/text/preview_url", "true")],
        app: &[
            ("/messages/0/id", "*"),
            ("/contacts/0/input", "1 (650) 555-1234"),
            ("/contacts/0/wa_id", "16505551234"),
        ],
    },
    Step {
        title: "An hsm message arrives as a template",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"hsm","hsm":{"namespace":"cbd7_18f1","element_name":"order_shipped","language":{"policy":"deterministic","code":"en_US"},"localizable_params":[{"default":"Jane"},{"default":"$10","currency":{"currency_code":"USD","amount_1000":10000}},{"default":"January 26th 2017","date_time":{"unix_epoch":{"timestamp":1485470276}}}]}}"#,
        fault: None,
        status: 201,
        cloud: &[
            ("/type", "template"),
            ("/template/name", "order_shipped"),
            ("/template/language/code", "en_US"),
            ("/template/components/0/parameters/1/currency/fallback_value", "$10"),
            ("/template/components/0/parameters/2/date_time/fallback_value", "January 26th 2017"),
        ],
        app: &[("/messages/0/id", "*"), ("/contacts/0/input", "16505551234")],
    },
    Step {
        title: "Reply buttons, with the action as a string and a header image by id",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"interactive","interactive":{"type":"button","header":{"type":"image","image":{"id":"1037543291543636","caption":null}},"body":{"text":"Deliver today?"},"action":"{\"buttons\":[{\"type\":\"reply\",\"reply\":{\"id\":\"y\",\"title\":\"Yes\"}},{\"type\":\"reply\",\"reply\":{\"id\":\"n\",\"title\":\"No\"}}]}"}}"#,
        fault: None,
        status: 201,
        cloud: &[
            ("/interactive/action/buttons/1/reply/title", "No"),
            ("/interactive/header/image/id", "1037543291543636"),
        ],
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "Cloud refuses: the error comes back with its on-prem code",
        request: MESSAGES,
        body: r#"{"to":"16505551234","text":{"body":"Hello again"}}"#,
        fault: Some("131047:once"),
        status: 400,
        cloud: &[("/type", "text")],
        app: &[("/errors/0/code", "470"), ("/errors/0/title", "Re-engagement message")],
    },
    Step {
        title: "A mistake is answered at once, in the dialect, and nothing is sent",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"text","text":{}}"#,
        fault: None,
        status: 400,
        cloud: &[],
        app: &[("/errors/0/code", "1008"), ("/errors/0/details", "text.body is missing or empty")],
    },
    Step {
        title: "A read receipt",
        request: ("PUT", "/v1/messages/wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"),
        body: r#"{"status":"read"}"#,
        fault: None,
        status: 200,
        cloud: &[("/status", "read"), ("/message_id", "*")],
        app: &[("/meta/api_status", "stable")],
    },
];
