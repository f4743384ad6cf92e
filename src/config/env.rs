//! The process environment as a value, and the `PREMBRIDGE__…` variables that override keys.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::raw::{File, Keys, Shape};
use super::report::Report;
use super::tree::{join, unknown_key};

/// Environment variables; passed in, so that tests need not change those of the process.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

/// What the name of an overriding variable begins with.
const PREFIX: &str = "PREMBRIDGE__";

impl Env {
    /// The variables of this process; those that are not UTF-8 are left out.
    pub fn process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(utf8).collect())
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The overrides, list elements in the order of their indices (2 before 10).
    fn overrides(&self) -> Vec<Override<'_>> {
        let mut overrides: Vec<_> = self
            .0
            .iter()
            .filter_map(|(variable, value)| {
                let path = variable.strip_prefix(PREFIX)?.to_lowercase();
                let segments = path.split("__").map(str::to_owned).collect();
                Some(Override { variable, value, segments })
            })
            .collect();
        overrides.sort_by_cached_key(|o| {
            o.segments.iter().map(|s| (s.parse::<usize>().ok(), s.clone())).collect::<Vec<_>>()
        });
        overrides
    }
}

impl<N: Into<String>, V: Into<String>, const COUNT: usize> From<[(N, V); COUNT]> for Env {
    fn from(variables: [(N, V); COUNT]) -> Self {
        variables.into_iter().collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Env {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Env {
    /// Only how many there are: the environment is where secrets live.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Env({} variables)", self.0.len())
    }
}

/// Sets every key that a `PREMBRIDGE__…` variable names.
pub(super) fn apply_overrides(env: &Env, file: &mut Table, report: &mut Report) {
    for over in env.overrides() {
        if let Err((path, message)) = over.set_in_table(File::KEYS, file, &over.segments, "") {
            report.ill_typed(&path, format!("environment variable {}: {message}", over.variable));
        }
    }
}

struct Override<'a> {
    variable: &'a str,
    value: &'a str,
    segments: Vec<String>,
}

/// The path at which an override failed, and why.
type Failed = (String, String);

impl Override<'_> {
    fn set_in_table(&self, keys: Keys, table: &mut Table, rest: &[String], path: &str) -> Result<(), Failed> {
        let Some((key, rest)) = rest.split_first() else {
            return Err((path.to_owned(), "this names a table; name a key in it".to_owned()));
        };
        let path = join(path, key);
        let Some((_, shape)) = keys.iter().find(|(known, _)| known == key) else {
            return Err((path, unknown_key(key, keys)));
        };
        let slot = table.entry(key.as_str()).or_insert_with(|| shape.blank());
        self.set(shape, slot, rest, &path)
    }

    fn set(&self, shape: &Shape, slot: &mut Value, rest: &[String], path: &str) -> Result<(), Failed> {
        if rest.is_empty() {
            *slot = self.leaf(shape).map_err(|message| (path.to_owned(), message))?;
            return Ok(());
        }
        // Which kind of secret it was does not matter when a variable says what it is now.
        let keep = matches!(
            (shape, &*slot),
            (Shape::Table(_) | Shape::TextOr(_), Value::Table(_)) | (Shape::List(_), Value::Array(_))
        );
        if !keep {
            *slot = shape.blank();
        }
        match (shape, slot) {
            (Shape::Table(keys) | Shape::TextOr(keys) | Shape::Secret(keys), Value::Table(table)) => {
                self.set_in_table(keys, table, rest, path)
            }
            (Shape::List(item), Value::Array(items)) => self.set_in_list(item, items, rest, path),
            _ => Err((path.to_owned(), "this is a single value and has no keys in it".to_owned())),
        }
    }

    fn set_in_list(
        &self,
        item: &Shape,
        items: &mut Vec<Value>,
        rest: &[String],
        path: &str,
    ) -> Result<(), Failed> {
        let index = rest.first().and_then(|index| index.parse::<usize>().ok());
        let (Some(index), Some(rest)) = (index, rest.get(1..)) else {
            return Err((
                path.to_owned(),
                "this is a list; name an element by its index, counted from 0".to_owned(),
            ));
        };
        if index == items.len() {
            items.push(item.blank());
        }
        let count = items.len();
        match items.get_mut(index) {
            Some(slot) => self.set(item, slot, rest, &format!("{path}[{index}]")),
            None => Err((path.to_owned(), format!("index {index} leaves a gap; the next one is {count}"))),
        }
    }

    fn leaf(&self, shape: &Shape) -> Result<Value, String> {
        let expected = || format!("expected {}", shape.expected());
        match shape {
            Shape::Bool => self.value.parse().map(Value::Boolean).map_err(|_| expected()),
            Shape::Integer => self.value.parse().map(Value::Integer).map_err(|_| expected()),
            Shape::Text | Shape::Size | Shape::Rate | Shape::TextOr(_) => {
                Ok(Value::String(self.value.to_owned()))
            }
            Shape::Secret(_) => {
                let reference = ("env".to_owned(), Value::String(self.variable.to_owned()));
                Ok(Value::Table(Table::from_iter([reference])))
            }
            Shape::List(Shape::Text) => Ok(Value::Array(
                comma_separated(self.value).map(|item| Value::String(item.to_owned())).collect(),
            )),
            Shape::List(Shape::Integer) => {
                let items = comma_separated(self.value).map(|item| item.parse().map(Value::Integer));
                let items: Result<_, _> = items.collect();
                items.map(Value::Array).map_err(|_| "expected integers with commas between them".to_owned())
            }
            Shape::Table(_) | Shape::List(_) => Err("this names a table; name a key in it".to_owned()),
        }
    }
}

fn comma_separated(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty())
}
