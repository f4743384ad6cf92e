//! A credential that was used before is judged like one that was not.

use std::time::Duration as Time;

use proptest::prelude::*;
use tokio::runtime::Builder;

use super::*;

/// How often a credential is used before something happens to it.
const USES: [usize; 3] = [0, 1, 2];

fn use_it(fixture: &Fixture, token: &str, uses: usize) {
    for _ in 0..uses {
        assert_eq!(&*fixture.bearer(token).unwrap().user, "alice");
    }
}

#[tokio::test]
async fn a_logout_ends_one_that_was_used_and_no_other() {
    for uses in USES {
        let fixture = Fixture::with_alice().await;
        let (ended, kept) = (fixture.token("alice", GOOD).await, fixture.token("alice", GOOD).await);
        use_it(&fixture, &ended, uses);
        use_it(&fixture, &kept, uses);
        let principal = fixture.bearer(&ended).unwrap();
        assert_eq!(fixture.bearer(&ended), Ok(principal.clone()), "the same token to log out, each time");
        fixture.sessions.logout(&principal).await.unwrap();
        for _ in USES {
            assert_eq!(fixture.bearer(&ended), Err(Denied::Revoked), "{uses}");
            assert!(fixture.bearer(&kept).is_ok(), "{uses}");
        }
    }
}

#[tokio::test]
async fn a_new_password_ends_one_that_was_used() {
    for uses in USES {
        let fixture = Fixture::with_alice().await;
        let token = fixture.token("alice", GOOD).await;
        use_it(&fixture, &token, uses);
        fixture.sessions.set_password("support", "alice", BETTER).await.unwrap();
        assert_eq!(fixture.bearer(&token), Err(Denied::Revoked), "{uses}");
        let token = fixture.token("alice", BETTER).await;
        use_it(&fixture, &token, uses);
        let renewed = fixture.change("alice", BETTER, GOOD).await.unwrap().token;
        assert_eq!(fixture.bearer(&token), Err(Denied::Revoked), "{uses}");
        use_it(&fixture, &renewed, uses + 1);
    }
}

#[tokio::test]
async fn deleting_its_user_ends_one_that_was_used_for_good() {
    for uses in USES {
        let fixture = Fixture::with_alice().await;
        let token = fixture.token("alice", GOOD).await;
        use_it(&fixture, &token, uses);
        fixture.sessions.delete_user("support", "alice").await.unwrap();
        assert_eq!(fixture.bearer(&token), Err(Denied::Revoked), "{uses}");
        fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
        assert_eq!(fixture.bearer(&token), Err(Denied::Revoked), "{uses}");
    }
}

#[tokio::test]
async fn one_that_was_used_expires_all_the_same() {
    for uses in USES {
        let fixture = Fixture::with_alice().await;
        let token = fixture.token("alice", GOOD).await;
        use_it(&fixture, &token, uses);
        fixture.clock.advance(WEEK - 1);
        use_it(&fixture, &token, uses);
        fixture.clock.advance(1);
        assert_eq!(fixture.bearer(&token), Err(Denied::Expired), "{uses}");
        fixture.sessions.purge().await.unwrap();
        assert_eq!(fixture.bearer(&token), Err(Denied::Expired), "{uses}");
    }
}

#[tokio::test]
async fn a_purge_ends_no_good_one() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    use_it(&fixture, &token, 1);
    fixture.sessions.purge().await.unwrap();
    use_it(&fixture, &token, 2);
}

#[tokio::test]
async fn one_that_was_used_is_still_of_its_number_and_scheme() {
    for uses in USES {
        let fixture = Fixture::with_alice().await;
        let token = fixture.token("alice", GOOD).await;
        use_it(&fixture, &token, uses);
        let elsewhere = fixture.sessions.authenticate("sales", Credential::Bearer(&token));
        assert_eq!(elsewhere, Err(Denied::OtherNumber), "{uses}");
        let as_key = fixture.sessions.authenticate("support", Credential::ApiKey(&token));
        assert_eq!(as_key, Err(Denied::UnknownKey), "{uses}");
        use_it(&fixture, &token, uses);
    }
}

#[tokio::test]
async fn a_replica_learns_what_ended_one_that_it_has_seen() {
    for uses in USES {
        let here = Fixture::with_alice().await;
        let there = Fixture::with(Arc::clone(&here.store), settings()).await;
        let (one, two) = (here.token("alice", GOOD).await, here.token("alice", GOOD).await);
        use_it(&there, &one, uses);
        use_it(&there, &two, uses);
        here.sessions.logout(&here.bearer(&one).unwrap()).await.unwrap();
        there.sessions.refresh().await.unwrap();
        assert_eq!(there.bearer(&one), Err(Denied::Revoked), "{uses}");
        use_it(&there, &two, uses);
        here.sessions.delete_user("support", "alice").await.unwrap();
        there.sessions.refresh().await.unwrap();
        assert_eq!(there.bearer(&two), Err(Denied::Revoked), "{uses}");
    }
}

/// Installations of one process, and the same one started anew with other keys, know nothing of each other.
#[tokio::test]
async fn others_do_not_know_one_that_was_used_here() {
    let mut with_key = settings();
    with_key.numbers[0].api_keys = vec![api_key(API_KEY, Role::User)];
    for uses in USES {
        let here = Fixture::with(Arc::new(Sqlite::memory().unwrap()), with_key.clone()).await;
        here.sessions.create_user("support", "alice", GOOD).await.unwrap();
        let token = here.token("alice", GOOD).await;
        use_it(&here, &token, uses);
        for _ in 0..uses {
            assert_eq!(&*here.bearer(API_KEY).unwrap().user, "api-key:1");
            assert!(here.sessions.authenticate("support", Credential::ApiKey(API_KEY)).is_ok());
        }
        let removed = Fixture::with(Arc::clone(&here.store), settings()).await;
        assert_eq!(removed.bearer(API_KEY), Err(Denied::Malformed), "{uses}");
        let answer = removed.sessions.authenticate("support", Credential::ApiKey(API_KEY));
        assert_eq!(answer, Err(Denied::UnknownKey), "{uses}");
        let stranger = Fixture::with_alice().await;
        assert_eq!(stranger.bearer(&token), Err(Denied::UnknownKey), "{uses}");
        assert!(here.bearer(&token).is_ok() && here.bearer(API_KEY).is_ok(), "{uses}");
    }
}

#[tokio::test]
async fn what_resembles_one_that_was_used_is_refused() {
    let mut settings = settings();
    settings.numbers[0].api_keys = vec![api_key(API_KEY, Role::User)];
    let fixture = Fixture::with(Arc::new(Sqlite::memory().unwrap()), settings).await;
    fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
    let token = fixture.token("alice", GOOD).await;
    let other = fixture.token("alice", GOOD).await;
    for _ in 0..2 {
        assert!(fixture.bearer(&token).is_ok() && fixture.bearer(&other).is_ok());
        assert!(fixture.bearer(API_KEY).is_ok());
        let (start, signature) = token.rsplit_once('.').unwrap();
        let (others_start, others_signature) = other.rsplit_once('.').unwrap();
        for mixed in [format!("{start}.{others_signature}"), format!("{others_start}.{signature}")] {
            assert_eq!(fixture.bearer(&mixed), Err(Denied::BadSignature));
        }
        for length in 1..token.len() {
            assert!(fixture.bearer(&token[..length]).is_err(), "{length}");
        }
        for wrong in
            [&API_KEY[1..], &API_KEY[..15], "1123456789abcdef", "0123456789abcdeg", "0123456789abcdef0"]
        {
            assert_eq!(
                fixture.sessions.authenticate("support", Credential::ApiKey(wrong)),
                Err(Denied::UnknownKey)
            );
        }
    }
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Login(usize),
    Logout(prop::sample::Index),
    Password(usize),
    Delete(usize),
    Create(usize),
    Later(i64),
    Purge,
    /// Presents some credentials once more, so that they differ in how lately they were used.
    Use(prop::sample::Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Event::Login),
        2 => any::<prop::sample::Index>().prop_map(Event::Logout),
        1 => (0..2_usize).prop_map(Event::Password),
        1 => (0..2_usize).prop_map(Event::Delete),
        2 => (0..2_usize).prop_map(Event::Create),
        2 => (0..WEEK).prop_map(Event::Later),
        1 => Just(Event::Purge),
        2 => any::<prop::sample::Index>().prop_map(Event::Use),
    ]
}

const USERS: [&str; 2] = ["alice", "configured"];

fn two_users() -> Settings {
    let mut settings = Settings { token_lifetime: Time::from_hours(48), ..settings() };
    settings.numbers[0].users = vec![configured("configured", GOOD, Role::Admin)];
    settings.numbers[1].users = vec![configured("configured", GOOD, Role::User)];
    settings.numbers[0].api_keys = vec![api_key(API_KEY, Role::User)];
    settings
}

async fn happens(fixture: &Fixture, event: Event, known: &mut Vec<String>) {
    let sessions = &fixture.sessions;
    // What is refused changes nothing, which is as good a case as any.
    match event {
        Event::Login(user) => {
            if let Ok(login) = fixture.login(USERS[user], GOOD).await {
                known.push(login.token);
            }
        }
        Event::Logout(which) => {
            if let Ok(principal) = fixture.bearer(&known[which.index(known.len())]) {
                sessions.logout(&principal).await.unwrap();
            }
        }
        Event::Password(user) => drop(sessions.set_password("support", USERS[user], GOOD).await),
        Event::Delete(user) => drop(sessions.delete_user("support", USERS[user]).await),
        Event::Create(user) => drop(sessions.create_user("support", USERS[user], GOOD).await),
        Event::Later(seconds) => fixture.clock.advance(seconds),
        Event::Purge => drop(sessions.purge().await.unwrap()),
        Event::Use(which) => drop(fixture.bearer(&known[which.index(known.len())])),
    }
}

proptest! {
    #![proptest_config(crate::support::seeded::config(40))]

    #[test]
    fn verdicts_do_not_depend_on_what_was_used_before(events in prop::collection::vec(event(), 1..25)) {
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let fixture = Fixture::with(Arc::new(Sqlite::memory().unwrap()), two_users()).await;
            let mut known = vec![API_KEY.to_owned(), "wrong-key".to_owned()];
            for event in events {
                happens(&fixture, event, &mut known).await;
                let fresh =
                    Sessions::open(Arc::clone(&fixture.store), fixture.clock.clone(), two_users()).await.unwrap();
                for text in &known {
                    for (number, credential) in [
                        ("support", Credential::Bearer(text)),
                        ("support", Credential::ApiKey(text)),
                        ("sales", Credential::Bearer(text)),
                    ] {
                        let expected = fresh.authenticate(number, credential);
                        prop_assert_eq!(&fixture.sessions.authenticate(number, credential), &expected);
                        prop_assert_eq!(&fixture.sessions.authenticate(number, credential), &expected);
                    }
                }
            }
            Ok(())
        })?;
    }
}
