//! From the configuration file to the guard.

use std::sync::Arc;

use prembridge::app::{callback_guard, guard, refuses_private_links};
use prembridge::config::{Config, Env};
use prembridge::net::egress::Denial;

use super::{Door, connect, reason};

fn config(rest: &str, number: &str) -> Config {
    let text = format!("{rest}\n[[number]]\nphone_number_id = \"1\"\naccess_token = \"token\"\n{number}");
    Config::parse(&text, &Env::default()).unwrap_or_else(|problems| panic!("{problems}")).config
}

#[tokio::test]
async fn what_the_file_allows_is_reached() {
    let [open, shut, own] = ["127.0.0.2", "127.0.0.1", "127.0.0.2"].map(Door::on);
    let text = "egress = { allow = [\"127.0.0.2/31\", \"10.0.0.1\", \"LOCALHOST.\"], ports = [443] }";
    let guard = Arc::new(guard(&config(text, "").egress, vec![own.address()]));
    connect(&guard, &format!("http://{}/", open.address())).await.unwrap();
    let denied = connect(&guard, &format!("http://{}/", shut.address())).await;
    assert!(matches!(reason(denied), Denial::NotPublic(_)));
    assert_eq!(reason(connect(&guard, &format!("http://{}/", own.address())).await), Denial::Own);
    assert_eq!((open.count(), shut.count(), own.count()), (1, 0, 0));
    connect(&guard, &format!("http://localhost:{}/", shut.port())).await.unwrap();
    assert_eq!(shut.count(), 1, "the name is allowed, wherever it leads");
    assert!(guard.addresses("10.0.0.1", 22, false).await.is_ok());
    assert!(guard.addresses("8.8.8.8", 443, false).await.is_ok());
    assert_eq!(reason(guard.addresses("8.8.8.8", 80, false).await), Denial::Port(80));
}

#[tokio::test]
async fn callbacks_go_encrypted_or_where_the_file_allows() {
    let config = config("egress = { allow = [\"10.0.0.1\"], ports = [443] }", "");
    let own = "10.0.0.1:9090".parse().unwrap();
    let guard = callback_guard(&config.egress, vec![own]);
    assert!(guard.addresses("8.8.8.8", 9443, true).await.is_ok());
    assert_eq!(reason(guard.addresses("8.8.8.8", 443, false).await), Denial::Plain);
    assert!(guard.addresses("10.0.0.1", 22, false).await.is_ok());
    assert!(matches!(reason(guard.addresses("10.0.0.2", 443, true).await), Denial::NotPublic(_)));
    assert_eq!(reason(guard.addresses("10.0.0.1", 9090, true).await), Denial::Own);
}

#[test]
fn private_links_are_told_of_when_none_will_work() {
    let provider = "[[number.provider]]\nname = \"cdn\"";
    for (rest, number, expected) in [
        ("", "", true),
        ("media.links = \"upload\"", "", true),
        ("media.links = \"pass\"", "", false),
        ("media.links = \"pass\"", provider, true),
        ("egress.allow = [\"10.0.0.0/8\"]", provider, false),
    ] {
        assert_eq!(refuses_private_links(&config(rest, number)), expected, "{rest} {number}");
    }
}
