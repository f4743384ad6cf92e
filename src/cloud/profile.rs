//! The edge `whatsapp_business_profile` of a number.

use serde::Serialize;
use serde_json::{Map, Value};

/// What a number shows of the business behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// `about`
    pub about: Option<String>,
    /// `address`
    pub address: Option<String>,
    /// `description`
    pub description: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `profile_picture_url`: where the photo can be read without a token, for a while.
    pub picture_url: Option<String>,
    /// `vertical`: a word of Cloud's list.
    pub vertical: Option<String>,
    /// `websites`
    pub websites: Vec<String>,
}

impl Profile {
    /// Every field, for the query.
    pub const FIELDS: &'static str = "about,address,description,email,profile_picture_url,websites,vertical";

    /// The profile in `body`, which is `{"data":[{…}]}`, with or without a `business_profile` around the fields:
    /// Meta's reference has the one, its Postman collection the other. No element is an empty profile.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let Some(first) = body.get("data")?.as_array()?.first() else {
            return Some(Self::default());
        };
        let first = first.as_object()?;
        Some(Self::from_members(first.get("business_profile").and_then(Value::as_object).unwrap_or(first)))
    }

    /// A field of an unexpected type counts as not set.
    fn from_members(members: &Map<String, Value>) -> Self {
        let text = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
        let text = |key: &str| text(key).filter(|text| !text.is_empty());
        let websites = members.get("websites").and_then(Value::as_array).into_iter().flatten();
        Self {
            about: text("about"),
            address: text("address"),
            description: text("description"),
            email: text("email"),
            picture_url: text("profile_picture_url"),
            vertical: text("vertical"),
            websites: websites.filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    }
}

/// A change: what is `None` stays.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct ProfileUpdate<'a> {
    /// Always `whatsapp`.
    pub messaging_product: &'static str,
    /// `about`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<&'a str>,
    /// `address`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<&'a str>,
    /// `description`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// `email`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
    /// `profile_picture_handle`: what the resumable upload gave for the photo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_picture_handle: Option<&'a str>,
    /// `vertical`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vertical: Option<&'a str>,
    /// `websites`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub websites: Option<Vec<&'a str>>,
}

impl Default for ProfileUpdate<'_> {
    fn default() -> Self {
        Self {
            messaging_product: "whatsapp",
            about: None,
            address: None,
            description: None,
            email: None,
            profile_picture_handle: None,
            vertical: None,
            websites: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_forms_are_read() {
        let fields = json!({"about": "Hi", "address": "", "email": 5, "vertical": "RETAIL",
            "websites": ["https://a.example/", null], "messaging_product": "whatsapp"});
        let expected = Profile {
            about: Some("Hi".into()),
            vertical: Some("RETAIL".into()),
            websites: vec!["https://a.example/".into()],
            ..Profile::default()
        };
        for body in [json!({"data": [fields]}), json!({"data": [{"business_profile": fields, "id": "1"}]})] {
            assert_eq!(Profile::parse(body.to_string().as_bytes()), Some(expected.clone()), "{body}");
        }
        assert_eq!(Profile::parse(b"{\"data\":[]}"), Some(Profile::default()));
        for body in ["", "[]", "{}", "{\"data\":{}}", "{\"data\":[1]}"] {
            assert_eq!(Profile::parse(body.as_bytes()), None, "{body}");
        }
    }
}
