//! What clients get.

use serde::Serialize;

use super::{Pack, Packs, Sticker};
use crate::onprem::error::Meta;

/// `{"stickerpacks":[{"id":…}],"meta":…}`
#[derive(Debug, Serialize)]
pub struct PackIds<'a> {
    stickerpacks: Vec<PackId<'a>>,
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct PackId<'a> {
    id: &'a str,
}

impl<'a> PackIds<'a> {
    /// All packs.
    pub fn all(packs: &'a Packs, meta: Meta<'a>) -> Self {
        let stickerpacks = packs.all().iter().map(|pack| PackId { id: &pack.id }).collect();
        Self { stickerpacks, meta }
    }

    /// One pack.
    pub fn one(id: &'a str, meta: Meta<'a>) -> Self {
        Self { stickerpacks: vec![PackId { id }], meta }
    }

    /// None.
    pub fn none(meta: Meta<'a>) -> Self {
        Self { stickerpacks: Vec::new(), meta }
    }
}

/// `{"stickerpacks":[{…}],"meta":…}`
#[derive(Debug, Serialize)]
pub struct ShownPack<'a> {
    stickerpacks: [PackItem<'a>; 1],
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct PackItem<'a> {
    id: &'a str,
    publisher: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ios_app_store_link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    android_app_store_link: Option<&'a str>,
}

impl<'a> ShownPack<'a> {
    /// The answer for `pack`.
    pub fn new(pack: &'a Pack, meta: Meta<'a>) -> Self {
        let item = PackItem {
            id: &pack.id,
            publisher: &pack.publisher,
            name: &pack.name,
            ios_app_store_link: pack.ios_app_store_link.as_deref(),
            android_app_store_link: pack.android_app_store_link.as_deref(),
        };
        Self { stickerpacks: [item], meta }
    }
}

/// `{"stickers":[{"index":"0"}],"meta":…}`; an index is a string, as in samples of v2.37.
#[derive(Debug, Serialize)]
pub struct StickerIndexes<'a> {
    stickers: Vec<StickerIndex>,
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct StickerIndex {
    index: String,
}

impl<'a> StickerIndexes<'a> {
    /// Those of `indexes`.
    pub fn new(indexes: impl IntoIterator<Item = u64>, meta: Meta<'a>) -> Self {
        let stickers = indexes.into_iter().map(|index| StickerIndex { index: index.to_string() });
        Self { stickers: stickers.collect(), meta }
    }
}

/// `{"stickers":[{"id":…,"emojis":[…],"image_data_id":…}],"meta":…}`
#[derive(Debug, Serialize)]
pub struct ShownSticker<'a> {
    stickers: [StickerItem<'a>; 1],
    meta: Meta<'a>,
}

#[derive(Debug, Serialize)]
struct StickerItem<'a> {
    id: &'a str,
    emojis: &'a [String],
    image_data_id: &'a str,
}

impl<'a> ShownSticker<'a> {
    /// The answer for `sticker`.
    pub fn new(sticker: &'a Sticker, meta: Meta<'a>) -> Self {
        let Sticker { image_data_id, emojis, .. } = sticker;
        Self { stickers: [StickerItem { id: image_data_id, emojis, image_data_id }], meta }
    }
}
