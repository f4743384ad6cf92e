//! `?limit=…&offset=…&sort=…&filters=…`: which templates a client wants, and in which order.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use url::form_urlencoded;

use super::Template;
use crate::onprem::Invalid;
use crate::onprem::read::{object, string, wrong};
use crate::wire::{Path, Raw, printable, too_deep};

/// The most templates in one answer, and as many when a client does not say.
const MOST: usize = 1000;

/// What a template can be sorted and chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Id,
    Name,
    Status,
    Category,
    Language,
}

impl Key {
    const ALL: [Self; 5] = [Self::Id, Self::Name, Self::Status, Self::Category, Self::Language];

    const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Name => "name",
            Self::Status => "status",
            Self::Category => "category",
            Self::Language => "language",
        }
    }

    /// 360dialog's own documents write `business_templates.name`.
    fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix("business_templates.").unwrap_or(text);
        Self::ALL.into_iter().find(|key| key.name() == bare)
    }

    fn of<'t>(self, template: &'t Template<'_>) -> Option<&'t str> {
        match self {
            Self::Id => template.id.as_deref(),
            Self::Name => template.name.as_deref(),
            Self::Status => template.status.as_deref(),
            Self::Category => template.category.as_deref(),
            Self::Language => template.language.as_deref(),
        }
    }
}

/// One criterion of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    key: Key,
    is_descending: bool,
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_descending { "-" } else { "" }, self.key.name())
    }
}

/// What is compared, under the client's own spelling of its key.
pub(super) type Filters = BTreeMap<String, String>;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// How many at most.
    pub limit: usize,
    /// How many are left out before them.
    pub offset: usize,
    sort: Vec<Sort>,
    filters: Filters,
}

impl Query {
    /// Reads a query. Keys that nobody knows are nothing, as everywhere; an empty value is none.
    pub fn parse(query: &str) -> Result<Self, Invalid> {
        let by_name = Sort { key: Key::Name, is_descending: false };
        let mut read = Self { limit: MOST, offset: 0, sort: vec![by_name], filters: Filters::new() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match &*key {
                "limit" => read.limit = number(&value, Path::Root.key("limit"))?.min(MOST),
                "offset" => read.offset = number(&value, Path::Root.key("offset"))?,
                "sort" => read.sort = value.split(',').map(sort).collect::<Result<_, _>>()?,
                "filters" => read.filters = filters(&value)?,
                _ => {}
            }
        }
        Ok(read)
    }

    /// The only name that is wanted, if there is one.
    pub fn name(&self) -> Option<&str> {
        let mut filters = self.filters.iter();
        filters.find_map(|(key, wanted)| (Key::parse(key) == Some(Key::Name)).then_some(wanted.as_str()))
    }

    pub(super) fn sorts(&self) -> &[Sort] {
        &self.sort
    }

    pub(super) fn filters(&self) -> &Filters {
        &self.filters
    }

    /// Whether `template` passes every filter. Status and category are words, which clients write in any case.
    pub(super) fn wants(&self, template: &Template<'_>) -> bool {
        self.filters.iter().all(|(key, wanted)| {
            let found = Key::parse(key).and_then(|key| Some((key, key.of(template)?)));
            match found {
                Some((Key::Status | Key::Category, found)) => found.eq_ignore_ascii_case(wanted),
                Some((Key::Id | Key::Name | Key::Language, found)) => found == wanted,
                None => false,
            }
        })
    }

    pub(super) fn sort(&self, templates: &mut [Template<'_>]) {
        templates.sort_by(|one, other| {
            let by = |sort: &Sort| {
                let order = sort.key.of(one).cmp(&sort.key.of(other));
                if sort.is_descending { order.reverse() } else { order }
            };
            self.sort.iter().map(by).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        });
    }
}

fn number(text: &str, path: Path<'_>) -> Result<usize, Invalid> {
    // More digits than any account has templates, and `parse` alone would take a plus sign.
    let is_digits = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_digits);
    number.ok_or_else(|| wrong(path, "must be a whole number from 0"))
}

fn sort(text: &str) -> Result<Sort, Invalid> {
    let text = text.trim();
    let (key, is_descending) = match text.strip_prefix('-') {
        Some(key) => (key, true),
        None => (text, false),
    };
    match Key::parse(key) {
        Some(key) => Ok(Sort { key, is_descending }),
        None => Err(unknown(Path::Root.key("sort"), key)),
    }
}

fn filters(text: &str) -> Result<Filters, Invalid> {
    let root = Path::Root;
    let path = root.key("filters");
    let not_json = || wrong(path, "must be a JSON object such as {\"business_templates.name\":\"hello\"}");
    if too_deep(text) {
        return Err(not_json());
    }
    let raw: Raw<'_> = serde_json::from_str(text).map_err(|_| not_json())?;
    let members = object(raw, path)?.into_members();
    let filter = |(key, raw): (crate::wire::Str<'_>, Raw<'_>)| match Key::parse(&key) {
        Some(_) => Ok((key.to_string(), string(raw, path.key(&key))?.to_string())),
        None => Err(unknown(path, &key)),
    };
    members.into_iter().map(filter).collect()
}

fn unknown(path: Path<'_>, key: &str) -> Invalid {
    wrong(path, format_args!("cannot be by {:?}; use id, name, status, category or language", printable(key)))
}
