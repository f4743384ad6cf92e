//! What clients send.

use url::form_urlencoded;

use crate::onprem::message::Body;
use crate::onprem::read::{array, at_most, missing, string, wrong};
use crate::onprem::{ErrorCode, Invalid};
use crate::wire::{Object, Path, printable};

/// The most characters of a text.
const LONGEST: usize = 512;
/// The most emojis of a sticker ("Sticker Packs" of the On-Premises reference).
const MOST_EMOJIS: usize = 3;

/// The body of `POST /v1/stickerpacks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPack {
    /// Who published it.
    pub publisher: String,
    /// Its name.
    pub name: String,
    /// Where it is for iOS.
    pub ios_app_store_link: Option<String>,
    /// Where it is for Android.
    pub android_app_store_link: Option<String>,
}

/// The body of `PATCH /v1/stickerpacks/{pack-id}`: what is not named stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackChange {
    /// Who published it.
    pub publisher: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Where it is for iOS; the inner one is none when there is to be no link any more.
    pub ios_app_store_link: Option<Option<String>>,
    /// Where it is for Android, in the same way.
    pub android_app_store_link: Option<Option<String>>,
}

/// The body of `POST /v1/stickerpacks/{pack-id}/stickers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSticker {
    /// The media id of its image.
    pub image_data_id: String,
    /// What it stands for.
    pub emojis: Vec<String>,
}

/// The body of `PATCH /v1/stickerpacks/{pack-id}/stickers/{index}`: what is not named stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickerChange {
    /// The media id of its image.
    pub image_data_id: Option<String>,
    /// What it stands for.
    pub emojis: Option<Vec<String>>,
}

/// Whether a list is to have WhatsApp's own packs (`?namespace=whatsapp`), of which there are none here. Any other
/// namespace is the business's own.
pub fn is_whatsapps(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "namespace" && value.eq_ignore_ascii_case("whatsapp"))
}

impl NewPack {
    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let PackChange { publisher, name, ios_app_store_link, android_app_store_link } =
            PackChange::read(bytes)?;
        Ok(Self {
            publisher: publisher.ok_or_else(|| missing(Path::Root.key("publisher")))?,
            name: name.ok_or_else(|| missing(Path::Root.key("name")))?,
            ios_app_store_link: ios_app_store_link.flatten(),
            android_app_store_link: android_app_store_link.flatten(),
        })
    }
}

impl PackChange {
    /// Reads a body that changes something.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let change = Self::read(bytes)?;
        let Self { publisher, name, ios_app_store_link: ios, android_app_store_link: android } = &change;
        if publisher.is_none() && name.is_none() && ios.is_none() && android.is_none() {
            return Err(nothing("publisher, name, ios_app_store_link or android_app_store_link"));
        }
        Ok(change)
    }

    fn read(bytes: &[u8]) -> Result<Self, Invalid> {
        read(bytes, |object| {
            let link = |text: String| (!text.is_empty()).then_some(text);
            Ok(Self {
                publisher: filled(object, "publisher")?,
                name: filled(object, "name")?,
                ios_app_store_link: text(object, "ios_app_store_link")?.map(link),
                android_app_store_link: text(object, "android_app_store_link")?.map(link),
            })
        })
    }
}

impl NewSticker {
    /// Reads a body.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let StickerChange { image_data_id, emojis } = StickerChange::read(bytes)?;
        let image_data_id = image_data_id.ok_or_else(|| missing(Path::Root.key("image_data_id")))?;
        Ok(Self { image_data_id, emojis: emojis.unwrap_or_default() })
    }
}

impl StickerChange {
    /// Reads a body that changes something.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        let change = Self::read(bytes)?;
        if change.image_data_id.is_none() && change.emojis.is_none() {
            return Err(nothing("image_data_id or emojis"));
        }
        Ok(change)
    }

    fn read(bytes: &[u8]) -> Result<Self, Invalid> {
        read(bytes, |object| {
            Ok(Self { image_data_id: filled(object, "image_data_id")?, emojis: emojis(object)? })
        })
    }
}

/// Reads an object of which `members` takes what it knows; what is left is refused. `null` is nothing, as in
/// messages.
fn read<T>(bytes: &[u8], members: impl FnOnce(&mut Object<'_>) -> Result<T, Invalid>) -> Result<T, Invalid> {
    let body = Body::read(bytes)?;
    let mut object = body.object()?;
    let value = members(&mut object)?;
    match object.members().first() {
        None => Ok(value),
        Some((key, _)) => Err(Invalid::new(
            ErrorCode::ParameterNotRequired,
            format!("{} is not known here; leave it out", printable(key)),
        )),
    }
}

fn text(object: &mut Object<'_>, key: &str) -> Result<Option<String>, Invalid> {
    let (root, raw) = (Path::Root, object.take(key));
    let path = root.key(key);
    let Some(raw) = raw else { return Ok(None) };
    let text = string(raw, path)?;
    at_most(&text, LONGEST, path)?;
    Ok(Some(text.0.into_owned()))
}

/// The same for what cannot be empty.
fn filled(object: &mut Object<'_>, key: &str) -> Result<Option<String>, Invalid> {
    match text(object, key)? {
        Some(text) if text.is_empty() => Err(missing(Path::Root.key(key))),
        text => Ok(text),
    }
}

fn emojis(object: &mut Object<'_>) -> Result<Option<Vec<String>>, Invalid> {
    let Some(raw) = object.take("emojis") else { return Ok(None) };
    let root = Path::Root;
    let path = root.key("emojis");
    let elements = array(raw, path)?;
    if elements.len() > MOST_EMOJIS {
        return Err(wrong(path, format_args!("must have at most {MOST_EMOJIS} elements")));
    }
    let emoji = |(at, raw)| {
        let here = path.index(at);
        let emoji = string(raw, here)?;
        at_most(&emoji, LONGEST, here)?;
        if emoji.is_empty() { Err(wrong(here, "is empty")) } else { Ok(emoji.0.into_owned()) }
    };
    elements.into_iter().enumerate().map(emoji).collect::<Result<_, _>>().map(Some)
}

/// The same code as for an empty `PATCH` of the application's settings.
fn nothing(keys: &str) -> Invalid {
    Invalid::new(ErrorCode::ParameterInvalid, format!("the body changes nothing; send {keys}"))
}
