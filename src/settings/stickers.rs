//! The sticker packs of a number: one document.

use std::fmt;
use std::sync::Arc;

use super::{Documents, OpenError, SettingsError};
use crate::onprem::Invalid;
use crate::onprem::stickers::Packs;
use crate::store::{DocumentRow, Snapshot, Store};

/// The name of our document in the store.
const DOCUMENT: &str = "stickerpacks";

/// The sticker packs of one number. Clones share everything.
#[derive(Clone)]
pub struct Stickers {
    store: Arc<dyn Store>,
    number: String,
    snapshot: Snapshot<Packs>,
}

impl fmt::Debug for Stickers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stickers")
    }
}

impl Stickers {
    /// The packs of a number.
    pub fn new(store: Arc<dyn Store>, number: &str, documents: &Documents) -> Result<Self, OpenError> {
        let packs = match documents.of(number).iter().find(|row| row.name == DOCUMENT) {
            Some(row) => {
                Packs::from_json(&row.content).ok_or_else(|| OpenError::damaged(DOCUMENT, number))?
            }
            None => Packs::default(),
        };
        Ok(Self { store, number: number.to_owned(), snapshot: Snapshot::new(packs) })
    }

    /// The packs.
    pub fn now(&self) -> Arc<Packs> {
        self.snapshot.now()
    }

    /// Changes the packs, and gives back what `make` does. A change that `make` refuses is none.
    pub async fn change<T: Send + 'static>(
        &self,
        make: impl FnOnce(&mut Packs) -> Result<T, Invalid> + Send + 'static,
    ) -> Result<T, SettingsError> {
        let (store, number) = (Arc::clone(&self.store), self.number.clone());
        let change = async move |now: Arc<Packs>| {
            let mut packs = Packs::clone(&now);
            let made = make(&mut packs).map_err(SettingsError::Invalid)?;
            let content = packs.to_stored().map_err(SettingsError::Invalid)?;
            store.put_document(DocumentRow { number, name: DOCUMENT.to_owned(), content }).await?;
            Ok((packs, made))
        };
        self.snapshot.change(change).await
    }
}
