//! The documented fields in one table, and how a value of each is read.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::onprem::Invalid;
use crate::onprem::read::{array, boolean, string, whole, wrong};
use crate::wire::{self, Kind, Path, Raw};

/// An object of the settings. The first is the settings themselves, the others stand in it or in each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    /// `application`
    Top,
    /// `garbagecollector_enable`
    GarbageCollector,
    /// `media`
    Media,
    /// `webhooks`
    Webhooks,
    /// `webhooks.message`
    Message,
}

impl Group {
    /// The group that stands in this one under `key`.
    pub(super) fn inner(self, key: &str) -> Option<Self> {
        match (self, key) {
            (Self::Top, "garbagecollector_enable") => Some(Self::GarbageCollector),
            (Self::Top, "media") => Some(Self::Media),
            (Self::Top, "webhooks") => Some(Self::Webhooks),
            (Self::Webhooks, "message") => Some(Self::Message),
            _ => None,
        }
    }

    /// The groups that stand in this one, with their keys.
    pub(super) fn inners(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Top => &[
                ("garbagecollector_enable", Self::GarbageCollector),
                ("media", Self::Media),
                ("webhooks", Self::Webhooks),
            ],
            Self::Webhooks => &[("message", Self::Message)],
            Self::GarbageCollector | Self::Media | Self::Message => &[],
        }
    }
}

/// What a client sees of a field, or has set it to.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Setting {
    Flag(bool),
    Number(u64),
    Text(String),
    Downloads(Vec<AutoDownload>),
    /// Of a key that no table here knows: as it came.
    Other(Box<RawValue>),
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Flag(one), Self::Flag(other)) => one == other,
            (Self::Number(one), Self::Number(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Downloads(one), Self::Downloads(other)) => one == other,
            (Self::Other(one), Self::Other(other)) => one.get() == other.get(),
            (Self::Flag(_) | Self::Number(_) | Self::Text(_) | Self::Downloads(_) | Self::Other(_), _) => {
                false
            }
        }
    }
}

/// What an arriving message may hold that is downloaded without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AutoDownload {
    /// `audio`
    Audio,
    /// `document`
    Document,
    /// `voice`
    Voice,
    /// `video`
    Video,
    /// `image`
    Image,
    /// `sticker`
    Sticker,
}

impl AutoDownload {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Audio, Self::Document, Self::Voice, Self::Video, Self::Image, Self::Sticker];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Document => "document",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Image => "image",
            Self::Sticker => "sticker",
        }
    }
}

/// A documented field.
pub(super) struct Field {
    pub(super) group: Group,
    pub(super) key: &'static str,
    pub(super) form: Form,
}

/// What a field takes, and its default.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Flag(bool),
    /// 0 and larger.
    Seconds(u64),
    /// 1 and larger.
    Millis(u64),
    /// A number of callbacks under way.
    Concurrency,
    /// Empty for none.
    Text(Option<&'static str>),
    Downloads,
}

/// A day, in milliseconds: no back-off and no interval makes sense beyond it.
const LARGEST: u64 = 86_400_000;

/// "6, 12, 18 or 24", the first of which is the default.
const CONCURRENCIES: [u64; 4] = [6, 12, 18, 24];

/// Every field but `wa_id`, which cannot be set. Names, and defaults where they are documented: "Application
/// Settings" of the On-Premises settings pages.
pub(super) const FIELDS: &[Field] = &[
    field(Group::Top, "axolotl_context_striping_disabled", Form::Flag(false)),
    field(Group::Top, "callback_backoff_delay_ms", Form::Millis(3000)),
    field(Group::Top, "callback_persist", Form::Flag(true)),
    field(Group::Top, "db_garbagecollector_enable", Form::Flag(true)),
    field(Group::GarbageCollector, "media", Form::Flag(true)),
    field(Group::GarbageCollector, "messages", Form::Flag(true)),
    field(Group::Top, "heartbeat_interval", Form::Seconds(5)),
    field(Group::Top, "log_level", Form::Text(Some("info"))),
    field(Group::Top, "max_callback_backoff_delay_ms", Form::Millis(900_000)),
    field(Group::Media, "auto_download", Form::Downloads),
    field(Group::Top, "notify_user_change_number", Form::Flag(true)),
    field(Group::Top, "on_call_pager", Form::Text(None)),
    field(Group::Top, "pass_through", Form::Flag(false)),
    field(Group::Top, "sent_status", Form::Flag(false)),
    field(Group::Top, "show_security_notifications", Form::Flag(true)),
    field(Group::Top, "skip_referral_media_download", Form::Flag(false)),
    field(Group::Top, "unhealthy_interval", Form::Seconds(30)),
    field(Group::Top, "verbose_logging", Form::Flag(false)),
    field(Group::Top, "webhook_payload_conversation_pricingmodel_disabled", Form::Flag(false)),
    field(Group::Webhooks, "max_concurrent_requests", Form::Concurrency),
    field(Group::Message, "delivered", Form::Flag(true)),
    field(Group::Message, "read", Form::Flag(true)),
    field(Group::Message, "sent", Form::Flag(false)),
    field(Group::Webhooks, "url", Form::Text(None)),
];

const fn field(group: Group, key: &'static str, form: Form) -> Field {
    Field { group, key, form }
}

impl Field {
    /// The field that stands in `group` under `key`.
    pub(super) fn find(group: Group, key: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.group == group && field.key == key)
    }
}

impl Form {
    /// The default; nothing for a text that has none.
    pub(super) fn default(self) -> Option<Setting> {
        match self {
            Self::Flag(flag) => Some(Setting::Flag(flag)),
            Self::Seconds(number) | Self::Millis(number) => Some(Setting::Number(number)),
            Self::Concurrency => CONCURRENCIES.first().copied().map(Setting::Number),
            Self::Text(text) => text.map(|text| Setting::Text(text.to_owned())),
            Self::Downloads => Some(Setting::Downloads(Vec::new())),
        }
    }

    /// What a client sent; nothing for an empty text, which unsets.
    pub(super) fn read(self, raw: Raw<'_>, path: Path<'_>) -> Result<Option<Setting>, Invalid> {
        match self {
            Self::Flag(_) => boolean(raw, path).map(Setting::Flag),
            Self::Seconds(_) => number(raw, 0, path).map(Setting::Number),
            Self::Millis(_) => number(raw, 1, path).map(Setting::Number),
            Self::Concurrency => concurrency(raw, path).map(Setting::Number),
            Self::Text(_) => {
                let text = string(raw, path)?;
                return Ok((!text.is_empty()).then(|| Setting::Text(text.0.into_owned())));
            }
            Self::Downloads => downloads(raw, path).map(Setting::Downloads),
        }
        .map(Some)
    }
}

/// `3000`, or `"3000"`: the documents show both; `3000.0` is the same number.
fn number(raw: Raw<'_>, least: u64, path: Path<'_>) -> Result<u64, Invalid> {
    let text = match wire::kind(raw) {
        Kind::Number => raw.get(),
        Kind::String => raw.get().trim_matches('"'),
        Kind::Null | Kind::Bool | Kind::Array | Kind::Object => "",
    };
    // Longer ones are too large, and `parse` alone would take a plus sign.
    let is_digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let digits = text.parse().ok().filter(|_| is_digits);
    let number = digits.or_else(|| u64::try_from(whole(raw)?).ok());
    let number = number.filter(|number| (least..=LARGEST).contains(number));
    number.ok_or_else(|| wrong(path, format_args!("must be a whole number from {least} to {LARGEST}")))
}

fn concurrency(raw: Raw<'_>, path: Path<'_>) -> Result<u64, Invalid> {
    let number = number(raw, 0, path).ok().filter(|number| CONCURRENCIES.contains(number));
    number.ok_or_else(|| wrong(path, "must be 6, 12, 18 or 24"))
}

/// Each kind once, in the client's order.
fn downloads(raw: Raw<'_>, path: Path<'_>) -> Result<Vec<AutoDownload>, Invalid> {
    let mut found = Vec::new();
    for (at, element) in array(raw, path)?.into_iter().enumerate() {
        let name = wire::string(element);
        let kind = AutoDownload::ALL.into_iter().find(|kind| name.as_deref() == Some(kind.name()));
        let kind = kind.ok_or_else(|| {
            wrong(path.index(at), "must be audio, document, voice, video, image or sticker")
        })?;
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
    Ok(found)
}
