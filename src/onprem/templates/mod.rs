//! Bodies and queries of 360dialog's `/v1/configs/templates`.

mod query;

use serde::ser::{Serialize, SerializeMap, Serializer};

pub use self::query::{Query, Sort};
use super::Invalid;
use super::message::Body;
use super::read::{array, missing, required_string};
use crate::wire::{Member, Object, Path, Str};

/// One template, as clients read it.
#[derive(Clone, Debug, Default)]
pub struct Template<'a> {
    /// Its id.
    pub id: Option<Str<'a>>,
    /// Its name, one for all languages.
    pub name: Option<Str<'a>>,
    /// In lower case.
    pub status: Option<String>,
    /// `MARKETING`, …
    pub category: Option<Str<'a>>,
    /// `en_US`, …
    pub language: Option<Str<'a>>,
    /// What templates of this account must name when they are sent, if the client names any.
    pub namespace: &'a str,
    /// Everything else, untouched.
    pub rest: Vec<Member<'a>>,
}

impl Serialize for Template<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let status = self.status.as_deref();
        for (key, value) in [
            ("id", self.id.as_deref()),
            ("name", self.name.as_deref()),
            ("status", status),
            ("category", self.category.as_deref()),
            ("language", self.language.as_deref()),
            ("namespace", Some(self.namespace)),
        ] {
            if let Some(value) = value {
                map.serialize_entry(key, value)?;
            }
        }
        for (key, value) in &self.rest {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The body of `POST`, which is Cloud's too.
#[derive(Debug)]
pub struct NewTemplate<'a> {
    /// `name`
    pub name: Str<'a>,
    /// `category`
    pub category: Str<'a>,
    /// `language`
    pub language: Str<'a>,
    /// All members, those above among them.
    pub members: Object<'a>,
}

impl<'a> NewTemplate<'a> {
    /// Reads a body. Whether its values make a template is Cloud's to judge.
    pub fn parse(body: &'a Body<'_>) -> Result<Self, Invalid> {
        let members = body.object()?;
        let mut object = members.clone();
        let name = required_string(&mut object, "name", Path::Root)?;
        let category = required_string(&mut object, "category", Path::Root)?;
        let language = required_string(&mut object, "language", Path::Root)?;
        let here = Path::Root.key("components");
        let components = object.take("components").ok_or_else(|| missing(here))?;
        if array(components, here)?.is_empty() {
            return Err(missing(here));
        }
        Ok(Self { name, category, language, members })
    }
}

/// The answer of a list.
#[derive(Debug, serde::Serialize)]
pub struct TemplatesReply<'a> {
    waba_templates: Vec<Template<'a>>,
    count: usize,
    total: usize,
    limit: usize,
    offset: usize,
    sort: Vec<String>,
    filters: &'a query::Filters,
}

impl<'a> TemplatesReply<'a> {
    /// What `query` asks for of `all`.
    pub fn new(query: &'a Query, mut all: Vec<Template<'a>>) -> Self {
        all.retain(|template| query.wants(template));
        query.sort(&mut all);
        let total = all.len();
        let shown: Vec<_> = all.into_iter().skip(query.offset).take(query.limit).collect();
        Self {
            count: shown.len(),
            waba_templates: shown,
            total,
            limit: query.limit,
            offset: query.offset,
            sort: query.sorts().iter().map(ToString::to_string).collect(),
            filters: query.filters(),
        }
    }
}

#[cfg(test)]
mod tests;
