use futures_util::future::{FutureExt, join_all};
use secrecy::SecretString;

use super::*;
use crate::clock::Clock;
use crate::session::{ConfiguredUser, HashCost, NumberAccess, Role, Settings};
use crate::store::Sqlite;

/// With no room in the queue for hashes, whoever needs a hash is told to wait. So this shows who does.
#[tokio::test]
async fn every_login_hashes_whoever_it_is_for() {
    let sessions = open().await;
    sessions.create_user("support", "stored", "Abcdef1!").await.unwrap();
    let places = sessions.0.hasher.take_all_places();
    let users = ["stored", "configured", "admin", "nobody", ""];
    for (number, user) in users.map(|user| ("support", user)).into_iter().chain([("nowhere", "stored")]) {
        for password in ["Abcdef1!", "secret", "wrong", ""] {
            let answer = sessions.login(number, user, password, None, peer()).await;
            assert!(matches!(answer, Err(LoginError::Throttled { .. })), "{user}: {answer:?}");
        }
    }
    let long = "x".repeat(MAX_CREDENTIAL + 1);
    for (user, password) in [("stored", long.as_str()), (long.as_str(), "wrong")] {
        let answer = sessions.login("support", user, password, None, peer()).await;
        assert!(matches!(answer, Err(LoginError::InvalidCredentials)), "{answer:?}");
    }
    drop(places);
    assert!(sessions.login("support", "stored", "Abcdef1!", None, peer()).await.is_ok());
}

/// No hash begins while the turns are taken, so what follows does not depend on anybody's speed.
#[tokio::test]
async fn a_flood_of_random_names_leaves_room_for_other_addresses() {
    let sessions = open().await;
    let elsewhere = IpAddr::from([192, 0, 2, 2]);
    let right = |peer| sessions.login("support", "configured", "simple", None, peer);
    let names: Vec<_> = (0..100).map(|n| format!("user{n}")).collect();
    let flood = || join_all(names.iter().map(|name| sessions.login("support", name, "x", None, peer())));
    let throttled = |answers: &[Result<Login, LoginError>]| {
        answers.iter().filter(|answer| matches!(answer, Err(LoginError::Throttled { .. }))).count()
    };
    let release = |turns| async move { drop(turns) };

    let turns = sessions.0.hasher.take_all_turns();
    let (flooded, other, ()) = tokio::join!(biased; flood(), right(elsewhere), release(turns));
    assert_eq!(throttled(&flooded), 44, "56 of the 65 places");
    assert!(other.is_ok(), "{other:?}");

    let turns = sessions.0.hasher.take_all_turns();
    let (flooded, here, other, ()) =
        tokio::join!(biased; flood(), right(peer()), right(elsewhere), release(turns));
    assert_eq!(throttled(&flooded), 99, "it is noisy by now");
    assert!(
        matches!(here, Err(LoginError::Throttled { retry_after }) if retry_after == BUSY_WAIT),
        "{here:?}"
    );
    assert!(other.is_ok(), "{other:?}");
    assert!(right(peer()).await.is_ok(), "one at a time");

    sessions.0.clock.advance(60);
    let turns = sessions.0.hasher.take_all_turns();
    let (two, ()) = tokio::join!(biased; join_all([right(peer()), right(peer())]), release(turns));
    assert!(two.iter().all(Result::is_ok), "{two:?}");
}

/// The only thread for hashes is busy, so that the hash of whoever hangs up has begun and is not done.
#[test]
fn hanging_up_does_not_give_a_noisy_network_another_hash() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let sessions = open().await;
        for n in 0..21 {
            let answer = sessions.login("support", &format!("user{n}"), "x", None, peer()).await;
            assert!(matches!(answer, Err(LoginError::InvalidCredentials)), "{answer:?}");
        }
        let login = || sessions.login("support", "configured", "simple", None, peer());
        let (release, released) = std::sync::mpsc::channel::<()>();
        let busy = tokio::task::spawn_blocking(move || released.recv());
        // Dropped after the first look at it, as when the client hangs up.
        assert!(login().now_or_never().is_none(), "the hash should still be waited for");
        let answer = login().now_or_never();
        assert!(matches!(answer, Some(Err(LoginError::Throttled { .. }))), "{answer:?}");
        drop(release);
        assert!(busy.await.unwrap().is_err());
        // The thread does its work in order, so that hash is done when this is.
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        assert!(login().await.is_ok());
    });
}

#[test]
fn the_expiry_is_written_as_on_prem_did() {
    let login = Login { token: String::new(), expires_at: 1_519_918_166 };
    assert_eq!(login.expires_after(), "2018-03-01 15:29:26+00:00");
}

#[test]
fn a_login_prints_without_its_token() {
    let login = Login { token: "eyJ".to_owned(), expires_at: 1 };
    assert!(!format!("{login:?}").contains("eyJ"));
}

async fn open() -> Sessions {
    let configured = ConfiguredUser {
        name: "configured".to_owned(),
        password: SecretString::from("simple"),
        role: Role::User,
    };
    let access = NumberAccess { name: "support".to_owned(), users: vec![configured], api_keys: Vec::new() };
    let hash_cost = HashCost { memory_kib: 8, passes: 1, lanes: 1 };
    let settings = Settings { hash_cost, numbers: vec![access], ..Settings::default() };
    Sessions::open(Arc::new(Sqlite::memory().unwrap()), Clock::fixed(1_000), settings).await.unwrap()
}

fn peer() -> IpAddr {
    IpAddr::from([192, 0, 2, 1])
}
