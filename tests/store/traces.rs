//! What is deleted does not stay in the file.

use std::fs;

use prembridge::store::{Batch, CallbackStore as _, NewCallback, Sqlite, Store as _};

use super::document;
use crate::temp::TempDir;

#[tokio::test]
async fn what_people_wrote_does_not_outlive_its_row() {
    const SECRET: &str = "canary-of-what-people-wrote";
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let holds_it = || fs::read(&path).unwrap().windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes());
    let store = Sqlite::open(&path).unwrap();
    let callback = NewCallback {
        number: "support".to_owned(),
        chat: "16315551234".to_owned(),
        key: None,
        wanted: None,
        body: SECRET.into(),
    };
    let batch = Batch { at: 10, callbacks: vec![callback], users: Vec::new() };
    let place = store.queue_callbacks(batch).await.unwrap()[0].unwrap();
    store.put_document(document("support", "notes", SECRET.as_bytes())).await.unwrap();
    // Closing it brings everything from the log into the file.
    drop(store);
    assert!(holds_it());
    let store = Sqlite::open(&path).unwrap();
    store.delete_callbacks(vec![place]).await.unwrap();
    assert!(store.delete_document("support", "notes").await.unwrap());
    drop(store);
    assert!(!holds_it());
}
