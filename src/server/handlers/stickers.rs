//! `/v1/stickerpacks`

use http::StatusCode;
use serde::Serialize;

use super::{Call, settings};
use crate::onprem::Invalid;
use crate::onprem::stickers::{
    NewPack, NewSticker, PackChange, PackIds, Packs, ShownPack, ShownSticker, StickerChange, StickerIndexes,
    is_whatsapps,
};
use crate::relay::Failure;
use crate::server::respond::{self, Reply};

/// `GET /v1/stickerpacks`
pub(super) fn list(call: &Call<'_>) -> Reply {
    let packs = call.number.stickers.now();
    let ids =
        if is_whatsapps(call.query) { PackIds::none(call.meta()) } else { PackIds::all(&packs, call.meta()) };
    ok(&ids)
}

/// `POST /v1/stickerpacks`
pub(super) async fn create(call: &Call<'_>) -> Result<Reply, Failure> {
    let new = NewPack::parse(&call.body)?;
    let id = uuid::Uuid::new_v4().to_string();
    let given = id.clone();
    change(call, move |packs| packs.add(given, new)).await?;
    Ok(respond::json(StatusCode::CREATED, &PackIds::one(&id, call.meta())))
}

/// `GET /v1/stickerpacks/{pack-id}`
pub(super) fn show(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let packs = call.number.stickers.now();
    Ok(ok(&ShownPack::new(packs.pack(id)?, call.meta())))
}

/// `PATCH /v1/stickerpacks/{pack-id}`
pub(super) async fn update(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let (wanted, pack) = (PackChange::parse(&call.body)?, id.to_owned());
    change(call, move |packs| packs.change(&pack, wanted)).await?;
    Ok(ok(&PackIds::one(id, call.meta())))
}

/// `DELETE /v1/stickerpacks/{pack-id}`
pub(super) async fn delete(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let id = id.to_owned();
    change(call, move |packs| packs.remove(&id)).await?;
    Ok(call.done())
}

/// `GET /v1/stickerpacks/{pack-id}/stickers`
pub(super) fn list_stickers(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let packs = call.number.stickers.now();
    let indexes = packs.pack(id)?.stickers().iter().map(|sticker| sticker.index);
    Ok(ok(&StickerIndexes::new(indexes, call.meta())))
}

/// `POST /v1/stickerpacks/{pack-id}/stickers`
pub(super) async fn create_sticker(call: &Call<'_>, id: &str) -> Result<Reply, Failure> {
    let (new, id) = (NewSticker::parse(&call.body)?, id.to_owned());
    let index = change(call, move |packs| packs.add_sticker(&id, new)).await?;
    Ok(respond::json(StatusCode::CREATED, &StickerIndexes::new([index], call.meta())))
}

/// `GET /v1/stickerpacks/{pack-id}/stickers/{index}`
pub(super) fn show_sticker(call: &Call<'_>, id: &str, index: &str) -> Result<Reply, Failure> {
    let packs = call.number.stickers.now();
    Ok(ok(&ShownSticker::new(packs.pack(id)?.sticker(index)?, call.meta())))
}

/// `PATCH /v1/stickerpacks/{pack-id}/stickers/{index}`
pub(super) async fn update_sticker(call: &Call<'_>, id: &str, index: &str) -> Result<Reply, Failure> {
    let (wanted, id, index) = (StickerChange::parse(&call.body)?, id.to_owned(), index.to_owned());
    let index = change(call, move |packs| packs.change_sticker(&id, &index, wanted)).await?;
    Ok(ok(&StickerIndexes::new([index], call.meta())))
}

/// `DELETE /v1/stickerpacks/{pack-id}/stickers/{index}`
pub(super) async fn delete_sticker(call: &Call<'_>, id: &str, index: &str) -> Result<Reply, Failure> {
    let (id, index) = (id.to_owned(), index.to_owned());
    change(call, move |packs| packs.remove_sticker(&id, &index)).await?;
    Ok(call.done())
}

async fn change<T: Send + 'static>(
    call: &Call<'_>,
    make: impl FnOnce(&mut Packs) -> Result<T, Invalid> + Send + 'static,
) -> Result<T, Failure> {
    call.number.stickers.change(make).await.map_err(settings::failure)
}

fn ok(body: &impl Serialize) -> Reply {
    respond::json(StatusCode::OK, body)
}
