//! What every engine promises of media.

use prembridge::store::{Digest, FileRow, ProviderRow, Store, UploadRow, WantedRow};

/// Everything, with a store that has nothing of media yet.
pub async fn conforms(store: &dyn Store) {
    providers_are_kept_per_number(store).await;
    a_deleted_provider_is_gone(store).await;
    the_newest_sources_are_kept(store).await;
    the_newest_uploads_are_kept(store).await;
    uploads_are_purged(store).await;
    pinned_uploads_stay(store).await;
    files_are_kept_per_number(store).await;
    a_use_is_remembered(store).await;
    bytes_count_once(store).await;
    a_deleted_file_is_told(store).await;
    what_is_wanted_is_listed_per_number(store).await;
    a_wanted_file_is_put_once(store).await;
}

async fn providers_are_kept_per_number(store: &dyn Store) {
    assert_eq!(store.providers().await.unwrap(), []);
    store.put_providers(Vec::new()).await.unwrap();
    let (b, a) = (provider("1", "b", b"\0one", 1), provider("1", "a", b"", i64::MAX));
    let (upper, other) = (provider("1", "B", b"x", 2), provider("2", "b", b"two", 1));
    store
        .put_providers(vec![other.clone(), b.clone(), provider("1", "a", b"old", 5), upper.clone()])
        .await
        .unwrap();
    store.put_providers(vec![a.clone()]).await.unwrap();
    assert_eq!(store.providers().await.unwrap(), [upper, a, b, other], "replaced by name, case and all");
}

async fn a_deleted_provider_is_gone(store: &dyn Store) {
    assert!(store.delete_provider("1", "b").await.unwrap());
    assert!(!store.delete_provider("1", "b").await.unwrap());
    assert!(!store.delete_provider("3", "a").await.unwrap());
    let left: Vec<_> =
        store.providers().await.unwrap().into_iter().map(|row| (row.number, row.name)).collect();
    let named = |number: &str, name: &str| (number.to_owned(), name.to_owned());
    assert_eq!(left, [named("1", "B"), named("1", "a"), named("2", "b")]);
}

async fn the_newest_sources_are_kept(store: &dyn Store) {
    let held = async || held(store, 1..=5).await;
    for key in 1..=3 {
        store.put_source(digest(key), vec![key], 3).await.unwrap();
    }
    assert_eq!(held().await, [1, 2, 3]);
    // Written again, and again: what is replaced takes no place of the others.
    for round in 1..=10 {
        store.put_source(digest(1), vec![1, round], 3).await.unwrap();
    }
    assert_eq!(held().await, [1, 2, 3]);
    assert_eq!(store.source(digest(1)).await.unwrap(), Some(vec![1, 10]));
    store.put_source(digest(4), Vec::new(), 3).await.unwrap();
    assert_eq!(held().await, [1, 3, 4], "2 was the oldest once 1 had moved to the end");
    store.delete_source(digest(3)).await.unwrap();
    store.delete_source(digest(3)).await.unwrap();
    store.put_source(digest(5), vec![5], 3).await.unwrap();
    assert_eq!(held().await, [1, 4, 5], "a deleted one has made room");
    store.put_source(digest(2), vec![2], u64::MAX).await.unwrap();
    assert_eq!(held().await, [1, 2, 4, 5]);
    store.put_source(digest(3), vec![3], 2).await.unwrap();
    assert_eq!(held().await, [2, 3], "fewer than before");
    store.put_source(digest(1), vec![1], 0).await.unwrap();
    assert_eq!(held().await, [0; 0]);
}

async fn the_newest_uploads_are_kept(store: &dyn Store) {
    for key in 1..=3 {
        store.put_upload(digest(key), upload(key, 100), 2).await.unwrap();
    }
    assert_eq!(store.upload(digest(1)).await.unwrap(), None);
    store.put_upload(digest(2), upload(9, 50), 2).await.unwrap();
    assert_eq!(store.upload(digest(2)).await.unwrap(), Some(upload(9, 50)));
    store.put_upload(digest(4), upload(4, 200), 2).await.unwrap();
    assert_eq!(store.upload(digest(3)).await.unwrap(), None, "the oldest once 2 had moved to the end");
    store.delete_upload(digest(4), false).await.unwrap();
    store.delete_upload(digest(4), false).await.unwrap();
    assert_eq!(store.upload(digest(4)).await.unwrap(), None);
}

async fn pinned_uploads_stay(store: &dyn Store) {
    store.put_upload(digest(20), upload(20, 100), 2).await.unwrap();
    store.pin_upload(digest(20), upload(20, 100)).await.unwrap();
    store.pin_upload(digest(21), upload(21, 100)).await.unwrap();
    for key in 22..=25 {
        store.put_upload(digest(key), upload(key, 100), 2).await.unwrap();
    }
    let mut held = Vec::new();
    for key in 20..=25 {
        held.extend(store.upload(digest(key)).await.unwrap().map(|_| key));
    }
    assert_eq!(held, [20, 21, 24, 25], "pinned ones stay and take nobody's place");
    store.put_upload(digest(20), upload(30, 100), 2).await.unwrap();
    store.delete_upload(digest(20), false).await.unwrap();
    assert_eq!(store.upload(digest(20)).await.unwrap(), Some(upload(30, 100)), "pinned still");
    store.delete_upload(digest(20), true).await.unwrap();
    assert_eq!(store.upload(digest(20)).await.unwrap(), None);
    assert_eq!(store.purge_media(1_000).await.unwrap(), 3);
}

async fn uploads_are_purged(store: &dyn Store) {
    store.put_upload(digest(5), upload(5, 51), 2).await.unwrap();
    assert_eq!(store.purge_media(49).await.unwrap(), 0);
    assert_eq!(store.purge_media(50).await.unwrap(), 1, "at its end, not after");
    assert_eq!(store.upload(digest(2)).await.unwrap(), None);
    store.put_upload(digest(6), upload(6, 52), 2).await.unwrap();
    assert_eq!(store.upload(digest(5)).await.unwrap(), Some(upload(5, 51)), "what was purged takes no place");
    assert_eq!(store.purge_media(1_000).await.unwrap(), 2);
}

async fn files_are_kept_per_number(store: &dyn Store) {
    assert_eq!(store.kept_bytes().await.unwrap(), 0);
    let (one, two) = (file("1", "one", 1, 10), file("2", "two", 1, 10));
    store.put_file(one.clone()).await.unwrap();
    store.put_file(two.clone()).await.unwrap();
    assert_eq!(store.file("1", "one").await.unwrap(), Some(one.clone()));
    assert_eq!(store.file("2", "two").await.unwrap(), Some(two));
    assert_eq!(store.file("2", "one").await.unwrap(), None, "another number's");
    assert!(store.put_file(file("2", "one", 7, 7)).await.is_err(), "another number's id is not taken over");
    assert_eq!(store.file("1", "one").await.unwrap(), Some(one));
    assert!(store.put_file(FileRow { length: u64::MAX, ..file("1", "long", 9, 0) }).await.is_err());
    let again = FileRow { media_type: "image/png".into(), ..file("1", "one", 2, 20) };
    store.put_file(again.clone()).await.unwrap();
    assert_eq!(store.file("1", "one").await.unwrap(), Some(again));
}

async fn a_use_is_remembered(store: &dyn Store) {
    for (number, id) in [("1", "one"), ("2", "one"), ("1", "nothing")] {
        store.touch_file(number, id, 30).await.unwrap();
    }
    store.touch_file("1", "one", 25).await.unwrap();
    let used_at = async |number, id| store.file(number, id).await.unwrap().unwrap().used_at;
    assert_eq!((used_at("1", "one").await, used_at("2", "two").await), (30, 10));
    let unused = async |t, most| ids(store.files_unused_since(t, most).await.unwrap());
    assert_eq!(unused(9, 9).await, [""; 0]);
    assert_eq!(unused(10, 9).await, ["two"]);
    assert_eq!(unused(30, 9).await, ["two", "one"]);
    assert_eq!(unused(30, 1).await, ["two"]);
    assert_eq!(unused(30, 0).await, [""; 0]);
}

/// By now: `one` with digest 2, used at 30, and `two` with digest 1, used at 10.
async fn bytes_count_once(store: &dyn Store) {
    store.put_file(file("1", "three", 1, 20)).await.unwrap();
    assert_eq!(store.kept_bytes().await.unwrap(), 1_001 + 1_002);
    assert_eq!(store.kept_digests().await.unwrap(), [digest(1), digest(2)]);
    assert_eq!(store.files_with_digest(digest(1)).await.unwrap(), 2);
    assert_eq!(store.files_with_digest(digest(9)).await.unwrap(), 0);
    // Bytes are as old as their latest use.
    let oldest = async |skip, most| store.oldest_kept(skip, most).await.unwrap();
    assert_eq!(oldest(0, 9).await, [digest(1), digest(2)]);
    assert_eq!((oldest(1, 9).await, oldest(0, 1).await), (vec![digest(2)], vec![digest(1)]));
    assert_eq!(ids(store.files_of(digest(1)).await.unwrap()), ["two", "three"]);
    store.mark_not_kept(digest(1)).await.unwrap();
    store.mark_not_kept(digest(1)).await.unwrap();
    assert_eq!(oldest(0, 9).await, [digest(2)]);
    assert_eq!(store.kept_bytes().await.unwrap(), 1_002);
    assert_eq!(store.kept_digests().await.unwrap(), [digest(2)]);
    assert_eq!(store.files_with_digest(digest(1)).await.unwrap(), 2, "the ids stay");
    assert!(!store.file("2", "two").await.unwrap().unwrap().is_kept);
    store.put_file(FileRow { is_kept: false, ..file("1", "four", 1, 40) }).await.unwrap();
    assert_eq!(oldest(0, 9).await, [digest(2)]);
    // The bytes have come back, for everyone who has their digest.
    store.put_file(file("1", "five", 1, 50)).await.unwrap();
    assert_eq!(oldest(0, 9).await, [digest(2), digest(1)]);
    assert_eq!(ids(store.files_of(digest(1)).await.unwrap()), ["two", "three", "four", "five"]);
}

async fn a_deleted_file_is_told(store: &dyn Store) {
    assert_eq!(store.delete_file("2", "five").await.unwrap(), None, "another number's");
    assert_eq!(store.delete_file("1", "five").await.unwrap(), Some(file("1", "five", 1, 50)));
    assert_eq!(store.delete_file("1", "five").await.unwrap(), None);
    assert_eq!(store.files_with_digest(digest(1)).await.unwrap(), 3);
}

async fn what_is_wanted_is_listed_per_number(store: &dyn Store) {
    assert_eq!(store.wanted_media(9).await.unwrap(), []);
    store.want_media(Vec::new()).await.unwrap();
    let [late, early, same] = [wanted("1", "20", 30), wanted("1", "30", 10), wanted("1", "10", 30)];
    let other = wanted("2", "20", 20);
    store.want_media(vec![late.clone(), early.clone()]).await.unwrap();
    // Those that are there stay, whatever is said of them now.
    let again = WantedRow { media_type: "x".into(), ..wanted("1", "30", 99) };
    store.want_media(vec![again, other.clone(), same.clone()]).await.unwrap();
    let list = async |most| store.wanted_media(most).await.unwrap();
    assert_eq!(list(9).await, [early.clone(), other.clone(), same.clone(), late.clone()]);
    assert_eq!(list(2).await, [early.clone(), other.clone(), same.clone()], "a number hides no other's");
    assert_eq!(list(1).await, [early.clone(), other.clone()]);
    assert_eq!(list(0).await, []);
    for (number, id) in [("1", "20"), ("1", "20"), ("2", "10"), ("3", "30")] {
        store.drop_wanted(number, id).await.unwrap();
    }
    assert_eq!(list(9).await, [early, other, same]);
}

/// By now: `30` and `10` of the first number and `20` of the second.
async fn a_wanted_file_is_put_once(store: &dyn Store) {
    let list = async || ids_wanted(store.wanted_media(9).await.unwrap());
    let row = file("1", "30", 30, 100);
    assert!(store.put_wanted(row.clone()).await.unwrap());
    assert_eq!(store.file("1", "30").await.unwrap(), Some(row.clone()));
    assert_eq!(list().await, ["20", "10"]);
    assert!(!store.put_wanted(FileRow { media_type: "x".into(), ..row.clone() }).await.unwrap());
    assert_eq!(store.file("1", "30").await.unwrap(), Some(row), "nothing happens");
    assert!(!store.put_wanted(file("2", "10", 30, 100)).await.unwrap(), "another number's wish");
    assert_eq!(store.file("2", "10").await.unwrap(), None);
    // Another number's id is not taken over, and the wish stays.
    store.want_media(vec![wanted("2", "30", 40)]).await.unwrap();
    assert!(store.put_wanted(file("2", "30", 31, 100)).await.is_err());
    assert_eq!(list().await, ["20", "10", "30"]);
    store.drop_wanted("2", "30").await.unwrap();
    store.drop_wanted("2", "20").await.unwrap();
    store.delete_file("1", "30").await.unwrap();
}

#[test]
fn a_provider_prints_without_its_configuration() {
    let shown = format!("{:?}", provider("1", "cdn", b"canary", 1));
    assert!(shown.contains("cdn") && !shown.contains("99, 97") && !shown.contains("canary"), "{shown}");
}

async fn held(store: &dyn Store, keys: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut held = Vec::new();
    for key in keys {
        if store.source(digest(key)).await.unwrap().is_some() {
            held.push(key);
        }
    }
    held
}

fn ids(rows: Vec<FileRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.id).collect()
}

fn ids_wanted(rows: Vec<WantedRow>) -> Vec<String> {
    rows.into_iter().map(|row| row.media_id).collect()
}

fn wanted(number: &str, media_id: &str, added_at: i64) -> WantedRow {
    WantedRow { number: number.into(), media_id: media_id.into(), media_type: "image/png".into(), added_at }
}

fn digest(byte: u8) -> Digest {
    [byte; 32]
}

fn provider(number: &str, name: &str, config: &[u8], generation: i64) -> ProviderRow {
    ProviderRow { number: number.into(), name: name.into(), config: config.into(), generation }
}

fn upload(id: u8, usable_until: i64) -> UploadRow {
    UploadRow { media_id: format!("id-{id}"), usable_until }
}

/// A kept file whose length follows from its digest.
fn file(number: &str, id: &str, byte: u8, at: i64) -> FileRow {
    FileRow {
        id: id.into(),
        number: number.into(),
        digest: digest(byte),
        length: 1_000 + u64::from(byte),
        media_type: "image/jpeg".into(),
        created_at: at,
        used_at: at,
        is_kept: true,
    }
}
