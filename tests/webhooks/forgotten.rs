//! What has lapsed is forgotten: to the second, and all of it.

use prembridge::clock::Clock;
use prembridge::store::{AliasRow, AliasStore as _, Batch, CallbackStore as _, NewCallback};
use prembridge::translate::WaId;

use super::parts::{Parts, parts_with};
use crate::support::faulty::Faulty;
use crate::support::{NOW, PHONE_NUMBER_ID};

const DAY: i64 = 86_400;
/// One more than are forgotten at once.
const MANY: usize = 2001;

/// Cloud repeats for seven days what it has no acknowledgement of.
#[tokio::test]
async fn events_are_known_for_eight_days() {
    let clock = Clock::fixed(NOW);
    let Parts { store, callbacks, .. } = parts_with(Faulty::new(), 10, clock.clone(), WaId::default()).await;
    let event = |key: usize| NewCallback {
        number: PHONE_NUMBER_ID.to_owned(),
        chat: String::new(),
        key: Some((key as u128).to_be_bytes()),
        wanted: None,
        body: "{}".into(),
    };
    let new = async || {
        let batch = Batch { at: NOW, callbacks: (0..MANY).map(event).collect(), users: Vec::new() };
        store.queue_callbacks(batch).await.unwrap().into_iter().flatten().count()
    };
    assert_eq!(new().await, MANY);
    clock.advance(8 * DAY);
    callbacks.purge().await.unwrap();
    assert_eq!(new().await, 0, "they are known still");
    clock.advance(1);
    callbacks.purge().await.unwrap();
    assert_eq!(new().await, MANY);
}

#[tokio::test]
async fn ids_of_users_are_known_for_400_days_after_their_last_use() {
    let clock = Clock::fixed(NOW);
    let Parts { store, callbacks, .. } = parts_with(Faulty::new(), 10, clock.clone(), WaId::AsSent).await;
    let row = |id: usize| AliasRow {
        number: PHONE_NUMBER_ID.to_owned(),
        setting: WaId::AsSent,
        id: id.to_string(),
        shown: Some("16315551234".to_owned()),
        used_at: NOW,
    };
    store.put_aliases((0..MANY).map(row).collect()).await.unwrap();
    for (seconds, left) in [(400 * DAY, MANY), (1, 0)] {
        clock.advance(seconds);
        callbacks.purge().await.unwrap();
        let known = store.aliases(PHONE_NUMBER_ID, WaId::AsSent, MANY).await.unwrap();
        assert_eq!(known.len(), left, "{seconds} seconds later");
    }
}
