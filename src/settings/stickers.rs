//! The sticker packs of all numbers: one document for each.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::{Cell, OpenError, SettingsError};
use crate::onprem::Invalid;
use crate::onprem::stickers::Packs;
use crate::store::{ChangeLock, DocumentRow, Store};

/// The name of our documents in the store.
const DOCUMENT: &str = "stickerpacks";

/// The sticker packs of all numbers. Clones share everything.
#[derive(Clone)]
pub struct Stickers(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    lock: ChangeLock,
    cells: HashMap<String, Cell<Packs>>,
}

impl fmt::Debug for Stickers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stickers")
    }
}

impl Stickers {
    /// Reads what the store has of these numbers.
    pub async fn open(
        store: Arc<dyn Store>,
        numbers: impl Iterator<Item = String>,
    ) -> Result<Self, OpenError> {
        let mut packs: HashMap<_, _> = numbers.map(|number| (number, Packs::default())).collect();
        for DocumentRow { number, name, content } in store.documents().await? {
            if let (DOCUMENT, Some(packs)) = (name.as_str(), packs.get_mut(&number)) {
                *packs = Packs::from_json(&content)
                    .ok_or_else(|| OpenError::Damaged(format!("the document {name} of number {number}")))?;
            }
        }
        let cells = packs.into_iter().map(|(number, packs)| (number, Cell::new(packs))).collect();
        Ok(Self(Arc::new(Inner { store, lock: ChangeLock::default(), cells })))
    }

    /// The packs of a number; none of one that is not configured.
    pub fn of(&self, number: &str) -> Arc<Packs> {
        self.0.cells.get(number).map(Cell::now).unwrap_or_default()
    }

    /// Gives a change its turn, and gives back what `make` does. A change that `make` refuses is none.
    pub async fn change<T: Send + 'static>(
        &self,
        number: &str,
        make: impl FnOnce(&mut Packs) -> Result<T, Invalid> + Send + 'static,
    ) -> Result<T, SettingsError> {
        let (inner, number) = (Arc::clone(&self.0), number.to_owned());
        let change = async move {
            let cell = inner.cells.get(&number).ok_or(SettingsError::NoNumber)?;
            let mut packs = Packs::clone(&cell.now());
            let made = make(&mut packs).map_err(SettingsError::Invalid)?;
            let content = packs.to_stored().map_err(SettingsError::Invalid)?;
            let row = DocumentRow { number: number.clone(), name: DOCUMENT.to_owned(), content };
            inner.store.put_document(row).await?;
            cell.put(packs);
            Ok(made)
        };
        self.0.lock.run(change).await
    }
}
