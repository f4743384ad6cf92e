//! Who is asking: the check of a token or an API key, which every request pays: `cargo bench --bench token`.
//!
//! What is wrong is measured beside what is right, since anybody may send it. A credential is verified on its first use
//! and remembered for those after: for first uses there are more credentials than are remembered, taken in turn.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prembridge::clock::Clock;
use prembridge::session::{
    ApiKey, ConfiguredUser, Credential, Denied, HashCost, NumberAccess, Role, Sessions, Settings,
};
use prembridge::store::Sqlite;
use secrecy::SecretString;
use tokio::runtime::Runtime;

const NUMBER: &str = "support";
const USER: &str = "app";
const PASSWORD: &str = "Abcdef1!";
/// Keys and tokens of the number: several times what a thread remembers.
const CREDENTIALS: usize = 8192;
/// Longer than tokens live.
const AGES: i64 = 365 * 24 * 3600;

fn key(index: usize) -> String {
    format!("bench-key-0123456789-{index}")
}

fn settings() -> Settings {
    let password = SecretString::from(PASSWORD);
    let user = ConfiguredUser { name: USER.to_owned(), password, role: Role::User };
    let api_key = |index| ApiKey { key: SecretString::from(key(index)), role: Role::User };
    let api_keys = (1..=CREDENTIALS).map(api_key).collect();
    Settings {
        // Logins are no part of this.
        hash_cost: HashCost { memory_kib: 8, passes: 1, lanes: 1 },
        numbers: vec![NumberAccess { name: NUMBER.to_owned(), users: vec![user], api_keys }],
        ..Settings::default()
    }
}

async fn open(clock: Clock) -> Sessions {
    Sessions::open(Arc::new(Sqlite::memory().unwrap()), clock, settings()).await.unwrap()
}

async fn login(sessions: &Sessions) -> String {
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    sessions.login(NUMBER, USER, PASSWORD, None, peer).await.unwrap().token
}

/// Another letter in the middle of the signature, whose last letters have bits that say nothing.
fn altered(token: &str) -> String {
    let (start, end) = token.split_at(token.len() - 10);
    let (letter, end) = end.split_at(1);
    format!("{start}{}{end}", if letter == "A" { "B" } else { "A" })
}

/// The first sessions are those of a running proxy; those of the second are a year old.
async fn scene() -> (Sessions, Sessions, String, String) {
    let sessions = open(Clock::system()).await;
    let revoked = login(&sessions).await;
    let principal = sessions.authenticate(NUMBER, Credential::Bearer(&revoked)).unwrap();
    sessions.logout(&principal).await.unwrap();
    let clock = Clock::fixed(AGES);
    let old = open(clock.clone()).await;
    let expired = login(&old).await;
    clock.advance(AGES);
    (sessions, old, revoked, expired)
}

fn token(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let (sessions, old, revoked, expired) = runtime.block_on(scene());
    let good = runtime.block_on(login(&sessions));
    let (forged, long) = (altered(&good), "x".repeat(4096));
    let (last, unknown) = (key(CREDENTIALS), key(CREDENTIALS + 1));
    let cases = [
        ("bearer, remembered", &sessions, Credential::Bearer(&good), Ok(())),
        ("bearer, altered", &sessions, Credential::Bearer(&forged), Err(Denied::BadSignature)),
        ("bearer, revoked", &sessions, Credential::Bearer(&revoked), Err(Denied::Revoked)),
        ("bearer, expired", &old, Credential::Bearer(&expired), Err(Denied::Expired)),
        ("bearer, no token", &sessions, Credential::Bearer(&unknown), Err(Denied::Malformed)),
        ("bearer, 4 KiB", &sessions, Credential::Bearer(&long), Err(Denied::Malformed)),
        ("api key, remembered", &sessions, Credential::ApiKey(&last), Ok(())),
        ("api key as bearer, remembered", &sessions, Credential::Bearer(&last), Ok(())),
        ("api key, unknown", &sessions, Credential::ApiKey(&unknown), Err(Denied::UnknownKey)),
    ];
    let mut group = criterion.benchmark_group("token");
    group.throughput(Throughput::Elements(1));
    for (name, sessions, credential, expected) in cases {
        let check = || sessions.authenticate(black_box(NUMBER), black_box(credential));
        assert_eq!(check().map(drop), expected, "{name}");
        group.bench_function(name, |bench| bench.iter(check));
    }
    let tokens: Vec<_> = (0..CREDENTIALS).map(|_| runtime.block_on(login(&sessions))).collect();
    let keys: Vec<_> = (1..=CREDENTIALS).map(key).collect();
    for (name, credentials) in [("bearer, first use", tokens), ("api key as bearer, first use", keys)] {
        let mut next = credentials.iter().cycle();
        let mut check = || {
            let credential = Credential::Bearer(next.next().unwrap());
            sessions.authenticate(black_box(NUMBER), black_box(credential)).unwrap()
        };
        group.bench_function(name, |bench| bench.iter(&mut check));
    }
    group.finish();
}

criterion_group!(benches, token);
criterion_main!(benches);
