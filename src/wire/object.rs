//! A JSON object as its members, in order.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{Raw, Str, string};

/// One member of an object.
pub type Member<'a> = (Str<'a>, Raw<'a>);

/// More members than any documented object has; bounds the work on a hostile body.
const MAX_MEMBERS: usize = 256;

/// A JSON object: its members in their order, each value untouched.
#[derive(Clone, Debug, Default)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

/// Why a text is not an object that we read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectError {
    /// Not JSON at all; the parser's sentence.
    Syntax(String),
    /// JSON, but not an object.
    NotAnObject,
    /// The same key twice in an object that we look into, with two values: two readers could see two
    /// messages, so neither is sent. Subtrees that nobody here looks into are Cloud's to judge.
    Duplicate(String),
    /// More members than any documented object has.
    TooManyMembers,
}

impl<'a> Object<'a> {
    /// Reads `text`, one level deep.
    pub fn parse(text: &'a str) -> Result<Self, ObjectError> {
        let object: Self = serde_json::from_str(text).map_err(|error| {
            if !error.is_data() {
                return ObjectError::Syntax(error.to_string());
            }
            match text.trim_start().as_bytes().first() {
                Some(b'{') if error.to_string().starts_with(TOO_MANY) => ObjectError::TooManyMembers,
                Some(b'{') => ObjectError::Syntax(error.to_string()),
                _ => ObjectError::NotAnObject,
            }
        })?;
        if object.has_duplicate() { object.each_once() } else { Ok(object) }
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<Raw<'a>> {
        self.members.iter().find(|(name, _)| &**name == key).map(|(_, value)| *value)
    }

    /// Takes the value of `key` out.
    pub fn take(&mut self, key: &str) -> Option<Raw<'a>> {
        let position = self.members.iter().position(|(name, _)| &**name == key)?;
        Some(self.members.remove(position).1)
    }

    /// The members that are left, in order.
    pub fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// Gives the members away.
    pub fn into_members(self) -> Vec<Member<'a>> {
        self.members
    }

    fn has_duplicate(&self) -> bool {
        // Comparing each with each is quickest for the few members that an object usually has.
        if self.members.len() <= 16 {
            return self
                .members
                .iter()
                .enumerate()
                .any(|(at, (name, _))| self.members.iter().take(at).any(|(earlier, _)| earlier == name));
        }
        let mut names: Vec<&str> = self.members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| matches!(pair, [one, other] if one == other))
    }

    /// Leaves a member out that was there already with the same value, as Jackson writes the property that names a
    /// type: nothing about it is ambiguous.
    fn each_once(self) -> Result<Self, ObjectError> {
        let mut members: Vec<Member<'a>> = Vec::with_capacity(self.members.len());
        for (key, value) in self.members {
            match members.iter().find(|(earlier, _)| *earlier == key) {
                None => members.push((key, value)),
                Some((_, earlier)) if is_same(earlier, value) => {}
                Some(_) => return Err(ObjectError::Duplicate(key.0.into_owned())),
            }
        }
        Ok(Self { members })
    }
}

/// Whether two values are the same to every reader: to the letter, or the same string with other escapes.
fn is_same(one: Raw<'_>, other: Raw<'_>) -> bool {
    one.get() == other.get() || string(one).is_some_and(|text| string(other) == Some(text))
}

const TOO_MANY: &str = "too many members";

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(key) = map.next_key::<Str<'de>>()? {
                    if members.len() == MAX_MEMBERS {
                        return Err(A::Error::custom(TOO_MANY));
                    }
                    members.push((key, map.next_value::<Raw<'de>>()?));
                }
                Ok(Object { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (key, value) in &self.members {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_order_and_bytes() {
        let text = r#"{"b": {"x" : 1},"a":[ 1,2 ]}"#;
        let object = Object::parse(text).unwrap();
        assert_eq!(object.get("b").unwrap().get(), r#"{"x" : 1}"#);
        assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"b":{"x" : 1},"a":[ 1,2 ]}"#);
    }

    #[test]
    fn refuses_what_two_readers_could_read_twice() {
        assert_eq!(Object::parse(r#"{"to":"1","to":"2"}"#).unwrap_err(), ObjectError::Duplicate("to".into()));
        assert_eq!(
            Object::parse(r#"{"to":"1","\u0074o":"2"}"#).unwrap_err(),
            ObjectError::Duplicate("to".into())
        );
    }

    #[test]
    fn takes_equal_members_for_one() {
        for (text, expected) in [
            (r#"{"type":"text","to":"1","type":"text"}"#, r#"{"type":"text","to":"1"}"#),
            (r#"{"type":"te\u0078t","type":"text","type":"text"}"#, r#"{"type":"te\u0078t"}"#),
            (r#"{"a":{"b":1},"a" : {"b":1}}"#, r#"{"a":{"b":1}}"#),
        ] {
            let object = Object::parse(text).unwrap();
            assert_eq!(serde_json::to_string(&object).unwrap(), expected);
        }
        for text in [
            r#"{"a":1,"a":"1"}"#,
            r#"{"a":1,"a":1.0}"#,
            r#"{"a":{"b":1},"a":{"b":2}}"#,
            r#"{"a":"x","a":"x","a":"X"}"#,
            r#"{"a":"\ud800","a":"\ud801"}"#,
        ] {
            assert_eq!(Object::parse(text).unwrap_err(), ObjectError::Duplicate("a".into()), "{text}");
        }
        let many = |last: &str| {
            let members: Vec<_> = (0..100).map(|n| format!("\"k{n}\":{n}")).collect();
            format!("{{{},\"k7\":{last}}}", members.join(","))
        };
        assert_eq!(Object::parse(&many("7")).unwrap().members().len(), 100);
        assert_eq!(Object::parse(&many("8")).unwrap_err(), ObjectError::Duplicate("k7".into()));
    }

    #[test]
    fn tells_syntax_from_type_from_size() {
        assert!(matches!(Object::parse("{"), Err(ObjectError::Syntax(_))));
        assert!(matches!(Object::parse(""), Err(ObjectError::Syntax(_))));
        assert!(matches!(Object::parse("{\"a\":NaN}"), Err(ObjectError::Syntax(_))));
        assert_eq!(Object::parse("[1]").unwrap_err(), ObjectError::NotAnObject);
        let many = format!("{{{}}}", (0..300).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(","));
        assert_eq!(Object::parse(&many).unwrap_err(), ObjectError::TooManyMembers);
    }
}
