//! What happens in the demo: each step is a request of an on-prem client and what it must lead to.

/// What happens before an exchange.
pub enum Before {
    /// Nothing.
    Nothing,
    /// The mock learns to fail.
    Fault(&'static str),
    /// The provider brings out another edition of its menu.
    Change,
}

/// One exchange.
pub struct Step {
    /// What the step is about.
    pub title: &'static str,
    /// The same in a few words.
    pub short: &'static str,
    /// Verb and path.
    pub request: (&'static str, &'static str),
    /// The body, exactly as the client sends it; `{provider}` is where the media provider listens and
    /// `{callbacks}` where the client does.
    pub body: &'static str,
    /// What happens first.
    pub before: Before,
    /// The status that the client must get.
    pub status: u16,
    /// JSON pointers into what Cloud must have got, with their values.
    pub cloud: &'static [(&'static str, &'static str)],
    /// How often the provider must have been asked, how often a file must have been uploaded, and what the answer
    /// must say about that.
    pub media: (usize, usize, &'static str),
    /// JSON pointers into what the client must get, with their values; `*` is any value.
    pub app: &'static [(&'static str, &'static str)],
}

/// A message without files that have to be found.
const NO_FILE: (usize, usize, &str) = (0, 0, "");

/// A message.
const MESSAGES: (&str, &str) = ("POST", "/v1/messages");

/// The story.
pub const STORY: &[Step] = &[
    Step {
        title: "A text, with the link preview where on-prem had it",
        short: "Text with the preview_url of on-prem",
        request: MESSAGES,
        body: r#"{"to":"1 (650) 555-1234","type":"text","preview_url":true,"text":{"body":"See https://example.com"}}"#,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/messaging_product", "whatsapp"), ("/to", "+16505551234"), ("/text/preview_url", "true")],
        media: NO_FILE,
        app: &[
            ("/messages/0/id", "*"),
            ("/contacts/0/input", "1 (650) 555-1234"),
            ("/contacts/0/wa_id", "16505551234"),
        ],
    },
    Step {
        title: "An hsm message arrives as a template",
        short: "hsm (in full below)",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"hsm","hsm":{"namespace":"cbd7_18f1","element_name":"order_shipped","language":{"policy":"deterministic","code":"en_US"},"localizable_params":[{"default":"Jane"},{"default":"$10","currency":{"currency_code":"USD","amount_1000":10000}},{"default":"January 26th 2017","date_time":{"unix_epoch":{"timestamp":1485470276}}}]}}"#,
        before: Before::Nothing,
        status: 201,
        cloud: &[
            ("/type", "template"),
            ("/template/name", "order_shipped"),
            ("/template/language/code", "en_US"),
            ("/template/components/0/parameters/1/currency/fallback_value", "$10"),
            ("/template/components/0/parameters/2/date_time/fallback_value", "January 26th 2017"),
        ],
        media: NO_FILE,
        app: &[("/messages/0/id", "*"), ("/contacts/0/input", "16505551234")],
    },
    Step {
        title: "Reply buttons, with the action as a string and a header image by id",
        short: "Reply buttons, the action as a string",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"interactive","interactive":{"type":"button","header":{"type":"image","image":{"id":"1037543291543636","caption":null}},"body":{"text":"Deliver today?"},"action":"{\"buttons\":[{\"type\":\"reply\",\"reply\":{\"id\":\"y\",\"title\":\"Yes\"}},{\"type\":\"reply\",\"reply\":{\"id\":\"n\",\"title\":\"No\"}}]}"}}"#,
        before: Before::Nothing,
        status: 201,
        cloud: &[
            ("/interactive/action/buttons/1/reply/title", "No"),
            ("/interactive/header/image/id", "1037543291543636"),
        ],
        media: NO_FILE,
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "Cloud refuses: the error comes back with its on-prem code",
        short: "Text that Cloud refuses",
        request: MESSAGES,
        body: r#"{"to":"16505551234","text":{"body":"Hello again"}}"#,
        before: Before::Fault("131047:once"),
        status: 400,
        cloud: &[("/type", "text")],
        media: NO_FILE,
        app: &[("/errors/0/code", "470"), ("/errors/0/title", "Re-engagement message")],
    },
    Step {
        title: "A mistake is answered at once, in the dialect, and nothing is sent",
        short: "Text without a body",
        request: MESSAGES,
        body: r#"{"to":"16505551234","type":"text","text":{}}"#,
        before: Before::Nothing,
        status: 400,
        cloud: &[],
        media: NO_FILE,
        app: &[("/errors/0/code", "1008"), ("/errors/0/details", "text.body is missing or empty")],
    },
    Step {
        title: "A read receipt",
        short: "Read receipt",
        request: ("PUT", "/v1/messages/wamid.HBgLMTY1MDUwNzY1MjAVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA"),
        body: r#"{"status":"read"}"#,
        before: Before::Nothing,
        status: 200,
        cloud: &[("/status", "read"), ("/message_id", "*")],
        media: NO_FILE,
        app: &[("/meta/api_status", "stable")],
    },
    Step {
        title: "A media provider, registered as on-prem had them",
        short: "Registers a media provider",
        request: ("POST", "/v1/settings/application/media/providers"),
        body: r#"[{"name":"cdn","type":"www","config":{"bearer":"demo-provider-token"}}]"#,
        before: Before::Nothing,
        status: 200,
        cloud: &[],
        media: NO_FILE,
        app: &[("/meta/api_status", "stable")],
    },
    Step {
        title: "Its file is fetched with its credentials and uploaded",
        short: "File behind it, with its credentials",
        request: MESSAGES,
        body: INVOICE,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/document/id", "*")],
        media: (1, 1, "miss:first upload:uploaded"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "The same link again: remembered for as long as max-age says",
        short: "The same link again, within its max-age",
        request: MESSAGES,
        body: INVOICE,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/document/id", "*")],
        media: (0, 0, "hit:fresh upload:known"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "A file that wants to be asked for each time (no-cache)",
        short: "File with Cache-Control: no-cache",
        request: MESSAGES,
        body: MENU,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/image/id", "*")],
        media: (1, 1, "miss:first upload:uploaded"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "Asked by its ETag: it was not modified, so nothing is fetched or uploaded",
        short: "The same link again, asked by its ETag",
        request: MESSAGES,
        body: MENU,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/image/id", "*")],
        media: (1, 0, "revalidated:not_modified upload:known"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "The origin changed in the meantime: fetched and uploaded again",
        short: "The same link again, changed meanwhile",
        request: MESSAGES,
        body: MENU,
        before: Before::Change,
        status: 201,
        cloud: &[("/image/id", "*")],
        media: (1, 1, "miss:changed upload:uploaded"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "A file for one recipient only (private) is not remembered",
        short: "File with Cache-Control: private",
        request: MESSAGES,
        body: STATEMENT,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/document/id", "*")],
        media: (1, 1, "miss:first upload:uploaded forgotten:private"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "So the next send fetches and uploads it again",
        short: "The same link again",
        request: MESSAGES,
        body: STATEMENT,
        before: Before::Nothing,
        status: 201,
        cloud: &[("/document/id", "*")],
        media: (1, 1, "miss:private upload:uploaded forgotten:private"),
        app: &[("/messages/0/id", "*")],
    },
    Step {
        title: "The app says where its callbacks go, as it always did",
        short: "Sets the URL of its callbacks",
        request: ("PATCH", "/v1/settings/application"),
        body: CALLBACKS,
        before: Before::Nothing,
        status: 200,
        cloud: &[],
        media: NO_FILE,
        app: &[("/meta/api_status", "stable")],
    },
];

/// The message of which the app hears again.
pub const TOLD: Step = Step {
    title: "A text, and what becomes of it: sent, delivered, read",
    short: "Text, and its statuses",
    request: MESSAGES,
    body: r#"{"to":"16505551234","type":"text","text":{"body":"Your order is on its way"}}"#,
    before: Before::Nothing,
    status: 201,
    cloud: &[("/to", "+16505551234"), ("/text/body", "Your order is on its way")],
    media: NO_FILE,
    app: &[("/messages/0/id", "*"), ("/contacts/0/wa_id", "16505551234")],
};

/// A link behind a provider, in the seed's second spelling.
const INVOICE: &str = r#"{"to":"16505551234","type":"document","document":{"link":"cdn/{provider}/invoice.pdf","filename":"Invoice.pdf"}}"#;
/// A link that anybody may open.
const MENU: &str = r#"{"to":"16505551234","type":"image","image":{"link":"{provider}/menu.png"}}"#;
/// A link behind a provider, in the seed's first spelling.
const STATEMENT: &str = r#"{"to":"16505551234","type":"document","document":{"link":"{provider}/statement.pdf","provider":{"name":"cdn"}}}"#;
/// With a pause after failures that is short enough for a demo; on-prem's is three seconds.
const CALLBACKS: &str =
    r#"{"callback_backoff_delay_ms":"50","webhooks":{"url":"{callbacks}","message":{"sent":true}}}"#;
