//! A store that fails or stalls: memory must never say more than the store.

use std::sync::atomic::Ordering;

use prembridge::store::Error;

use super::*;
use crate::support::faulty::Faulty;

#[tokio::test]
async fn when_the_store_fails_nothing_changes() {
    let (fixture, store) = faulty().await;
    let token = fixture.token("alice", GOOD).await;
    let principal = fixture.bearer(&token).unwrap();
    store.broken.store(true, Ordering::SeqCst);
    let sessions = &fixture.sessions;
    assert!(matches!(
        sessions.create_user("support", "bobby", GOOD).await,
        Err(UserError::Store(Error::Full))
    ));
    assert_eq!(sessions.user("support", "bobby"), None);
    assert!(matches!(
        sessions.set_password("support", "alice", BETTER).await,
        Err(UserError::Store(Error::Full))
    ));
    assert!(matches!(sessions.delete_user("support", "alice").await, Err(UserError::Store(Error::Full))));
    assert!(matches!(sessions.logout(&principal).await, Err(Error::Full)));
    assert!(matches!(fixture.change("alice", GOOD, BETTER).await, Err(LoginError::Store(Error::Full))));
    assert!(matches!(fixture.change("admin", "secret", GOOD).await, Err(LoginError::Store(Error::Full))));
    assert!(fixture.bearer(&token).is_ok());
    assert!(fixture.login("alice", GOOD).await.is_ok(), "a login needs no store");
    assert!(matches!(fixture.login("admin", "secret").await, Err(LoginError::PasswordChangeRequired)));
}

#[tokio::test]
async fn a_change_is_finished_although_the_client_hangs_up() {
    let (fixture, store) = faulty().await;
    let token = fixture.token("alice", GOOD).await;
    store.close();
    tokio::select! {
        biased;
        _ = fixture.sessions.delete_user("support", "alice") => panic!("the store should still be at it"),
        entered = store.entered.acquire() => entered.unwrap().forget(),
    }
    assert!(fixture.bearer(&token).is_ok(), "not committed, not shown");
    store.gate.add_permits(1_000);
    // The next change gets its turn after the one that nobody waits for.
    fixture.sessions.create_user("support", "bobby", GOOD).await.unwrap();
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked));
    assert_eq!(fixture.sessions.user("support", "alice"), None);
}

async fn faulty() -> (Fixture, Arc<Faulty>) {
    let store = Faulty::new();
    let fixture = Fixture::with(Arc::clone(&store) as Arc<dyn Store>, settings()).await;
    fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
    (fixture, store)
}
