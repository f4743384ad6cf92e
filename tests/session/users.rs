//! Making, changing and removing users, and what that does to their tokens.

use super::*;

#[tokio::test]
async fn users_come_and_go() {
    let fixture = Fixture::with_alice().await;
    let sessions = &fixture.sessions;
    assert_eq!(sessions.user("support", "alice"), Some(UserInfo { name: "alice".into(), role: Role::User }));
    assert_eq!(sessions.user("support", "admin").unwrap().role, Role::Admin);
    assert_eq!(sessions.user("support", "nobody"), None);
    assert_eq!(sessions.user("sales", "alice"), None);
    assert!(matches!(sessions.create_user("support", "alice", GOOD).await, Err(UserError::Exists)));
    assert!(matches!(sessions.create_user("support", "admin", GOOD).await, Err(UserError::Exists)));
    assert!(matches!(sessions.create_user("support", "bob", GOOD).await, Err(UserError::BadName(_))));
    assert!(matches!(sessions.create_user("support", "bobby", "weak").await, Err(UserError::BadPassword(_))));
    assert!(matches!(sessions.create_user("nowhere", "bobby", GOOD).await, Err(UserError::NotFound)));
    assert!(matches!(sessions.set_password("support", "nobody", GOOD).await, Err(UserError::NotFound)));
    assert!(matches!(
        sessions.set_password("support", "alice", "weak").await,
        Err(UserError::BadPassword(_))
    ));
    assert!(matches!(sessions.delete_user("support", "nobody").await, Err(UserError::NotFound)));
    assert!(matches!(sessions.delete_user("support", "admin").await, Err(UserError::Forbidden(_))));
    sessions.delete_user("support", "alice").await.unwrap();
    assert_eq!(sessions.user("support", "alice"), None);
    assert!(matches!(fixture.login("alice", GOOD).await, Err(LoginError::InvalidCredentials)));
}

#[tokio::test]
async fn a_new_password_ends_all_tokens() {
    let fixture = Fixture::with_alice().await;
    let (one, two) = (fixture.token("alice", GOOD).await, fixture.token("alice", GOOD).await);
    fixture.sessions.set_password("support", "alice", BETTER).await.unwrap();
    assert_eq!(fixture.bearer(&one), Err(Denied::Revoked));
    assert_eq!(fixture.bearer(&two), Err(Denied::Revoked));
    assert!(matches!(fixture.login("alice", GOOD).await, Err(LoginError::InvalidCredentials)));
    let token = fixture.token("alice", BETTER).await;

    let renewed = fixture.change("alice", BETTER, GOOD).await.unwrap().token;
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked), "the login may change it, too");
    assert!(fixture.bearer(&renewed).is_ok());
    assert!(matches!(fixture.change("alice", GOOD, "weak").await, Err(LoginError::BadPassword(_))));
    assert!(fixture.bearer(&renewed).is_ok(), "a refused one changes nothing");
    fixture.change("alice", GOOD, GOOD).await.unwrap();
    assert!(fixture.bearer(&renewed).is_ok(), "nor does the one in force");
}

#[tokio::test]
async fn a_user_made_anew_does_not_revive_old_tokens() {
    let fixture = Fixture::with_alice().await;
    let token = fixture.token("alice", GOOD).await;
    fixture.sessions.delete_user("support", "alice").await.unwrap();
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked));
    fixture.sessions.create_user("support", "alice", GOOD).await.unwrap();
    assert_eq!(fixture.bearer(&token), Err(Denied::Revoked));
    assert!(fixture.login("alice", GOOD).await.is_ok());
}

#[tokio::test]
async fn an_admin_key_can_set_the_admins_first_password() {
    let fixture = Fixture::new().await;
    fixture.sessions.set_password("support", "admin", GOOD).await.unwrap();
    assert!(matches!(fixture.login("admin", "secret").await, Err(LoginError::InvalidCredentials)));
    assert!(fixture.login("admin", GOOD).await.is_ok());
}

#[tokio::test]
async fn of_two_users_made_at_once_one_wins() {
    let fixture = Fixture::new().await;
    let make = || fixture.sessions.create_user("support", "alice", GOOD);
    let (one, two) = tokio::join!(make(), make());
    assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
}
