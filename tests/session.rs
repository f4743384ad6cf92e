//! Logins and tokens as the server will use them, with a cheap hash and a clock that stands still.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use prembridge::clock::Clock;
use prembridge::session::{
    ApiKey, ConfiguredUser, Credential, Denied, HashCost, Login, LoginError, NumberAccess, Principal, Role,
    Sessions, Settings, UserError, UserInfo,
};
use prembridge::store::{Sqlite, Store};
use secrecy::SecretString;

mod failing_store;
mod remembered;
mod tokens;
mod users;

const NOW: i64 = 1_700_000_000;
const WEEK: i64 = 7 * 24 * 3600;
const GOOD: &str = "Abcdef1!";
const BETTER: &str = "Ghijkl2?";
const API_KEY: &str = "0123456789abcdef";

/// Sessions of two numbers, `support` and `sales`, with their clock and store.
struct Fixture {
    sessions: Sessions,
    clock: Clock,
    store: Arc<dyn Store>,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(Arc::new(Sqlite::memory().unwrap()), settings()).await
    }

    async fn with(store: Arc<dyn Store>, settings: Settings) -> Self {
        let clock = Clock::fixed(NOW);
        let sessions = Sessions::open(Arc::clone(&store), clock.clone(), settings).await.unwrap();
        Self { sessions, clock, store }
    }

    /// With a stored user `alice` at `support`.
    async fn with_alice() -> Self {
        let fixture = Self::new().await;
        fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
        fixture
    }

    async fn login(&self, user: &str, password: &str) -> Result<Login, LoginError> {
        self.login_from(1, user, password).await
    }

    async fn login_from(&self, host: u8, user: &str, password: &str) -> Result<Login, LoginError> {
        self.sessions.login("support", user, password, None, peer(host)).await
    }

    async fn change(&self, user: &str, password: &str, new: &str) -> Result<Login, LoginError> {
        self.sessions.login("support", user, password, Some(new), peer(1)).await
    }

    async fn token(&self, user: &str, password: &str) -> String {
        self.login(user, password).await.unwrap().token
    }

    fn bearer(&self, token: &str) -> Result<Principal, Denied> {
        self.sessions.authenticate("support", Credential::Bearer(token))
    }
}

fn settings() -> Settings {
    Settings {
        hash_cost: HashCost { memory_kib: 8, passes: 1, lanes: 1 },
        numbers: vec![number("support"), number("sales")],
        ..Settings::default()
    }
}

fn number(name: &str) -> NumberAccess {
    NumberAccess { name: name.to_owned(), users: Vec::new(), api_keys: Vec::new() }
}

fn configured(name: &str, password: &str, role: Role) -> ConfiguredUser {
    ConfiguredUser { name: name.to_owned(), password: SecretString::from(password), role }
}

fn api_key(key: &str, role: Role) -> ApiKey {
    ApiKey { key: SecretString::from(key), role }
}

fn peer(host: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, host])
}

fn retry_after(answer: Result<Login, LoginError>) -> Duration {
    if let Err(LoginError::Throttled { retry_after }) = answer {
        retry_after
    } else {
        panic!("should have been throttled: {answer:?}")
    }
}

#[tokio::test]
async fn the_first_login_of_admin_must_change_the_password() {
    let fixture = Fixture::new().await;
    assert!(matches!(fixture.login("admin", "secret").await, Err(LoginError::PasswordChangeRequired)));
    assert!(matches!(fixture.login("admin", "wrong").await, Err(LoginError::InvalidCredentials)));
    assert!(matches!(fixture.change("admin", "wrong", GOOD).await, Err(LoginError::InvalidCredentials)));
    assert!(matches!(fixture.change("admin", "secret", "weak").await, Err(LoginError::BadPassword(_))));
    // "secret" again is no change, and no change is what is refused.
    assert!(matches!(
        fixture.change("admin", "secret", "secret").await,
        Err(LoginError::PasswordChangeRequired)
    ));
    let login = fixture.change("admin", "secret", GOOD).await.unwrap();
    assert_eq!(login.expires_at, NOW + WEEK);
    let principal = fixture.bearer(&login.token).unwrap();
    assert_eq!((&*principal.user, principal.role), ("admin", Role::Admin));
    assert!(matches!(fixture.login("admin", "secret").await, Err(LoginError::InvalidCredentials)));
    assert!(fixture.login("admin", GOOD).await.is_ok());
    let elsewhere = fixture.sessions.login("sales", "admin", "secret", None, peer(1)).await;
    assert!(matches!(elsewhere, Err(LoginError::PasswordChangeRequired)), "each number has its own admin");
}

/// A load script logs in with `new_password` first and falls back to the plain login; so both orders work.
#[tokio::test]
async fn a_repeated_first_login_falls_back_to_the_plain_one() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        if fixture.change("admin", "secret", GOOD).await.is_err() {
            fixture.login("admin", GOOD).await.unwrap();
        }
    }
}

#[tokio::test]
async fn of_two_first_logins_at_once_one_wins() {
    let fixture = Fixture::new().await;
    let (one, two) =
        tokio::join!(fixture.change("admin", "secret", GOOD), fixture.change("admin", "secret", BETTER));
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    let winner = if one.is_ok() { GOOD } else { BETTER };
    assert!(fixture.bearer(&one.or(two).unwrap().token).is_ok());
    assert!(fixture.login("admin", winner).await.is_ok());
}

#[tokio::test]
async fn a_configured_admin_password_is_authoritative_everywhere() {
    let settings = Settings { admin_password: Some(SecretString::from("simple")), ..settings() };
    let fixture = Fixture::with(Arc::new(Sqlite::memory().unwrap()), settings).await;
    for number in ["support", "sales"] {
        let login = |password, new| fixture.sessions.login(number, "admin", password, new, peer(1));
        assert!(login("simple", None).await.is_ok());
        assert!(login("simple", Some("simple")).await.is_ok(), "the one in force is no change");
        assert!(matches!(login("simple", Some(GOOD)).await, Err(LoginError::Forbidden(_))));
        assert!(matches!(login("secret", Some(GOOD)).await, Err(LoginError::InvalidCredentials)));
        let changed = fixture.sessions.set_password(number, "admin", GOOD).await;
        assert!(matches!(changed, Err(UserError::Forbidden(_))));
    }
}

#[tokio::test]
async fn a_configured_admin_password_ends_the_stored_ones_tokens() {
    let fixture = Fixture::new().await;
    let token = fixture.change("admin", "secret", GOOD).await.unwrap().token;
    let settings = Settings { admin_password: Some(SecretString::from(BETTER)), ..settings() };
    let fixture = Fixture::with(fixture.store, settings).await;
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked));
    assert!(matches!(fixture.login("admin", GOOD).await, Err(LoginError::InvalidCredentials)));
    assert!(fixture.login("admin", BETTER).await.is_ok());
}

#[tokio::test]
async fn configured_users_beat_stored_ones() {
    let fixture = Fixture::with_alice().await;
    let mut settings = settings();
    settings.numbers[0].users = vec![configured("alice", "short", Role::Admin)];
    let fixture = Fixture::with(fixture.store, settings.clone()).await;
    assert!(matches!(fixture.login("alice", GOOD).await, Err(LoginError::InvalidCredentials)));
    let token = fixture.token("alice", "short").await;
    assert_eq!(fixture.bearer(&token).unwrap().role, Role::Admin);
    assert_eq!(
        fixture.sessions.user("support", "alice"),
        Some(UserInfo { name: "alice".into(), role: Role::Admin })
    );
    let sessions = &fixture.sessions;
    assert!(matches!(sessions.create_user("support", "alice", GOOD).await, Err(UserError::Exists)));
    assert!(matches!(sessions.set_password("support", "alice", GOOD).await, Err(UserError::Forbidden(_))));
    assert!(matches!(sessions.delete_user("support", "alice").await, Err(UserError::Forbidden(_))));
    let elsewhere = sessions.login("sales", "alice", "short", None, peer(1)).await;
    assert!(matches!(elsewhere, Err(LoginError::InvalidCredentials)));

    let again = Fixture::with(Arc::clone(&fixture.store), settings.clone()).await;
    assert!(again.bearer(&token).is_ok(), "a restart changes nothing");
    settings.numbers[0].users = vec![configured("alice", "other", Role::Admin)];
    let changed = Fixture::with(fixture.store, settings).await;
    assert_eq!(changed.bearer(&token), Err(Denied::Revoked), "another password in the file does");
}

#[tokio::test]
async fn contradicting_settings_are_refused() {
    let twice = [configured("alice", "a", Role::User), configured("alice", "b", Role::User)];
    let cases = [
        NumberAccess { users: twice.to_vec(), ..number("x") },
        NumberAccess { users: vec![configured("alice", "", Role::User)], ..number("x") },
        NumberAccess { users: vec![configured("a:b", "a", Role::User)], ..number("x") },
        NumberAccess { api_keys: vec![api_key("", Role::User)], ..number("x") },
        NumberAccess { api_keys: vec![api_key("k", Role::User), api_key("k", Role::Admin)], ..number("x") },
        number(&"x".repeat(129)),
        number("support"),
    ];
    for case in cases {
        let mut settings = settings();
        settings.numbers.push(case);
        let opened = Sessions::open(Arc::new(Sqlite::memory().unwrap()), Clock::fixed(NOW), settings).await;
        let sentence = opened.err().expect("should have been refused").to_string();
        assert!(sentence.contains("number"), "{sentence}");
    }
}

#[tokio::test]
async fn five_failures_lock_the_pair_and_time_unlocks_it() {
    let fixture = Fixture::with_alice().await;
    fixture.sessions.create_user("support", "bobby", GOOD).await.unwrap();
    let token = fixture.token("alice", GOOD).await;
    for _ in 0..5 {
        assert!(matches!(fixture.login("alice", "wrong").await, Err(LoginError::InvalidCredentials)));
    }
    assert_eq!(
        retry_after(fixture.login("alice", GOOD).await),
        Duration::from_secs(1),
        "the right one waits, too"
    );
    assert!(fixture.login("bobby", GOOD).await.is_ok(), "another user at that address does not");
    assert!(fixture.login_from(2, "alice", GOOD).await.is_ok(), "nor the user at another address");
    assert!(fixture.bearer(&token).is_ok(), "tokens are not concerned");
    fixture.clock.advance(1);
    assert!(matches!(fixture.login("alice", "wrong").await, Err(LoginError::InvalidCredentials)));
    assert_eq!(retry_after(fixture.login("alice", GOOD).await), Duration::from_secs(2));
    fixture.clock.advance(2);
    assert!(fixture.login("alice", GOOD).await.is_ok());
    assert!(matches!(fixture.login("alice", "wrong").await, Err(LoginError::InvalidCredentials)));
    assert!(fixture.login("alice", GOOD).await.is_ok(), "success starts anew");
}

/// A fleet behind a load balancer has one address, and starts all at once after an outage.
#[tokio::test]
async fn fifty_right_logins_at_once_from_one_address_are_fine() {
    let fixture = Fixture::with_alice().await;
    for _ in 0..2 {
        let logins = join_all((0..50).map(|_| fixture.login("alice", GOOD))).await;
        assert!(logins.iter().all(Result::is_ok), "{logins:?}");
    }
}

#[tokio::test]
async fn an_address_that_failed_often_logs_in_one_after_the_other() {
    let fixture = Fixture::with_alice().await;
    for n in 0..30 {
        let answer = fixture.login(&format!("user{n}"), "wrong").await;
        assert!(matches!(answer, Err(LoginError::InvalidCredentials)), "{answer:?}");
    }
    for _ in 0..10 {
        assert!(fixture.login("alice", GOOD).await.is_ok());
    }
}

#[tokio::test]
async fn unknown_users_are_locked_like_known_ones() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        assert!(matches!(fixture.login("nobody", "wrong").await, Err(LoginError::InvalidCredentials)));
    }
    assert_eq!(retry_after(fixture.login("nobody", "wrong").await), Duration::from_secs(1));
}

#[tokio::test]
async fn a_burst_of_wrong_passwords_from_everywhere_delays_for_five_seconds() {
    let fixture = Fixture::with_alice().await;
    for host in 0..50 {
        assert!(matches!(
            fixture.login_from(host, "alice", "wrong").await,
            Err(LoginError::InvalidCredentials)
        ));
    }
    assert_eq!(retry_after(fixture.login_from(100, "alice", GOOD).await), Duration::from_secs(5));
    fixture.clock.advance(5);
    assert!(fixture.login_from(100, "alice", GOOD).await.is_ok());
}
