//! Reads the TOML text against the known [`Shape`] and reports every unknown key and wrong type.
//!
//! What comes out has only known keys with values of the right type, so that serde cannot fail on
//! it. Messages never quote the text, because the line at fault may hold a secret.

use toml::de::{DeInteger, DeTable, DeValue};
use toml::{Spanned, Table, Value};

use super::raw::{File, Keys, Shape};
use super::report::Report;

/// The tree of known, well-typed values in `text`; `None` when it is not TOML at all.
pub(super) fn read(text: &str, report: &mut Report) -> Option<Table> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader { text, report };
    for error in &errors {
        let place = error.span().map_or_else(|| "the end".to_owned(), |span| reader.place(span.start));
        reader.report.problem("", format!("{place}: this is not TOML: {}", error.message()));
    }
    errors.is_empty().then(|| reader.table(File::KEYS, document.get_ref(), ""))
}

/// The path of `key` in the table at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What to say about `key`, which is none of `keys`.
pub(super) fn unknown_key(key: &str, keys: Keys) -> String {
    let nearest = keys.iter().map(|(known, _)| (strsim::levenshtein(key, known), *known)).min();
    match nearest {
        Some((distance, known)) if distance <= known.len() / 3 + 1 => {
            format!("unknown key `{key}`; did you mean `{known}`?")
        }
        Some(_) | None => {
            let known: Vec<_> = keys.iter().map(|(known, _)| *known).collect();
            format!("unknown key `{key}`; remove it, or use one of {}", known.join(", "))
        }
    }
}

impl Shape {
    /// Stands in for a list element that could not be read, to keep the indices of the others.
    pub(super) fn blank(&self) -> Value {
        match self {
            Self::Bool => Value::Boolean(false),
            Self::Integer => Value::Integer(0),
            Self::Text | Self::Size | Self::Rate => Value::String(String::new()),
            Self::Table(_) | Self::TextOr(_) | Self::Secret(_) => Value::Table(Table::new()),
            Self::List(_) => Value::Array(Vec::new()),
        }
    }

    /// The end of the sentence "expected …".
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::Bool => "true or false",
            Self::Integer => "an integer",
            Self::Text => "a string in quotes",
            Self::Size => "a size such as \"16MiB\" or a number of bytes",
            Self::Rate => "an integer or \"auto\"",
            Self::Table(_) => "a table",
            Self::TextOr(_) => "a string in quotes or a table",
            Self::Secret(_) => "{ env = \"NAME\" } or { file = \"PATH\" }",
            Self::List(Self::Table(_)) => {
                "a list of tables, each beginning with its name in [[double brackets]]"
            }
            Self::List(_) => "a list in [brackets]",
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    report: &'a mut Report,
}

impl Reader<'_> {
    fn table(&mut self, keys: Keys, found: &DeTable<'_>, path: &str) -> Table {
        let mut entries: Vec<_> = found.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut table = Table::new();
        for (key, node) in entries {
            let name = key.get_ref().as_ref();
            let path = join(path, name);
            if let Some((_, shape)) = keys.iter().find(|(known, _)| *known == name) {
                if let Some(value) = self.value(shape, node, &path) {
                    table.insert(name.to_owned(), value);
                }
            } else {
                let place = self.place(key.span().start);
                self.report.problem(&path, format!("{place}: {}", unknown_key(name, keys)));
            }
        }
        table
    }

    fn value(&mut self, shape: &Shape, node: &Spanned<DeValue<'_>>, path: &str) -> Option<Value> {
        match (shape, node.get_ref()) {
            (Shape::Bool, DeValue::Boolean(value)) => Some(Value::Boolean(*value)),
            (Shape::Integer, DeValue::Integer(value)) => self.integer(value, node, path).map(Value::Integer),
            (Shape::Size | Shape::Rate, DeValue::Integer(value)) => {
                self.integer(value, node, path).map(|number| Value::String(number.to_string()))
            }
            (
                Shape::Text | Shape::Size | Shape::Rate | Shape::TextOr(_) | Shape::Secret(_),
                DeValue::String(value),
            ) => Some(Value::String(value.clone().into_owned())),
            (Shape::Table(keys) | Shape::TextOr(keys) | Shape::Secret(keys), DeValue::Table(found)) => {
                Some(Value::Table(self.table(keys, found, path)))
            }
            (Shape::List(item), DeValue::Array(found)) => {
                let items = found.iter().enumerate().map(|(i, node)| {
                    self.value(item, node, &format!("{path}[{i}]")).unwrap_or_else(|| item.blank())
                });
                Some(Value::Array(items.collect()))
            }
            (shape, found) => {
                let place = self.place(node.span().start);
                let (expected, found) = (shape.expected(), found.type_str());
                self.report.ill_typed(path, format!("{place}: expected {expected}, found a TOML {found}"));
                None
            }
        }
    }

    fn integer(&mut self, value: &DeInteger<'_>, node: &Spanned<DeValue<'_>>, path: &str) -> Option<i64> {
        let parsed = i64::from_str_radix(value.as_str(), value.radix()).ok();
        if parsed.is_none() {
            let place = self.place(node.span().start);
            self.report.ill_typed(path, format!("{place}: this integer is too large"));
        }
        parsed
    }

    /// `line 3, column 7` of a byte offset, both counted from 1, columns in characters.
    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        format!("line {line}, column {column}")
    }
}
