//! Which credentials are accepted, and for how long.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::temp::TempDir;

#[tokio::test]
async fn two_logins_are_both_good_and_logout_ends_one() {
    let fixture = Fixture::with_alice().await;
    let (one, two) = tokio::join!(fixture.token("alice", GOOD), fixture.token("alice", GOOD));
    assert_ne!(one, two);
    let principal = fixture.bearer(&one).unwrap();
    assert_eq!((&*principal.user, principal.role), ("alice", Role::User));
    assert!(fixture.bearer(&two).is_ok());
    fixture.sessions.logout(&principal).await.unwrap();
    fixture.sessions.logout(&principal).await.unwrap();
    assert_eq!(fixture.bearer(&one), Err(Denied::Revoked));
    assert!(fixture.bearer(&two).is_ok());
}

#[tokio::test]
async fn a_token_lives_seven_days() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    fixture.clock.advance(WEEK - 1);
    assert!(fixture.bearer(&token).is_ok());
    fixture.clock.advance(1);
    assert_eq!(fixture.bearer(&token), Err(Denied::Expired));
}

#[tokio::test]
async fn a_token_of_another_number_or_installation_is_refused() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    fixture.sessions.create_user("sales", "alice", GOOD).await.unwrap();
    for number in ["sales", "nowhere"] {
        let answer = fixture.sessions.authenticate(number, Credential::Bearer(&token));
        assert_eq!(answer, Err(Denied::OtherNumber));
    }
    let other = Fixture::with_alice().await;
    assert_eq!(other.bearer(&token), Err(Denied::UnknownKey));
}

#[tokio::test]
async fn users_tokens_and_revocations_survive_a_restart() {
    let dir = TempDir::new();
    let path = dir.join("store.db");
    let (kept, ended) = {
        let fixture = Fixture::with(Arc::new(Sqlite::open(&path).unwrap()), settings()).await;
        fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
        let (kept, ended) = (fixture.token("alice", GOOD).await, fixture.token("alice", GOOD).await);
        fixture.sessions.logout(&fixture.bearer(&ended).unwrap()).await.unwrap();
        (kept, ended)
    };
    let fixture = Fixture::with(Arc::new(Sqlite::open(&path).unwrap()), settings()).await;
    assert!(fixture.bearer(&kept).is_ok());
    assert_eq!(fixture.bearer(&ended), Err(Denied::Revoked));
    assert!(fixture.login("alice", GOOD).await.is_ok());
}

#[tokio::test]
async fn another_replica_learns_of_changes_with_a_refresh() {
    let here = Fixture::new().await;
    let there = Fixture::with(Arc::clone(&here.store), settings()).await;
    here.sessions.create_user("support", "alice", GOOD).await.unwrap();
    assert!(there.sessions.user("support", "alice").is_none());
    assert!(
        matches!(there.sessions.create_user("support", "alice", BETTER).await, Err(UserError::Exists)),
        "the store decides"
    );
    there.sessions.refresh().await.unwrap();
    let (one, two) = (there.token("alice", GOOD).await, there.token("alice", GOOD).await);
    assert!(here.bearer(&one).is_ok(), "replicas share the key");
    here.sessions.logout(&here.bearer(&one).unwrap()).await.unwrap();
    there.sessions.refresh().await.unwrap();
    assert_eq!(there.bearer(&one), Err(Denied::Revoked));
    assert!(there.bearer(&two).is_ok());
    here.sessions.delete_user("support", "alice").await.unwrap();
    there.sessions.refresh().await.unwrap();
    assert_eq!(there.bearer(&two), Err(Denied::Revoked));
}

#[tokio::test]
async fn revocations_are_forgotten_once_their_tokens_have_expired() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    fixture.sessions.logout(&fixture.bearer(&token).unwrap()).await.unwrap();
    assert_eq!(fixture.sessions.purge().await.unwrap(), 0);
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked));
    fixture.clock.advance(WEEK);
    assert_eq!(fixture.sessions.purge().await.unwrap(), 1);
    assert_eq!(fixture.bearer(&token), Err(Denied::Expired));
}

#[tokio::test]
async fn api_keys_work_in_both_schemes_and_cannot_be_logged_out() {
    let mut settings = settings();
    settings.numbers[0].api_keys =
        vec![api_key(API_KEY, Role::User), api_key("admin-key-admin-key", Role::Admin)];
    let fixture = Fixture::with(Arc::new(Sqlite::memory().unwrap()), settings).await;
    let with = |number, credential| fixture.sessions.authenticate(number, credential);
    let principal = with("support", Credential::ApiKey(API_KEY)).unwrap();
    assert_eq!(principal, Principal { user: "api-key:1".into(), role: Role::User, token: None });
    assert_eq!(with("support", Credential::Bearer(API_KEY)), Ok(principal.clone()));
    assert_eq!(with("support", Credential::ApiKey("admin-key-admin-key")).unwrap().role, Role::Admin);
    fixture.sessions.logout(&principal).await.unwrap();
    assert!(with("support", Credential::ApiKey(API_KEY)).is_ok());
    // No key and no token is longer than 1 KiB.
    for (length, denied) in [(1024, Denied::UnknownKey), (1025, Denied::Malformed), (9000, Denied::Malformed)]
    {
        let key = "k".repeat(length);
        let authenticated = fixture.sessions.authenticate("support", Credential::ApiKey(&key));
        assert_eq!(authenticated, Err(denied), "{length}");
    }
    assert_eq!(with("sales", Credential::ApiKey(API_KEY)), Err(Denied::UnknownKey));
    assert_eq!(with("support", Credential::ApiKey(&API_KEY[1..])), Err(Denied::UnknownKey));
    assert_eq!(with("nowhere", Credential::ApiKey(API_KEY)), Err(Denied::UnknownKey));
}

#[tokio::test]
async fn junk_is_refused_by_its_kind() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    let [header, payload, signature]: [&str; 3] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
    let reordered = URL_SAFE_NO_PAD.encode(br#"{"typ":"JWT","alg":"HS256"}"#);
    let nonsense = URL_SAFE_NO_PAD.encode("[".repeat(500));
    let long = "x".repeat(1025);
    let cases = [
        (String::new(), Denied::Missing),
        (long, Denied::Malformed),
        ("junk".to_owned(), Denied::Malformed),
        (format!("{none}.{payload}."), Denied::Malformed),
        (format!("{none}.{payload}.{signature}"), Denied::Malformed),
        (format!("{reordered}.{payload}.{signature}"), Denied::Malformed),
        (format!("{header}.{payload}"), Denied::Malformed),
        (format!("{header}.{payload}.{signature}."), Denied::Malformed),
        (format!("{header}.{payload}.{signature}="), Denied::Malformed),
        (format!("{header}..{signature}"), Denied::Malformed),
        (format!("{header}.{nonsense}.{signature}"), Denied::Malformed),
        (format!("{header}.{payload}."), Denied::BadSignature),
        (format!("{header}.{payload}.{}", &signature[..40]), Denied::BadSignature),
        (format!("{header}.{payload}.{}", "A".repeat(43)), Denied::BadSignature),
    ];
    for (credential, expected) in cases {
        assert_eq!(fixture.bearer(&credential), Err(expected), "{credential}");
    }
    assert_eq!(fixture.sessions.authenticate("support", Credential::ApiKey(&token)), Err(Denied::UnknownKey));
}

#[test]
fn no_altered_token_is_accepted() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (fixture, token) = runtime.block_on(async {
        let fixture = Fixture::with_alice().await;
        let token = fixture.token("alice", GOOD).await;
        (fixture, token)
    });
    assert!(fixture.bearer(&token).is_ok());
    let length = token.len();
    let flipped = (0..length * 7).filter_map(|n| {
        let mut bytes = token.clone().into_bytes();
        bytes[n / 7] ^= 1 << (n % 7);
        String::from_utf8(bytes).ok()
    });
    for altered in flipped {
        assert!(fixture.bearer(&altered).is_err(), "{altered}");
    }
    proptest!(crate::support::seeded::config(256), |(
        at in 0..length,
        cut in 0..8_usize,
        insert in "[A-Za-z0-9_.=\\-é ]{0,6}",
    )| {
        let altered = format!("{}{insert}{}", &token[..at], &token[(at + cut).min(length)..]);
        prop_assume!(altered != token);
        prop_assert!(fixture.bearer(&altered).is_err(), "{}", altered);
    });
    proptest!(crate::support::seeded::config(256), |(junk in ".{0,1100}")| {
        prop_assert!(fixture.bearer(&junk).is_err());
        prop_assert!(fixture.sessions.authenticate("support", Credential::ApiKey(&junk)).is_err());
    });
}
