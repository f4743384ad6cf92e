//! A bounded map.

use std::collections::HashMap;

/// Entries per table.
const ENTRIES: usize = 10_000;

/// A map that forgets what was changed longest ago when it is full.
#[derive(Default)]
pub(super) struct Table<T> {
    entries: HashMap<u64, (u64, T)>,
    changes: u64,
}

impl<T: Default> Table<T> {
    pub(super) fn get(&mut self, key: u64) -> Option<&mut T> {
        self.entries.get_mut(&key).map(|(_, value)| value)
    }

    pub(super) fn entry(&mut self, key: u64) -> &mut T {
        // Looking for the oldest takes microseconds, next to the milliseconds of the hash before it.
        if self.entries.len() >= ENTRIES
            && !self.entries.contains_key(&key)
            && let Some(oldest) =
                self.entries.iter().min_by_key(|(_, (change, _))| *change).map(|(key, _)| *key)
        {
            self.entries.remove(&oldest);
        }
        self.changes += 1;
        let (change, value) = self.entries.entry(key).or_default();
        *change = self.changes;
        value
    }

    pub(super) fn remove(&mut self, key: u64) {
        self.entries.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_bounded_and_forget_the_oldest() {
        let mut table = Table::<u8>::default();
        for key in 0..ENTRIES as u64 {
            *table.entry(key) = 1;
        }
        table.entry(0);
        table.entry(u64::MAX);
        assert_eq!(table.entries.len(), ENTRIES);
        assert!(table.get(0).is_some() && table.get(1).is_none());
    }
}
