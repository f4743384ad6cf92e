//! The files that Cloud keeps, each under the phone number it belongs to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content::Content;
use super::wamid::Ids;

/// A file that was uploaded, or that came in with a message.
#[derive(Debug)]
pub(super) struct Item {
    /// The phone number it belongs to: ids are worth nothing to another one.
    pub(super) number: String,
    pub(super) media_type: String,
    /// In hex.
    pub(super) sha256: String,
    pub(super) content: Content,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Library {
    ids: Ids,
    /// Where the next id comes from.
    next: AtomicU64,
    limit: usize,
    shelf: Mutex<BTreeMap<u64, Arc<Item>>>,
}

impl Library {
    pub(super) fn new(ids: Ids, limit: usize) -> Self {
        Self { ids, next: AtomicU64::new(0), limit, shelf: Mutex::default() }
    }

    /// Keeps a file and gives it an id. Of too many the oldest goes, as if its time were over.
    pub(super) fn add(&self, item: Arc<Item>) -> String {
        let mut shelf = self.shelf();
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        shelf.insert(n, item);
        while shelf.len() > self.limit {
            shelf.pop_first();
        }
        self.ids.media(n)
    }

    /// Whether this id was ever given, whatever became of its file.
    pub(super) fn was_given(&self, id: &str) -> bool {
        self.place(id).is_some()
    }

    /// The file of an id, unless it is gone or belongs to another number than the one asked for.
    pub(super) fn get(&self, id: &str, number: Option<&str>) -> Option<Arc<Item>> {
        let item = self.shelf().get(&self.place(id)?).cloned()?;
        number.is_none_or(|number| item.number == number).then_some(item)
    }

    /// Forgets the file of an id; the id stays given.
    pub(super) fn remove(&self, id: &str) -> bool {
        self.place(id).is_some_and(|n| self.shelf().remove(&n).is_some())
    }

    /// Where an id stands: ids tell it themselves, so that none has to be remembered for being gone.
    fn place(&self, id: &str) -> Option<u64> {
        self.ids.media_place(id).filter(|n| *n < self.next.load(Ordering::Relaxed))
    }

    fn shelf(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Item>>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(number: &str) -> Arc<Item> {
        let content = Content::Memory("x".into());
        Arc::new(Item {
            number: number.into(),
            media_type: "image/png".into(),
            sha256: String::new(),
            content,
        })
    }

    #[test]
    fn a_file_belongs_to_one_number_until_it_is_gone() {
        let library = Library::new(Ids::new(0), 10);
        let later = Ids::new(0).media(1);
        let id = library.add(item("1"));
        assert!(library.get(&id, None).is_some() && library.get(&id, Some("1")).is_some());
        assert!(library.get(&id, Some("2")).is_none());
        assert!(library.was_given(&id) && !library.was_given(&later) && !library.was_given("1"));
        assert!(library.remove(&id) && !library.remove(&id) && !library.remove(&later));
        assert!(library.get(&id, None).is_none() && library.was_given(&id));
    }

    #[test]
    fn the_oldest_goes_first() {
        let library = Library::new(Ids::new(0), 2);
        let ids: Vec<_> = (0..3).map(|_| library.add(item("1"))).collect();
        let there: Vec<_> = ids.iter().map(|id| library.get(id, None).is_some()).collect();
        assert_eq!(there, [false, true, true]);
    }
}
