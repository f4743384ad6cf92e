//! Sticker packs: bodies of `/v1/stickerpacks`, and the packs of one number.
//!
//! Cloud has no packs, so they are only kept and given back. A sticker goes by the media id of its image, which is
//! what a sticker message names: a client that looks a sticker up and sends it by its id sends the right file.

mod body;
mod reply;

use serde::{Deserialize, Serialize};

pub use self::body::{NewPack, NewSticker, PackChange, StickerChange, is_whatsapps};
pub use self::reply::{PackIds, ShownPack, ShownSticker, StickerIndexes};
use super::{ErrorCode, Invalid};

/// The most packs of a number.
pub const MOST_PACKS: usize = 100;
/// The most stickers of a pack.
pub const MOST_STICKERS: usize = 100;
/// The most bytes that the packs of a number take in the store, which takes them as a whole.
pub const LARGEST: usize = 4 * 1024 * 1024;

/// The packs of one number, in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packs {
    packs: Vec<Pack>,
}

/// One pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pack {
    /// Its id.
    pub id: String,
    /// Who published it.
    pub publisher: String,
    /// Its name.
    pub name: String,
    /// Where it is for iOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ios_app_store_link: Option<String>,
    /// Where it is for Android.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub android_app_store_link: Option<String>,
    next_index: u64,
    stickers: Vec<Sticker>,
}

/// One sticker of a pack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sticker {
    /// Its place, counted from 0 and never given twice in a pack.
    pub index: u64,
    /// The media id of its image.
    pub image_data_id: String,
    /// What it stands for.
    pub emojis: Vec<String>,
}

impl Packs {
    /// What [`Packs::to_stored`] wrote; nothing when it is something else.
    pub fn from_json(stored: &[u8]) -> Option<Self> {
        serde_json::from_slice(stored).ok()
    }

    /// The form for the store.
    pub fn to_stored(&self) -> Result<Vec<u8>, Invalid> {
        // Our own types always serialize.
        let stored = serde_json::to_vec(self).unwrap_or_default();
        if stored.len() > LARGEST {
            return Err(too_many(format!("the sticker packs would take more than {LARGEST} bytes together")));
        }
        Ok(stored)
    }

    /// All of them.
    pub fn all(&self) -> &[Pack] {
        &self.packs
    }

    /// The pack of this id.
    pub fn pack(&self, id: &str) -> Result<&Pack, Invalid> {
        self.packs.iter().find(|pack| pack.id == id).ok_or_else(no_pack)
    }

    /// Adds a pack under `id`, which nobody has.
    pub fn add(&mut self, id: String, new: NewPack) -> Result<(), Invalid> {
        if self.packs.len() >= MOST_PACKS {
            return Err(too_many(format!("there would be more than {MOST_PACKS} sticker packs")));
        }
        self.packs.push(Pack {
            id,
            publisher: new.publisher,
            name: new.name,
            ios_app_store_link: new.ios_app_store_link,
            android_app_store_link: new.android_app_store_link,
            next_index: 0,
            stickers: Vec::new(),
        });
        Ok(())
    }

    /// Changes what `change` names.
    pub fn change(&mut self, id: &str, change: PackChange) -> Result<(), Invalid> {
        let pack = self.pack_mut(id)?;
        let PackChange { publisher, name, ios_app_store_link, android_app_store_link } = change;
        set(&mut pack.publisher, publisher);
        set(&mut pack.name, name);
        set(&mut pack.ios_app_store_link, ios_app_store_link);
        set(&mut pack.android_app_store_link, android_app_store_link);
        Ok(())
    }

    /// Deletes a pack with its stickers.
    pub fn remove(&mut self, id: &str) -> Result<(), Invalid> {
        let at = self.packs.iter().position(|pack| pack.id == id).ok_or_else(no_pack)?;
        self.packs.remove(at);
        Ok(())
    }

    /// Adds a sticker to a pack, and says where.
    pub fn add_sticker(&mut self, id: &str, new: NewSticker) -> Result<u64, Invalid> {
        let pack = self.pack_mut(id)?;
        if pack.stickers.len() >= MOST_STICKERS {
            return Err(too_many(format!("the pack would have more than {MOST_STICKERS} stickers")));
        }
        let index = pack.next_index;
        pack.next_index = index.saturating_add(1);
        pack.stickers.push(Sticker { index, image_data_id: new.image_data_id, emojis: new.emojis });
        Ok(index)
    }

    /// Changes what `change` names, and says where.
    pub fn change_sticker(&mut self, id: &str, index: &str, change: StickerChange) -> Result<u64, Invalid> {
        let stickers = &mut self.pack_mut(id)?.stickers;
        let sticker = stickers.iter_mut().find(|sticker| is_at(sticker, index)).ok_or_else(no_sticker)?;
        set(&mut sticker.image_data_id, change.image_data_id);
        set(&mut sticker.emojis, change.emojis);
        Ok(sticker.index)
    }

    /// Takes a sticker out of a pack; the others keep their places.
    pub fn remove_sticker(&mut self, id: &str, index: &str) -> Result<(), Invalid> {
        let stickers = &mut self.pack_mut(id)?.stickers;
        let at = stickers.iter().position(|sticker| is_at(sticker, index)).ok_or_else(no_sticker)?;
        stickers.remove(at);
        Ok(())
    }

    fn pack_mut(&mut self, id: &str) -> Result<&mut Pack, Invalid> {
        self.packs.iter_mut().find(|pack| pack.id == id).ok_or_else(no_pack)
    }
}

impl Pack {
    /// Its stickers, in the order in which they came.
    pub fn stickers(&self) -> &[Sticker] {
        &self.stickers
    }

    /// The sticker at this place.
    pub fn sticker(&self, index: &str) -> Result<&Sticker, Invalid> {
        self.stickers.iter().find(|sticker| is_at(sticker, index)).ok_or_else(no_sticker)
    }
}

/// As it was given to the client: `01` is no place.
fn is_at(sticker: &Sticker, index: &str) -> bool {
    sticker.index.to_string() == index
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

fn no_pack() -> Invalid {
    Invalid::new(ErrorCode::ResourceNotFound, "no sticker pack has this id")
}

fn no_sticker() -> Invalid {
    Invalid::new(ErrorCode::ResourceNotFound, "the sticker pack has no sticker at this index")
}

fn too_many(sentence: String) -> Invalid {
    Invalid::new(ErrorCode::ParameterInvalid, format!("{sentence}; delete some first"))
}

#[cfg(test)]
mod tests;
