//! Whatever may be presented as a bearer token: as it is, and as changes to a good one. Only the good one is good.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use prembridge::clock::Clock;
use prembridge::config::Secret;
use prembridge::session::{ConfiguredUser, Credential, HashCost, NumberAccess, Role, Sessions, Settings};
use prembridge::store::Sqlite;

struct Known {
    sessions: Sessions,
    token: String,
}

/// One number with one user, who has logged in.
fn known() -> &'static Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let password = Secret::new("Abcdef1!");
            let user = ConfiguredUser { name: "alice".to_owned(), password: password.into(), role: Role::User };
            let number = NumberAccess { name: "support".to_owned(), users: vec![user], api_keys: Vec::new() };
            let settings = Settings {
                hash_cost: HashCost { memory_kib: 8, passes: 1, lanes: 1 },
                numbers: vec![number],
                ..Settings::default()
            };
            let store = Arc::new(Sqlite::memory().unwrap());
            let sessions = Sessions::open(store, Clock::fixed(1_700_000_000), settings).await.unwrap();
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let login = sessions.login("support", "alice", "Abcdef1!", None, peer).await.unwrap();
            Known { sessions, token: login.token }
        })
    })
}

fn present(text: &str) {
    let Known { sessions, token } = known();
    for credential in [Credential::Bearer(text), Credential::ApiKey(text)] {
        let is_good = matches!(credential, Credential::Bearer(_)) && text == token;
        assert_eq!(sessions.authenticate("support", credential).is_ok(), is_good, "{text:?}");
        assert!(sessions.authenticate("sales", credential).is_err(), "{text:?}");
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    present(&String::from_utf8_lossy(bytes));
    let token = known().token.as_bytes();
    // Pairs of a place and a byte that is put there.
    let mut changed = token.to_vec();
    for pair in bytes.chunks_exact(2) {
        let place = usize::from(pair[0]) * token.len() / 256;
        changed[place] = pair[1];
    }
    present(&String::from_utf8_lossy(&changed));
    // A part of it is replaced.
    if let [start, end, rest @ ..] = bytes {
        let at = |byte: u8| usize::from(byte) * (token.len() + 1) / 256;
        let (start, end) = (at(*start).min(at(*end)), at(*start).max(at(*end)));
        present(&String::from_utf8_lossy(&[&token[..start], rest, &token[end..]].concat()));
    }
    present(&known().token);
});
