//! Bodies of `/v1/settings/application`: the settings of one number.

mod field;
mod patch;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use self::field::{FIELDS, Field, Group, Setting};
use self::patch::Change;
use super::callback::StatusWord;
use super::error::Meta;
use super::{ErrorCode, Invalid};

pub use self::field::AutoDownload;
pub use self::patch::Patch;

/// The most bytes that the settings of one number take, as they are shown.
pub const LARGEST: usize = 16 * 1024;

/// The most keys that no document names. What was accepted can be shown, and what is shown can be sent back,
/// in an object of at most 256 keys.
const MOST_UNKNOWN: usize = 200;

/// The settings of one number: what clients have set, and defaults for the rest.
#[derive(Clone, Default, PartialEq)]
pub struct Application {
    set: BTreeMap<Group, BTreeMap<String, Setting>>,
}

/// Hidden, because a URL may carry a token and nobody knows what unknown keys carry.
impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set: usize = self.set.values().map(BTreeMap::len).sum();
        f.debug_struct("Application").field("set", &set).finish_non_exhaustive()
    }
}

impl Application {
    /// What [`Application::to_stored`] wrote; nothing when it is something else.
    pub fn from_json(stored: &[u8]) -> Option<Self> {
        let patch = Patch::of_stored(std::str::from_utf8(stored).ok()?).ok()?;
        let mut application = Self::default();
        application.apply(&patch);
        Some(application)
    }

    /// The form for the store: what was set, and no defaults.
    pub fn to_stored(&self) -> Vec<u8> {
        to_json(&self.members(Group::Top, &|group| self.of_group(group)))
    }

    /// These settings with the changes of `patch`.
    pub fn patched(&self, patch: &Patch) -> Result<Self, Invalid> {
        let mut next = self.clone();
        next.apply(patch);
        let keys = next.set.iter().flat_map(|(group, set)| set.keys().map(|key| (*group, key)));
        if keys.filter(|(group, key)| Field::find(*group, key).is_none()).count() > MOST_UNKNOWN {
            return Err(Invalid::new(
                ErrorCode::ParameterInvalid,
                format!("the settings would have more than {MOST_UNKNOWN} keys that are not documented"),
            ));
        }
        // Measured with all defaults: else a client could not send back what it read.
        if to_json(&next.shown(next.webhooks_url(), None)).len() > LARGEST {
            return Err(Invalid::new(
                ErrorCode::ParameterInvalid,
                format!("the settings would take more than {LARGEST} bytes together"),
            ));
        }
        Ok(next)
    }

    /// The answer of `GET`. `shown_url` stands for where callbacks go; a number that is not known by its
    /// WhatsApp id has none.
    pub fn to_reply(&self, shown_url: Option<&str>, wa_id: Option<&str>, meta: Meta<'_>) -> Vec<u8> {
        let settings = Settings { application: self.shown(shown_url, wa_id) };
        to_json(&Reply { settings, meta })
    }

    /// Where callbacks go, as the client wrote it.
    pub fn webhooks_url(&self) -> Option<&str> {
        match self.get(Group::Webhooks, "url") {
            Some(Setting::Text(url)) => Some(url),
            _ => None,
        }
    }

    /// How many callbacks may be under way.
    pub fn max_concurrent_requests(&self) -> usize {
        usize::try_from(self.number(Group::Webhooks, "max_concurrent_requests")).unwrap_or(usize::MAX)
    }

    /// By how much longer each time a callback waits that was not taken.
    pub fn backoff_step(&self) -> Duration {
        Duration::from_millis(self.number(Group::Top, "callback_backoff_delay_ms"))
    }

    /// The longest such wait, also when it is shorter than the first one.
    pub fn backoff_most(&self) -> Duration {
        Duration::from_millis(self.number(Group::Top, "max_callback_backoff_delay_ms"))
    }

    /// Whether clients want to be called with this status.
    pub fn sends(&self, word: StatusWord) -> bool {
        match word {
            StatusWord::Sent => self.sends_sent(),
            StatusWord::Delivered => self.flag(Group::Message, "delivered"),
            StatusWord::Read => self.flag(Group::Message, "read"),
            StatusWord::Failed | StatusWord::Deleted | StatusWord::Warning => true,
        }
    }

    /// What is downloaded without being asked for, each kind once.
    pub fn auto_download(&self) -> &[AutoDownload] {
        match self.get(Group::Media, "auto_download") {
            Some(Setting::Downloads(kinds)) => kinds,
            _ => &[],
        }
    }

    /// Whether clients want to know that a user has another number.
    pub fn notify_user_change_number(&self) -> bool {
        self.flag(Group::Top, "notify_user_change_number")
    }

    /// Whether clients want to know that a user has another identity.
    pub fn show_security_notifications(&self) -> bool {
        self.flag(Group::Top, "show_security_notifications")
    }

    /// The newer of two switches counts once it was set ("preferred over sent_status").
    fn sends_sent(&self) -> bool {
        match self.get(Group::Message, "sent") {
            Some(Setting::Flag(sent)) => *sent,
            _ => self.flag(Group::Top, "sent_status"),
        }
    }

    fn apply(&mut self, patch: &Patch) {
        for change in &patch.changes {
            match change {
                Change::Reset(group) => {
                    self.set.remove(group);
                }
                Change::Set { group, key, value: Some(value) } => {
                    self.set.entry(*group).or_default().insert(key.clone(), value.clone());
                }
                Change::Set { group, key, value: None } => {
                    self.set.get_mut(group).and_then(|set| set.remove(key));
                }
            }
        }
        // An empty group is none, so that equal settings are equal however they came about.
        self.set.retain(|_, set| !set.is_empty());
    }

    fn get(&self, group: Group, key: &str) -> Option<&Setting> {
        self.set.get(&group)?.get(key)
    }

    /// What was set, or the default.
    fn effective(&self, group: Group, key: &str) -> Option<Setting> {
        self.get(group, key).cloned().or_else(|| Field::find(group, key)?.form.default())
    }

    fn flag(&self, group: Group, key: &str) -> bool {
        matches!(self.effective(group, key), Some(Setting::Flag(true)))
    }

    fn number(&self, group: Group, key: &str) -> u64 {
        match self.effective(group, key) {
            Some(Setting::Number(number)) => number,
            _ => 0,
        }
    }

    fn of_group(&self, group: Group) -> BTreeMap<String, Setting> {
        self.set.get(&group).cloned().unwrap_or_default()
    }

    /// Every field with its value, and the unknown ones that were set.
    fn shown(&self, url: Option<&str>, wa_id: Option<&str>) -> Members {
        self.members(Group::Top, &|group| {
            let defaults = FIELDS.iter().filter(|field| field.group == group);
            let mut all: BTreeMap<_, _> =
                defaults.filter_map(|field| Some((field.key.to_owned(), field.form.default()?))).collect();
            all.extend(self.of_group(group));
            let text = |text: &str| Setting::Text(text.to_owned());
            match group {
                Group::Top => all.extend(wa_id.map(|id| ("wa_id".to_owned(), text(id)))),
                // Clients read it without looking whether it is there.
                Group::Webhooks => all.extend([("url".to_owned(), text(url.unwrap_or_default()))]),
                Group::Message => all.extend([("sent".to_owned(), Setting::Flag(self.sends_sent()))]),
                Group::GarbageCollector | Group::Media => {}
            }
            all
        })
    }

    /// A group with those in it, each filled by `fill`; empty ones are left out.
    fn members(&self, group: Group, fill: &dyn Fn(Group) -> BTreeMap<String, Setting>) -> Members {
        let mut members: Members =
            fill(group).into_iter().map(|(key, setting)| (key, Member::Setting(setting))).collect();
        for (key, inner) in group.inners() {
            let inner = self.members(*inner, fill);
            if !inner.is_empty() {
                members.insert((*key).to_owned(), Member::Group(inner));
            }
        }
        members
    }
}

type Members = BTreeMap<String, Member>;

#[derive(Serialize)]
#[serde(untagged)]
enum Member {
    Setting(Setting),
    Group(Members),
}

#[derive(Serialize)]
struct Reply<'a> {
    settings: Settings,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Settings {
    application: Members,
}

/// Our own maps always serialize.
fn to_json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
