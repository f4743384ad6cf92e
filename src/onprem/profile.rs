//! Bodies of `/v1/settings/business/profile` and `/v1/settings/profile/…`.

use serde::Serialize;

use super::error::Meta;
use super::message::Body;
use super::read::{array, at_most, missing, nothing_else, optional_string, required_string, string, wrong};
use super::{ErrorCode, Invalid};
use crate::wire::{Object, Path, Str};

/// Characters of an address, an e-mail address and a website, of a description ("Business Profile Settings"; the
/// description was doubled later), and of an about text.
const ADDRESS: usize = 256;
const DESCRIPTION: usize = 512;
const EMAIL: usize = 128;
const VERTICAL: usize = 128;
const WEBSITE: usize = 256;
const WEBSITES: usize = 2;
const ABOUT: usize = 139;

/// What a client wants to change of the business profile; what is empty is to be cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileUpdate<'a> {
    /// `address`
    pub address: Option<Str<'a>>,
    /// `description`
    pub description: Option<Str<'a>>,
    /// `email`
    pub email: Option<Str<'a>>,
    /// `vertical`: the industry.
    pub vertical: Option<Str<'a>>,
    /// `websites`
    pub websites: Option<Vec<Str<'a>>>,
}

impl<'a> ProfileUpdate<'a> {
    /// Reads the members of the body.
    pub fn parse(body: &'a Body<'_>) -> Result<Self, Invalid> {
        let mut object = body.object()?;
        let update = Self {
            address: text(&mut object, "address", ADDRESS)?,
            description: text(&mut object, "description", DESCRIPTION)?,
            email: text(&mut object, "email", EMAIL)?,
            vertical: text(&mut object, "vertical", VERTICAL)?,
            websites: websites(&mut object)?,
        };
        nothing_else(&object, Path::Root)?;
        if update == Self::default() { Err(nothing()) } else { Ok(update) }
    }
}

/// The body of a change of the profile; one without any content is a change without a field.
pub fn read_profile(bytes: &[u8]) -> Result<Body<'_>, Invalid> {
    if Body::content(bytes).is_empty() { Err(nothing()) } else { Body::read(bytes) }
}

/// The `text` of `PATCH /v1/settings/profile/about`.
pub fn parse_about<'a>(body: &'a Body<'_>) -> Result<Str<'a>, Invalid> {
    let mut object = body.object()?;
    let text = required_string(&mut object, "text", Path::Root)?;
    at_most(&text, ABOUT, Path::Root.key("text"))?;
    nothing_else(&object, Path::Root)?;
    Ok(text)
}

/// Whether the query of `GET /v1/settings/profile/photo` asks for the place of the photo instead of the photo.
pub fn asks_for_link(query: &str) -> Result<bool, Invalid> {
    let format = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "format");
    match format.as_ref().map(|(_, value)| &**value) {
        None => Ok(false),
        Some("link") => Ok(true),
        Some(_) => Err(wrong(Path::Root.key("format"), "must be link, or left out for the photo itself")),
    }
}

fn nothing() -> Invalid {
    Invalid::new(
        ErrorCode::ParameterMissing,
        "the body has nothing of the profile; send address, description, email, vertical or websites",
    )
}

fn text<'a>(object: &mut Object<'a>, key: &str, most: usize) -> Result<Option<Str<'a>>, Invalid> {
    let text = optional_string(object, key, Path::Root)?;
    text.map(|text| at_most(&text, most, Path::Root.key(key)).map(|()| text)).transpose()
}

fn websites<'a>(object: &mut Object<'a>) -> Result<Option<Vec<Str<'a>>>, Invalid> {
    let path = Path::Root.key("websites");
    let Some(raw) = object.take("websites") else {
        return Ok(None);
    };
    let elements = array(raw, path)?;
    if elements.len() > WEBSITES {
        return Err(wrong(path, format_args!("must have at most {WEBSITES} elements")));
    }
    let mut websites = Vec::with_capacity(elements.len());
    for (at, element) in elements.into_iter().enumerate() {
        let website = string(element, path.index(at))?;
        if website.is_empty() {
            return Err(missing(path.index(at)));
        }
        at_most(&website, WEBSITE, path.index(at))?;
        websites.push(website);
    }
    Ok(Some(websites))
}

/// The business profile as clients see it: what is not set is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// `address`
    pub address: String,
    /// `description`
    pub description: String,
    /// `email`
    pub email: String,
    /// `vertical`
    pub vertical: String,
    /// `websites`
    pub websites: Vec<String>,
}

impl Profile {
    /// `{"settings":{"business":{"profile":…}},"meta":…}`
    pub fn to_reply(&self, meta: Meta<'_>) -> impl Serialize {
        Reply { settings: Settings { business: Business { profile: self } }, meta }
    }
}

/// `{"settings":{"profile":{"about":{"text":…}}},"meta":…}`
pub fn about_reply(text: &str, meta: Meta<'_>) -> impl Serialize {
    let about = Some(About { text });
    Reply { settings: Personal { profile: Parts { about, photo: None } }, meta }
}

/// `{"settings":{"profile":{"photo":{"link":…}}},"meta":…}`
pub fn photo_reply(link: &str, meta: Meta<'_>) -> impl Serialize {
    let photo = Some(Photo { link });
    Reply { settings: Personal { profile: Parts { about: None, photo } }, meta }
}

#[derive(Serialize)]
struct Reply<'a, S> {
    settings: S,
    meta: Meta<'a>,
}

#[derive(Serialize)]
struct Settings<'a> {
    business: Business<'a>,
}

#[derive(Serialize)]
struct Business<'a> {
    profile: &'a Profile,
}

#[derive(Serialize)]
struct Personal<'a> {
    profile: Parts<'a>,
}

#[derive(Serialize)]
struct Parts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<About<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    photo: Option<Photo<'a>>,
}

#[derive(Serialize)]
struct About<'a> {
    text: &'a str,
}

#[derive(Serialize)]
struct Photo<'a> {
    link: &'a str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn refusal(json: &Value) -> Option<(u16, String)> {
        let text = json.to_string();
        let body = read_profile(text.as_bytes()).unwrap();
        ProfileUpdate::parse(&body).err().map(|invalid| (invalid.code.code(), invalid.details))
    }

    #[test]
    fn each_field_has_its_limit() {
        for (key, most) in [("address", 256), ("description", 512), ("email", 128), ("vertical", 128)] {
            assert_eq!(refusal(&json!({ key: "ä".repeat(most) })), None, "{key}");
            let (code, details) = refusal(&json!({ key: "ä".repeat(most + 1) })).unwrap();
            assert_eq!(code, 1009);
            assert!(details.starts_with(&format!("{key} must be at most {most}")), "{details}");
            assert_eq!(refusal(&json!({ key: 1 })).unwrap().0, 1009);
            assert_eq!(refusal(&json!({ key: "" })), None);
            assert_eq!(refusal(&json!({ key: null })).unwrap().0, 1008);
        }
        let site = "x".repeat(256);
        assert_eq!(refusal(&json!({"websites": [site, site]})), None);
        assert_eq!(refusal(&json!({"websites": []})), None);
        for (websites, code, start) in [
            (json!([site, site, site]), 1009, "websites must have at most 2"),
            (json!([site, format!("{site}x")]), 1009, "websites[1] must be at most 256"),
            (json!([""]), 1008, "websites[0] is missing"),
            (json!([1]), 1009, "websites[0] must be a string"),
            (json!("x"), 1009, "websites must be an array"),
        ] {
            let (found, details) = refusal(&json!({ "websites": websites })).unwrap();
            assert!(found == code && details.starts_with(start), "{found} {details}");
        }
        assert_eq!(refusal(&json!({"address": "x", "about": "y"})).unwrap().0, 1010);
        assert_eq!(refusal(&json!({})).unwrap().0, 1008);
        assert_eq!(read_profile(b" \n").unwrap_err().code.code(), 1008);
    }

    #[test]
    fn the_place_is_asked_for_by_name() {
        for (query, link) in [("", Some(false)), ("x=y", Some(false)), ("a&format=link", Some(true))] {
            assert_eq!(asks_for_link(query).ok(), link, "{query}");
        }
        assert!(asks_for_link("format=png").is_err() && asks_for_link("format").is_err());
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn an_about_text_has_1_to_139_characters(text in "\\PC{0,160}") {
            let count = text.chars().count();
            let json = json!({"text": text}).to_string();
            let body = Body::read(json.as_bytes()).unwrap();
            match parse_about(&body) {
                Ok(found) => prop_assert!((1..=139).contains(&count) && *found == *text),
                Err(invalid) => prop_assert_eq!(invalid.code.code(), if count == 0 { 1008 } else { 1009 }),
            }
        }
    }
}
