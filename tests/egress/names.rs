//! S13, S14, S17: what names resolve to, what the operator allows, and which ports.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prembridge::callback::{Dial as _, Http, Outcome};
use prembridge::config::Secret;
use prembridge::net::egress::{Denial, Guard, Ports, Resolve, Resolving, Rules};
use prembridge::net::{ConnectError, Connector, Deadlines, client_config};
use prembridge::onprem::settings::Patch;
use prembridge::settings::{Documents, Settings};
use prembridge::store::{Sqlite, Store};
use tower_service::Service;

use crate::stub::Sink;

use super::{Door, Script, by_system, connect, reason, rules};

const PUBLIC: &str = "100.128.0.1";

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

fn guard(rules: Rules, resolver: Arc<Script>) -> Arc<Guard> {
    Arc::new(Guard::new(rules, Vec::new(), resolver))
}

/// What a client names is judged again, at the address that is dialled; what the operator named is not.
#[tokio::test]
async fn a_callback_url_that_has_become_private_gets_nothing() {
    let sink = Sink::start().await;
    let port = sink.url().split(':').nth(2).unwrap().split('/').next().unwrap().parse().unwrap();
    let script = Script::new([&[at(PUBLIC, port)], &[at("127.0.0.1", port)]]);
    let guard = guard(Rules { ports: Ports::Any, ..rules([]) }, Arc::clone(&script));
    assert!(guard.addresses("client.example", port, false).await.is_ok(), "when it is set");
    let url = format!("http://client.example:{port}/callback");
    let deadlines = Deadlines { connect: Duration::from_secs(10), tls: Duration::from_secs(10) };
    let store: Arc<dyn Store> = Arc::new(Sqlite::memory().unwrap());
    let http = Http::new(guard, None, deadlines);
    let number = |store, configured: Option<&str>| {
        Settings::new(store, "1", configured.map(Secret::new), &Documents::default()).unwrap()
    };
    let settings = number(store, None);
    let patch = format!(r#"{{"webhooks":{{"url":"{url}"}}}}"#);
    settings.patch(Patch::parse(patch.as_bytes()).unwrap()).await.unwrap();
    let line = http.dial(&settings.now()).unwrap().unwrap();
    let outcome = line.deliver(bytes::Bytes::from_static(b"{}")).await;
    assert!(matches!(&outcome, Outcome::Unreached(why) if why.contains("client.example")), "{outcome:?}");
    assert!(sink.got().is_empty());
    assert_eq!(script.calls(), 2);

    let configured = format!("http://127.0.0.1:{port}/callback");
    let settings = number(Arc::new(Sqlite::memory().unwrap()), Some(&configured));
    let line = http.dial(&settings.now()).unwrap().unwrap();
    assert_eq!(line.deliver(bytes::Bytes::from_static(b"{}")).await, Outcome::Taken);
}

/// Nothing public is reachable from a test, so an allowed network stands for it.
#[tokio::test]
async fn of_mixed_answers_only_the_public_ones_are_dialled() {
    let (shut, open) = (Door::on("127.0.0.1"), Door::on("127.0.0.2"));
    let answers = [at("10.0.0.1", 80), shut.address(), open.address(), at("192.168.0.1", 80)];
    let guard = guard(rules(["127.0.0.2/32"]), Script::new([&answers]));
    assert_eq!(guard.addresses("mixed.example", 80, false).await.unwrap(), [open.address()]);
    connect(&guard, "http://mixed.example/").await.unwrap();
    assert_eq!((shut.count(), open.count()), (0, 1));
}

#[tokio::test]
async fn survivors_keep_their_order() {
    let answers =
        [at("100.128.0.9", 443), at("10.0.0.1", 443), at("2606:4700::1", 443), at("::ffff:100.128.0.1", 443)];
    let guard = guard(rules([]), Script::new([&answers]));
    let expected = [at("100.128.0.9", 443), at("2606:4700::1", 443), at("100.128.0.1", 443)];
    assert_eq!(guard.addresses("many.example", 443, false).await.unwrap(), expected);
}

#[tokio::test]
async fn a_name_that_flips_between_lookups_is_dialled_where_it_was_checked() {
    let (shut, open) = (Door::on("127.0.0.1"), Door::on("127.0.0.2"));
    let script = Script::new([&[open.address()], &[shut.address()]]);
    let guard = guard(rules(["127.0.0.2/32"]), Arc::clone(&script));
    connect(&guard, "http://flip.example/").await.unwrap();
    assert_eq!((shut.count(), open.count(), script.calls()), (0, 1, 1), "one lookup per connection");
    // A second connection is checked anew.
    assert!(matches!(reason(connect(&guard, "http://flip.example/").await), Denial::NotPublic(_)));
    assert_eq!((shut.count(), open.count(), script.calls()), (0, 0, 2));
}

#[tokio::test]
async fn an_allowed_network_works_and_its_neighbours_stay_denied() {
    let [before, inside, after] = ["127.0.0.1", "127.0.0.2", "127.0.0.4"].map(Door::on);
    let guard = Arc::new(by_system(rules(["127.0.0.2/31"])));
    for (door, expected) in [(before, 0), (inside, 1), (after, 0)] {
        let result = connect(&guard, &format!("http://{}/", door.address())).await;
        assert_eq!((result.is_ok(), door.count()), (expected == 1, expected), "{}", door.address());
    }
    let guard = by_system(rules(["10.1.0.0/16", "fd00:1::/32"]));
    for host in ["10.1.0.0", "10.1.255.255", "fd00:1::", "fd00:1:ffff::1"] {
        assert!(guard.addresses(host, 80, false).await.is_ok(), "{host}");
    }
    for host in ["10.0.255.255", "10.2.0.0", "127.0.0.1", "fd00:0:ffff::1", "fd00:2::", "::10.1.0.1"] {
        assert!(matches!(reason(guard.addresses(host, 80, false).await), Denial::NotPublic(_)), "{host}");
    }
}

#[tokio::test]
async fn an_allowed_name_may_resolve_to_anything() {
    let door = Door::on("127.0.0.1");
    let guard = guard(rules(["media.internal"]), Script::new([&[door.address()]]));
    for host in ["media.internal", "MEDIA.internal", "media.internal."] {
        connect(&guard, &format!("http://{host}/")).await.unwrap();
        assert_eq!(door.count(), 1, "{host}");
    }
    for host in ["other.internal", "x.media.internal", "internal", "media.internal.example", "127.0.0.1"] {
        assert!(matches!(reason(connect(&guard, &format!("http://{host}/")).await), Denial::NotPublic(_)));
        assert_eq!(door.count(), 0, "{host}");
    }
}

#[tokio::test]
async fn ports_are_limited_for_public_addresses() {
    let at_port = |rules: Rules, ip: &'static str, port: u16| async move {
        guard(rules, Script::new([&[at(ip, port)]])).addresses("host.example", port, false).await
    };
    for port in [80, 443, 8080, 8443] {
        assert!(at_port(rules([]), PUBLIC, port).await.is_ok(), "{port}");
    }
    for port in [0, 22, 25, 81, 6379, 65535] {
        assert_eq!(reason(at_port(rules([]), PUBLIC, port).await), Denial::Port(port));
        assert!(at_port(rules(["100.128.0.0/16"]), PUBLIC, port).await.is_ok(), "{port}");
        assert!(at_port(rules(["host.example"]), PUBLIC, port).await.is_ok(), "{port}");
        assert!(at_port(rules(["10.0.0.0/8"]), "10.0.0.1", port).await.is_ok(), "{port}");
    }
    let none = Rules { ports: Ports::default(), ..rules([]) };
    assert_eq!(reason(at_port(none, PUBLIC, 443).await), Denial::Port(443));
    let error = at_port(rules([]), PUBLIC, 25).await.unwrap_err().to_string();
    assert!(error.contains("port 25 is not one of [egress] ports"), "{error}");
}

#[tokio::test]
async fn what_must_be_encrypted_goes_without_tls_to_what_is_allowed_only() {
    let rules = |allow| Rules { ports: Ports::Any, encrypted: true, ..rules([allow]) };
    let at_ip = |allow: &'static str, ip: &'static str, is_tls: bool| async move {
        guard(rules(allow), Script::new([&[at(ip, 9999)]])).addresses("host.example", 9999, is_tls).await
    };
    assert!(at_ip("10.0.0.0/8", PUBLIC, true).await.is_ok(), "at any port");
    assert_eq!(reason(at_ip("10.0.0.0/8", PUBLIC, false).await), Denial::Plain);
    for allow in ["100.128.0.0/16", "host.example"] {
        assert!(at_ip(allow, PUBLIC, false).await.is_ok(), "{allow}");
    }
    assert!(at_ip("10.0.0.0/8", "10.0.0.1", false).await.is_ok());
    for is_tls in [true, false] {
        assert!(matches!(reason(at_ip("10.0.0.0/8", "192.168.0.1", is_tls).await), Denial::NotPublic(_)));
    }
    let error = at_ip("10.0.0.0/8", PUBLIC, false).await.unwrap_err().to_string();
    assert!(error.contains("[egress] allow") && error.contains("https"), "{error}");
}

/// The connector says to the guard whether it will speak TLS.
#[tokio::test]
async fn a_connection_is_judged_by_its_scheme() {
    let door = Door::on("127.0.0.2");
    let answers = [at(PUBLIC, door.port()), door.address()];
    let rules = Rules { ports: Ports::Any, encrypted: true, ..rules(["127.0.0.2/32"]) };
    let guard = guard(rules, Script::new([&answers]));
    connect(&guard, "http://mixed.example/").await.unwrap();
    assert_eq!(door.count(), 1, "the public address was left out");
    let found = guard.addresses("mixed.example", 80, true).await.unwrap();
    assert_eq!(found, answers);
}

#[tokio::test]
async fn the_first_denial_is_told_and_no_answer_is_none() {
    let answers = [at("10.0.0.1", 22), at(PUBLIC, 22)];
    let denied = guard(rules([]), Script::new([&answers])).addresses("host.example", 22, false).await;
    assert!(matches!(reason(denied), Denial::NotPublic(class) if class.name == "private"));
    let none = guard(rules([]), Script::new([&[]])).addresses("host.example", 80, false).await.unwrap_err();
    assert!(matches!(none, ConnectError::Resolve { .. }), "{none}");
}

/// A resolver that fails, or never answers.
struct Broken(Option<io::ErrorKind>);

impl Resolve for Broken {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        match self.0 {
            Some(kind) => Box::pin(async move { Err(kind.into()) }),
            None => Box::pin(std::future::pending()),
        }
    }
}

#[tokio::test]
async fn a_broken_resolver_is_not_a_denial() {
    for (broken, expected) in
        [(Some(io::ErrorKind::Other), io::ErrorKind::Other), (None, io::ErrorKind::TimedOut)]
    {
        let guard = Guard::new(rules([]), Vec::new(), Arc::new(Broken(broken)));
        let deadlines = Deadlines { connect: Duration::from_millis(1), tls: Duration::from_millis(1) };
        let mut connector = Connector::guarded(client_config(None).unwrap(), deadlines, Arc::new(guard));
        let error = connector.call("http://host.example/".parse().unwrap()).await.unwrap_err();
        assert!(
            matches!(&error, ConnectError::Resolve { source, .. } if source.kind() == expected),
            "{error}"
        );
    }
}
