//! A store that fails or stalls: memory must never say more than the store.

use std::sync::atomic::{AtomicBool, Ordering};

use prembridge::store::{Error, Identities, Jti, Reply, User};
use tokio::sync::Semaphore;

use super::*;

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
    store.gate.forget_permits(Semaphore::MAX_PERMITS);
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
    let store = Arc::new(Faulty {
        inner: Arc::new(Sqlite::memory().unwrap()),
        broken: AtomicBool::new(false),
        gate: Semaphore::new(1_000),
        entered: Semaphore::new(0),
    });
    let fixture = Fixture::with(Arc::clone(&store) as Arc<dyn Store>, settings()).await;
    fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
    (fixture, store)
}

struct Faulty {
    inner: Arc<dyn Store>,
    broken: AtomicBool,
    /// Changes pass one permit each.
    gate: Semaphore,
    /// One permit for each deletion that has begun.
    entered: Semaphore,
}

impl Faulty {
    fn pass<'a, T: 'a>(&'a self, change: Reply<'a, T>) -> Reply<'a, T> {
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            if self.broken.load(Ordering::SeqCst) { Err(Error::Full) } else { change.await }
        })
    }
}

impl Store for Faulty {
    fn identities(&self) -> Reply<'_, Identities> {
        self.inner.identities()
    }

    fn create_user(&self, user: User) -> Reply<'_, bool> {
        self.pass(self.inner.create_user(user))
    }

    fn set_password(&self, user: User) -> Reply<'_, bool> {
        self.pass(self.inner.set_password(user))
    }

    fn delete_user(&self, number: &str, name: &str) -> Reply<'_, bool> {
        self.entered.add_permits(1);
        self.pass(self.inner.delete_user(number, name))
    }

    fn revoke(&self, jti: Jti, expires_at: i64) -> Reply<'_, ()> {
        self.pass(self.inner.revoke(jti, expires_at))
    }

    fn purge_revocations(&self, now: i64) -> Reply<'_, usize> {
        self.inner.purge_revocations(now)
    }

    fn secret(&self, name: &str, candidate: Vec<u8>) -> Reply<'_, Vec<u8>> {
        self.inner.secret(name, candidate)
    }

    fn ping(&self) -> Reply<'_, ()> {
        self.inner.ping()
    }
}
