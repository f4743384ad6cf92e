//! The cards of a `contacts` message.

use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::message::Members;
use crate::wire::{Member, Raw};

/// One contact card.
#[derive(Debug)]
pub struct Card<'a> {
    /// Its members.
    pub members: Vec<(&'a str, CardValue<'a>)>,
}

/// A member of a card.
#[derive(Debug)]
pub enum CardValue<'a> {
    /// Untouched.
    Raw(Raw<'a>),
    /// `phones`, each as its members.
    Phones(Vec<&'a [Member<'a>]>),
}

impl Serialize for Card<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members.iter().map(|(key, value)| (key, value)))
    }
}

impl Serialize for CardValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Raw(raw) => raw.serialize(serializer),
            Self::Phones(phones) => {
                let mut list = serializer.serialize_seq(Some(phones.len()))?;
                for phone in phones {
                    list.serialize_element(&Members(phone))?;
                }
                list.end()
            }
        }
    }
}
