//! A user's id wherever it stands: the client knows each user by one.

use std::fmt::Display;

use super::{Lookup, Work};
use crate::onprem::callback::Field;
use crate::translate::rules::Rule;
use crate::wire::{self, Kind, Object, Raw, write_string};

/// Members whose strings are ids of users, at whatever depth.
const IDS: [&str; 8] =
    ["from", "wa_id", "new_wa_id", "customer", "recipient_id", "participant", "participants", "mentions"];

impl<'v, L: Lookup> Work<'v, '_, L> {
    /// The id under which the client knows the user whom Cloud calls `id`; `path` is where it stands.
    ///
    /// Rule   webhook.known-id          Status translated
    /// Onprem webhooks, `from`, `recipient_id`, `wa_id`: one id for each user
    /// Cloud  webhooks, `from`, `recipient_id`: may differ from `to` (Brazil, Mexico)
    /// Golden webhooks/known_as/*
    pub(super) fn shown(&mut self, id: &str, path: impl Display) -> String {
        match self.lookup.shown(id).filter(|shown| shown != id) {
            Some(shown) => {
                self.note(Rule::KnownId, path, format_args!("{id} -> {shown}"));
                shown
            }
            None => id.to_owned(),
        }
    }

    /// The member `key`, with the ids in it as the client knows them.
    pub(super) fn field(&mut self, key: &str, raw: Raw<'v>, path: impl Display) -> Field<'v> {
        let mut out = Vec::new();
        let lookup = self.lookup;
        if !respell(raw, IDS.contains(&key), lookup, &mut out) {
            return Field::Raw(raw);
        }
        self.note(Rule::KnownId, path, "ids of users as the client knows them");
        Field::Json(out)
    }
}

/// Appends `raw`, and says whether anything in it is another than before. Its depth is bounded: what nests too deep was
/// left out.
fn respell<L: Lookup>(raw: Raw<'_>, is_id: bool, lookup: &L, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let changed = match wire::kind(raw) {
        Kind::String if is_id => respell_id(raw, lookup, out),
        Kind::Object => respell_object(raw, lookup, out),
        Kind::Array => {
            let mut changed = false;
            out.push(b'[');
            for (at, element) in wire::array(raw).unwrap_or_default().into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                changed |= respell(element, is_id, lookup, out);
            }
            out.push(b']');
            changed
        }
        Kind::String | Kind::Number | Kind::Bool | Kind::Null => false,
    };
    if !changed {
        out.truncate(start);
        out.extend_from_slice(raw.get().as_bytes());
    }
    changed
}

fn respell_id<L: Lookup>(raw: Raw<'_>, lookup: &L, out: &mut Vec<u8>) -> bool {
    let id = wire::string(raw);
    let id = id.as_deref().map(|id| id.strip_prefix('+').unwrap_or(id));
    let Some(shown) = id.and_then(|id| lookup.shown(id).filter(|shown| shown != id)) else {
        return false;
    };
    write_string(out, &shown);
    true
}

fn respell_object<L: Lookup>(raw: Raw<'_>, lookup: &L, out: &mut Vec<u8>) -> bool {
    let Ok(object) = Object::parse(raw.get()) else {
        return false;
    };
    let mut changed = false;
    out.push(b'{');
    for (at, (key, value)) in object.members().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(out, key);
        out.push(b':');
        changed |= respell(value, IDS.contains(&&**key), lookup, out);
    }
    out.push(b'}');
    changed
}
