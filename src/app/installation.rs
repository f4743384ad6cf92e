//! Facts about the machine, for clients that show them to people.

use std::fs;

use crate::config::Store;
use crate::server::Installation;

/// No name of a host is longer (RFC 1035 section 2.3.4).
const LONGEST: usize = 255;

/// What there is to know, of a process that started at `started_at`.
pub fn installation(store: &Store, started_at: i64) -> Installation {
    let environment = std::env::var("HOSTNAME").ok();
    let host = fact(kernel("hostname").or(environment)).unwrap_or_else(|| "localhost".to_owned());
    Installation {
        host,
        os_version: fact(kernel("osrelease")).unwrap_or_else(|| "unknown".to_owned()),
        db_engine: match store {
            Store::Memory => "MEMORY",
            Store::Sqlite(_) => "SQLITE",
        },
        started_at,
    }
}

/// What Linux tells about itself (proc(5), `/proc/sys/kernel`); nothing on other systems.
fn kernel(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()
}

/// One word, or nothing: it goes into labels.
fn fact(text: Option<String>) -> Option<String> {
    let text = text?.trim().to_owned();
    let is_word = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::fact;

    #[test]
    fn only_words_are_facts() {
        assert_eq!(fact(Some("host-1\n".to_owned())).as_deref(), Some("host-1"));
        for text in ["", "\n", "two words", "h\u{f6}st", "a\u{1}b", &"x".repeat(256)] {
            assert_eq!(fact(Some(text.to_owned())), None, "{text:?}");
        }
        assert_eq!(fact(None), None);
    }
}
