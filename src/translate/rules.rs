//! Every difference between the two APIs that we handle, as data.
//!
//! The list feeds the notes of `prembridge translate`, the counters of the metrics listener and
//! the tables in the README; `tests/golden.rs` demands a golden case for each entry.

/// What happens to the client's intention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Carried over in another form.
    Translated,
    /// Answered by us, because Cloud has no such thing.
    Emulated,
    /// Left out, because Cloud has no place for it and the message means the same without it.
    Dropped,
    /// Refused with an on-prem error, because the message would mean something else without it.
    Refused,
}

/// One difference.
#[derive(Debug)]
pub struct RuleInfo {
    /// The rule.
    pub rule: Rule,
    /// Its name in notes, metrics and golden cases.
    pub id: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What happens to the client's intention.
    pub status: Status,
    /// Where the on-prem side is documented.
    pub onprem_doc: &'static str,
    /// Where the Cloud side is documented.
    pub cloud_doc: &'static str,
}

macro_rules! rules {
    ($($name:ident: $id:literal, $status:ident, $summary:literal, $onprem:literal, $cloud:literal;)+) => {
        /// A difference that we handle; `RULES` describes each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Rule {
            $(#[doc = $summary] $name,)+
        }

        /// Every rule, in the order of the documentation.
        pub const RULES: &[RuleInfo] = &[
            $(RuleInfo {
                rule: Rule::$name,
                id: $id,
                summary: $summary,
                status: Status::$status,
                onprem_doc: $onprem,
                cloud_doc: $cloud,
            },)+
        ];

        impl Rule {
            /// Its name in notes, metrics and golden cases.
            pub const fn id(self) -> &'static str {
                match self { $(Rule::$name => $id,)+ }
            }
        }
    };
}

rules! {
    Envelope: "message.envelope", Translated,
        "Adds `messaging_product`, and writes `recipient_type` and `type` out.",
        "Messages, parameters", "Messages, \"message\" object";
    DefaultType: "message.default-type", Translated,
        "A message without `type` is a text.",
        "Messages, `type`: \"the default is text\"", "Messages, `type`";
    NullField: "message.null-field", Dropped,
        "Takes out members that are `null`, or `[]` in place of an object: on-prem clients write unset options that way.",
        "client libraries serialise unset options as null, PHP's as []", "no field is documented to take either";
    OtherContent: "message.other-content", Dropped,
        "Leaves out content of another type than the message's, or the header's.",
        "Messages, \"required when type=…\"", "Messages, one object named like `type`";
    Ttl: "message.ttl", Dropped,
        "Leaves `ttl` out: Cloud's time to live is fixed or set on the template.",
        "Messages, `ttl` (v2.23)", "no counterpart";
    RecipientPlus: "to.plus", Translated,
        "Puts `+` in front of a number, because Cloud prepends the business's country code to one without.",
        "Messages, `to`: WhatsApp id or phone number", "Send messages, \"Phone Number Formats\"";
    RecipientPunctuation: "to.punctuation", Translated,
        "Takes blanks, hyphens, dots and brackets out of a number.",
        "Messages, `to`", "Send messages, \"Phone Number Formats\"";
    RecipientUserId: "to.user-id", Translated,
        "Sends a business-scoped user id as `recipient`.",
        "no counterpart: learnt from callbacks", "Business-scoped user IDs";
    RecipientGroup: "to.group", Refused,
        "Refuses group recipients: on-prem groups have no counterpart.",
        "Messages, `recipient_type`: group", "no counterpart";
    PreviewUrl: "text.preview-url", Translated,
        "Moves the top-level `preview_url` into the `text` object.",
        "Messages, `preview_url` (On-Premises only)", "Messages, \"text\" object, `preview_url`";
    MediaProvider: "media.provider", Emulated,
        "Fetches a file behind a media provider with the provider's credentials.",
        "Messages, media object, `provider` (On-Premises only)", "no counterpart";
    MediaProviderPrefix: "media.provider-prefix", Translated,
        "Takes `provider-name/` off the front of a link.",
        "Messages, examples: `the-provider-name/protocol://the-url`", "Messages, media object, `link`";
    MediaResolved: "media.resolved", Translated,
        "Replaces a link by the id under which its file was uploaded.",
        "Messages, media object, `link`", "Media, upload";
    MediaUploadedId: "media.uploaded-id", Translated,
        "Replaces the id of a file that was uploaded here by Cloud's.",
        "Media, `POST /v1/media`", "Messages, media object, `id`; Media, upload";
    MediaCaption: "media.caption", Dropped,
        "Leaves a caption out where neither API shows one (audio, sticker).",
        "Messages, media object: \"do not use with audio or sticker media\"",
        "Messages, media object; Cloud refuses it as an unexpected key";
    MediaFilename: "media.filename", Dropped,
        "Leaves a file name out where neither API shows one (all but documents).",
        "Messages, media object: \"use only with document media\"", "Messages, media object";
    MediaEmptyField: "media.empty-field", Dropped,
        "Leaves an empty `id`, `link`, `caption` or `filename` out.",
        "client libraries send empty strings for what is not given", "Messages, media object";
    ContactWaIdSlip: "contacts.wa-id", Translated,
        "Calls `wa-id`, as in Meta's own on-prem sample, `wa_id`.",
        "Messages, example of a contacts object", "Messages, \"contacts\" object, `phones`";
    ContactEmptyList: "contacts.empty-list", Dropped,
        "Leaves empty lists out of a card.",
        "Messages, contacts object", "Messages, \"contacts\" object";
    ContactIms: "contacts.ims", Dropped,
        "Leaves the instant-messaging addresses of a card out.",
        "Messages, contacts object, `ims`", "Messages, \"contacts\" object; other fields are refused as unexpected keys";
    HsmTemplate: "hsm.template", Translated,
        "Sends an hsm as a template with one body component.",
        "Messages, hsm object (deprecated with v2.39)", "Messages, \"template\" object";
    HsmNamespace: "hsm.namespace", Dropped,
        "Leaves the namespace out, after comparing it with the configured one.",
        "Messages, hsm object, `namespace`", "only used for On-Premises API";
    HsmText: "hsm.text", Translated,
        "Turns a parameter's `default` into a text parameter.",
        "Localizable Parameters, `default`", "Messages, parameter object, `text`";
    HsmCurrency: "hsm.currency", Translated,
        "Renames `currency_code` to `code` and `default` to `fallback_value`.",
        "Localizable Parameters, `currency`", "Messages, currency object";
    HsmDateTime: "hsm.date-time", Translated,
        "Sends the default text of a date: Cloud never localizes dates.",
        "Localizable Parameters, `date_time`", "Messages, date_time object: \"we always use the fallback value\"";
    HsmFallbackLanguage: "hsm.fallback-language", Translated,
        "Takes the language from `fallback`, or from `fallback_lg` and `fallback_lc`.",
        "Messages, hsm object before v2.17", "Messages, template language";
    TemplateNamespace: "template.namespace", Dropped,
        "Leaves the namespace out, after comparing it with the configured one.",
        "Messages, template object, `namespace` (optional from v2.41)", "only used for On-Premises API";
    LanguagePolicy: "template.language-policy", Dropped,
        "Leaves the language policy out: Cloud always takes the language that is named.",
        "Language, policy options (`fallback` removed with v2.27.8)", "Messages, template language";
    ButtonIndex: "template.button-index", Translated,
        "Writes the position of a button as a string.",
        "Messages, example: `\"index\": 0`", "Messages, template examples: `\"index\": \"0\"`";
    TemplateAmount: "template.amount", Translated,
        "Writes an amount of money as a whole number.",
        "Messages, currency object, `amount_1000`", "Messages, currency object, `amount_1000`";
    TemplateDateTime: "template.date-time", Dropped,
        "Keeps only the fallback text of a date: Cloud never localizes dates.",
        "Localizable Parameters, `date_time`", "Messages, date_time object: \"we always use the fallback value\"";
    ActionString: "interactive.action-string", Translated,
        "Unpacks an action, or its parameters, that was sent as a string with JSON in it.",
        "seen in real clients", "Messages, \"interactive\" object, `action`";
    HeaderCase: "interactive.header-case", Translated,
        "Calls `Header`, as in Meta's own sample, `header`.",
        "Messages, multi-product example", "Messages, \"interactive\" object, `header`";
    ReadReceipt: "receipt.read", Translated,
        "Sends `PUT /v1/messages/{id}` as a read receipt.",
        "Messages, mark as read", "Messages, `status: read`";
    ReplyEnvelope: "reply.envelope", Translated,
        "Takes `messaging_product` out of the answer and puts `meta` in.",
        "Messages, response", "Messages, successful response";
    ReplyInput: "reply.input", Translated,
        "Gives the client its own spelling of the recipient back.",
        "Messages, response, `contacts[].input`", "Messages, response, `contacts[].input`";
    ReplyWaId: "reply.wa-id", Translated,
        "Gives the WhatsApp id as digits: by default Cloud's, as on-prem did.",
        "Messages, response, `contacts[].wa_id`", "Send messages, response parameters: \"may not match input value\"";
    ReplyMessageStatus: "reply.message-status", Translated,
        "Shows a message status only when the message is held, in on-prem's words.",
        "Messages, response: \"this property will only exist if the message is held\"",
        "Messages, response, `message_status`";
    WebhookEnvelope: "webhook.envelope", Translated,
        "Takes a webhook apart: a callback for each message, status and error, without the envelope.",
        "Webhooks: flat, with arrays at the top", "Webhooks, \"value\" object";
    WebhookOtherField: "webhook.other-field", Dropped,
        "Leaves out webhooks of other fields than `messages`.",
        "no counterpart", "Webhooks, \"changes\" object, `field`";
    WebhookUnreadable: "webhook.unreadable", Dropped,
        "Leaves out an element that cannot be read, and keeps the others of its webhook.",
        "no counterpart", "no such elements are documented";
    WebhookTimestamp: "webhook.timestamp", Translated,
        "Writes a time as a string of digits, and takes the time of arrival where there is none.",
        "Webhooks, `timestamp`: a string", "Webhooks, `timestamp`";
    WebhookUserId: "webhook.user-id", Translated,
        "Finds the number of a user who is known by a business-scoped id, or gives that id in its place.",
        "Webhooks, `from`, `recipient_id`, `wa_id`", "Business-scoped user IDs";
    KnownId: "webhook.known-id", Translated,
        "Gives each user the one id under which the client knows them.",
        "Webhooks, `from`, `recipient_id`, `wa_id`", "Webhooks, `recipient_id`: may differ from `to`";
    CloudOnly: "webhook.cloud-only", Dropped,
        "Leaves out members of messages that only Cloud has.",
        "Webhooks, \"messages\" object", "Webhooks, \"messages\" object; business-scoped user IDs";
    WebhookContact: "webhook.contact", Dropped,
        "Keeps name and WhatsApp id of a contact, and leaves out the rest.",
        "Webhooks, \"contacts\" object", "Webhooks, \"contacts\" object; business-scoped user IDs";
    ContactName: "webhook.contact-name", Emulated,
        "Gives a sender without a name, or without a contact, a contact with the id as its name.",
        "Webhooks, \"contacts\" object, `profile.name`", "Webhooks, \"contacts\" object: not with every message";
    Voice: "webhook.voice", Translated,
        "Gives a voice note the type `voice`.",
        "Webhooks, type `voice`", "Webhooks, audio messages, `voice`";
    MediaUrl: "webhook.media-url", Dropped,
        "Leaves the link of a file out: it opens with Cloud's token only, and the id is enough.",
        "Webhooks, media objects", "Webhooks, media objects, `url`";
    MediaSha256: "webhook.media-sha256", Translated,
        "Writes the digest of a file in hex.",
        "Webhooks, samples of `sha256`", "Webhooks, media objects, `sha256`";
    MediaMissing: "webhook.media-missing", Translated,
        "Calls a file without an id `undownloaded`.",
        "Webhooks, media that were not downloaded", "Webhooks, media errors";
    WebhookContext: "webhook.context", Translated,
        "Leaves what is empty out of a context.",
        "Webhooks, \"context\" object", "Webhooks, \"context\" object";
    Referral: "webhook.referral", Dropped,
        "Leaves the welcome message out of a referral, and passes the click id on.",
        "Webhooks, \"referral\" object", "Webhooks, \"referral\" object";
    SystemNumber: "webhook.system-number", Translated,
        "Calls the new number of a user `new_wa_id`.",
        "Webhooks, `user_changed_number`", "Webhooks, system messages";
    SystemIdentity: "webhook.system-identity", Translated,
        "Calls a changed identity `user_identity_changed`.",
        "Webhooks, `user_identity_changed`", "Webhooks, system messages, `customer_identity_changed`";
    SystemUserId: "webhook.system-user-id", Dropped,
        "Leaves out that a business-scoped id changed, and remembers it.",
        "no counterpart", "Webhooks, system messages, `user_changed_user_id`";
    InteractiveCase: "webhook.interactive-case", Translated,
        "Takes `Interactive`, as in Meta's own sample, for `interactive`.",
        "Webhooks, \"interactive\" object", "Send messages, address messages, sample of a webhook";
    Unknown: "webhook.unknown", Translated,
        "Gives a message that on-prem clients cannot be given the type `unknown`, with 501.",
        "Webhooks, type `unknown`", "Webhooks, unsupported messages";
    Revoke: "webhook.revoke", Translated,
        "Tells that a user deleted a message by the status `deleted`.",
        "Webhooks, `status`: deleted", "Webhooks, revoke messages";
    Edit: "webhook.edit", Dropped,
        "Leaves out that a user edited a message: on-prem messages cannot be edited.",
        "no counterpart", "Webhooks, edit messages";
    RequestWelcome: "webhook.request-welcome", Dropped,
        "Leaves out that a user opened the chat: nothing was written.",
        "no counterpart", "Conversational components, welcome messages";
    WebhookError: "webhook.error", Translated,
        "Turns the errors of statuses, messages and numbers into on-prem errors.",
        "Client Error Codes; webhooks, `errors`", "Error Codes; webhooks, `errors`";
    StatusEnvelope: "status.envelope", Translated,
        "Adds `type` and `message.recipient_id` to a status.",
        "Webhooks, sample of a failed status", "Webhooks, \"statuses\" object";
    StatusContacts: "status.contacts", Dropped,
        "Leaves contacts out of callbacks about statuses.",
        "Webhooks, \"statuses\" object", "Webhooks, status messages (since 2026)";
    StatusExtras: "status.extras", Dropped,
        "Leaves out members of statuses that only Cloud has.",
        "Webhooks, \"statuses\" object", "Webhooks, \"statuses\" object";
    PricingType: "status.pricing-type", Dropped,
        "Leaves the type of a price out.",
        "Webhooks, \"pricing\" object", "Webhooks, \"pricing\" object, `type`";
    Played: "status.played", Dropped,
        "Leaves out that a voice note was played.",
        "no counterpart", "Webhooks, status messages: played";
    OtherStatus: "status.other", Dropped,
        "Leaves out statuses that on-prem clients do not know.",
        "Webhooks, `status`", "Webhooks, status messages; payments";
    OnpremId: "id.onprem", Translated,
        "Converts message ids between Cloud's and the on-prem form, which clients see if they want it.",
        "Messages, response, `messages[].id` (layout worked out from samples)",
        "Messages, response, `messages[].id`: `wamid.…`";
    ErrorCode: "error.code", Translated,
        "Turns a Cloud error into the on-prem error with the same meaning.",
        "Client Error Codes", "Error Codes";
}

/// A set of rules, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleSet(u128);

const _: () = assert!(RULES.len() <= 128, "a rule set has 128 bits");

impl RuleSet {
    /// Adds `rule`.
    pub fn insert(&mut self, rule: Rule) {
        self.0 |= 1_u128 << rule as u8;
    }

    /// The rules in it, in order.
    pub fn iter(self) -> impl Iterator<Item = &'static RuleInfo> {
        // The table is in the order of the bits; most messages have a few of a hundred.
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let next = RULES.get(rest.trailing_zeros() as usize);
            rest &= rest.wrapping_sub(1);
            next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_the_table_is_in_order() {
        for (at, info) in RULES.iter().enumerate() {
            assert_eq!(info.rule as usize, at);
            assert_eq!(info.rule.id(), info.id);
            assert!(RULES.iter().filter(|other| other.id == info.id).count() == 1, "{}", info.id);
            assert!(info.summary.ends_with('.'), "{}", info.id);
        }
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let mut set = RuleSet::default();
        set.insert(Rule::ErrorCode);
        set.insert(Rule::Envelope);
        assert_eq!(set.iter().map(|info| info.id).collect::<Vec<_>>(), ["message.envelope", "error.code"]);
    }
}
