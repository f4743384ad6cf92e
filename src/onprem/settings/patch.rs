//! What a `PATCH` asks for.

use std::fmt;

use super::field::{Field, Group, Setting};
use crate::onprem::message::Body;
use crate::onprem::read::{missing, object, object_of, string};
use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{self, Kind, Object, Path};

/// Changes to the settings of a number, each checked by itself.
#[derive(Clone)]
pub struct Patch {
    pub(super) changes: Vec<Change>,
}

/// Hidden, because a URL may carry a token and nobody knows what unknown keys carry.
impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch").field("changes", &self.changes.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub(super) enum Change {
    /// Everything in a group back to its default.
    Reset(Group),
    /// One field to a value, or back to its default.
    Set { group: Group, key: String, value: Option<Setting> },
}

impl Patch {
    /// Reads the body of a `PATCH`: an object with the fields to change. `null` is a field's default, and a
    /// group's. Unknown keys are kept as they are, since nothing tells which of them a client looks for later.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let nothing = || {
            Invalid::new(ErrorCode::ParameterInvalid, "the body has no settings; send an object with some")
        };
        if Body::content(bytes).is_empty() {
            return Err(nothing());
        }
        let body = Body::verbatim(bytes)?;
        let whole = body.object()?;
        if whole.members().is_empty() {
            return Err(nothing());
        }
        Self::of(whole)
    }

    /// Reads the body of 360dialog's `POST /v1/configs/webhook`, and counts the members that mean nothing here: custom
    /// `headers` for callbacks, as far as there are any, and what nobody knows.
    pub fn parse_webhook(bytes: &[u8]) -> Result<(Self, usize), Invalid> {
        let body = Body::read(bytes)?;
        let mut object = body.object()?;
        let here = Path::Root.key("url");
        let url = string(object.take("url").ok_or_else(|| missing(here))?, here)?;
        let headers =
            object.take("headers").map(|raw| self::object(raw, Path::Root.key("headers"))).transpose()?;
        let ignored = headers.map_or(0, |headers| headers.members().len()) + object.members().len();
        let value = (!url.is_empty()).then(|| Setting::Text(url.0.into_owned()));
        let change = Change::Set { group: Group::Webhooks, key: "url".to_owned(), value };
        Ok((Self { changes: vec![change] }, ignored))
    }

    /// What [`Application::to_stored`](super::Application::to_stored) wrote, where nothing is a possibility.
    pub(super) fn of_stored(text: &str) -> Result<Self, Invalid> {
        Self::of(object_of(text, Path::Root)?)
    }

    fn of(whole: Object<'_>) -> Result<Self, Invalid> {
        let mut patch = Self { changes: Vec::with_capacity(whole.members().len()) };
        patch.read(Group::Top, whole, Path::Root)?;
        Ok(patch)
    }

    /// Where callbacks are to go, if that is to change to somewhere.
    pub fn webhooks_url(&self) -> Option<&str> {
        self.changes.iter().find_map(|change| match change {
            Change::Set { group: Group::Webhooks, key, value: Some(Setting::Text(url)) } if key == "url" => {
                Some(url.as_str())
            }
            Change::Set { .. } | Change::Reset(_) => None,
        })
    }

    fn read(&mut self, group: Group, members: Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
        for (key, raw) in members.into_members() {
            let here = path.key(&key);
            let is_null = wire::kind(raw) == Kind::Null;
            if let Some(inner) = group.inner(&key) {
                if is_null {
                    self.reset(inner);
                } else {
                    self.read(inner, object(raw, here)?, here)?;
                }
                continue;
            }
            if group == Group::Top && &*key == "wa_id" {
                // Clients that send back what they read send it, too; it is nothing that can be set.
                continue;
            }
            let value = match Field::find(group, &key) {
                _ if is_null => None,
                Some(field) => field.form.read(raw, here)?,
                None => Some(Setting::Other(raw.to_owned())),
            };
            self.changes.push(Change::Set { group, key: key.0.into_owned(), value });
        }
        Ok(())
    }

    fn reset(&mut self, group: Group) {
        self.changes.push(Change::Reset(group));
        for (_, inner) in group.inners() {
            self.reset(*inner);
        }
    }
}
