//! S18 and the text of redirects: what becomes of links before anything is resolved.

use prembridge::net::egress::{BadUrl, LONGEST, redirect, same_origin, vet_url};
use proptest::collection::vec;
use proptest::prelude::*;
use url::Url;

use crate::invariants;

fn url(text: &str) -> Url {
    vet_url(text).unwrap_or_else(|bad| panic!("{text}: {bad}"))
}

#[test]
fn links_have_one_form() {
    for (link, expected) in [
        ("https://media.example/a.jpg", "https://media.example/a.jpg"),
        ("HTTPS://Media.EXAMPLE/A.jpg", "https://media.example/A.jpg"),
        ("https://media.example", "https://media.example/"),
        ("https://media.example:443/", "https://media.example/"),
        ("http://media.example:0080/", "http://media.example/"),
        ("https://media.example:80/", "https://media.example:80/"),
        ("https://media.example./a", "https://media.example/a"),
        ("https://media.example/a?b=c#fragment", "https://media.example/a?b=c"),
        ("https://media.example/a#", "https://media.example/a"),
        ("https://bücher.example/ä?ö", "https://xn--bcher-kva.example/%C3%A4?%C3%B6"),
        ("https://BÜCHER.example。/", "https://xn--bcher-kva.example/"),
        ("https://media.example/../a/./b", "https://media.example/a/b"),
        ("https:\\\\media.example\\a", "https://media.example/a"),
        ("http://my_service:8080/", "http://my_service:8080/"),
        ("http://2130706433/", "http://127.0.0.1/"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://0177.1/", "http://127.0.0.1/"),
        ("http://127.1./", "http://127.0.0.1/"),
        ("http://%31%32%37.0.0.1/", "http://127.0.0.1/"),
        ("http://127。0。0。1/", "http://127.0.0.1/"),
        ("http://[0:0::1]/", "http://[::1]/"),
        ("http://[::ffff:10.0.0.1]/", "http://[::ffff:a00:1]/"),
        ("http://@media.example/", "http://media.example/"),
    ] {
        assert_eq!(url(link).as_str(), expected, "{link}");
    }
}

#[test]
fn what_is_refused() {
    for (link, expected) in [
        ("https://media.example/a b", BadUrl::Character),
        ("https://media.example/a\tb", BadUrl::Character),
        ("https://media.example/a\r\nHost: evil", BadUrl::Character),
        ("https://media.exa\nmple/", BadUrl::Character),
        (" https://media.example/", BadUrl::Character),
        ("https://media.example/\n", BadUrl::Character),
        ("https://media.example/\0", BadUrl::Character),
        ("https://media.example/\u{7f}", BadUrl::Character),
        ("https://media.example/\u{85}", BadUrl::Character),
        ("https://user@media.example/", BadUrl::UserInfo),
        ("https://user:password@media.example/", BadUrl::UserInfo),
        ("https://:password@media.example/", BadUrl::UserInfo),
        ("https://media.example@127.0.0.1/", BadUrl::UserInfo),
        ("file:///etc/passwd", BadUrl::Scheme),
        ("gopher://127.0.0.1:6379/_x", BadUrl::Scheme),
        ("ftp://media.example/", BadUrl::Scheme),
        ("data:text/plain,x", BadUrl::Scheme),
        ("javascript:alert(1)", BadUrl::Scheme),
        ("ws://media.example/", BadUrl::Scheme),
        ("httpss://media.example/", BadUrl::Scheme),
        ("https://a..b/", BadUrl::Host),
        ("https://media.example../", BadUrl::Host),
        ("https://a+b/", BadUrl::Host),
        ("https://media'example/", BadUrl::Host),
    ] {
        assert_eq!(vet_url(link), Err(expected), "{link}");
    }
    for link in [
        "",
        "/a",
        "media.example/a",
        "https://",
        "https://media.example:65536/",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://1.2.3.4.5/",
        "http://256.1.1.1/",
        "https://a b/",
    ] {
        assert!(vet_url(link).is_err(), "{link}");
    }
    assert_eq!(vet_url(&format!("https://{}/", "a".repeat(64))), Err(BadUrl::Host));
    assert_eq!(vet_url(&format!("https://{}example/", "abc.".repeat(64))), Err(BadUrl::Host));
}

#[test]
fn links_are_measured_before_and_after() {
    let link = |path: &str| format!("https://media.example/{path}");
    let room = LONGEST - link("").len();
    assert_eq!(url(&link(&"a".repeat(room))).as_str().len(), LONGEST);
    assert_eq!(vet_url(&link(&"a".repeat(room + 1))), Err(BadUrl::TooLong));
    // Two bytes become six.
    assert_eq!(vet_url(&link(&"ä".repeat(room / 2))), Err(BadUrl::TooLong));
    let fragment = link(&format!("#{}", "a".repeat(LONGEST)));
    assert_eq!(vet_url(&fragment), Err(BadUrl::TooLong));
}

#[test]
fn no_refusal_quotes_the_link() {
    for link in
        ["https://user:canary@media.example/", "canary:x", "https://canary canary/", "https://canary..x/"]
    {
        let text = vet_url(link).unwrap_err().to_string();
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn redirects_are_resolved_and_vetted() {
    let from = url("https://media.example/folder/file?query");
    for (location, expected) in [
        ("https://cdn.example/x", Ok("https://cdn.example/x")),
        ("/x", Ok("https://media.example/x")),
        ("x", Ok("https://media.example/folder/x")),
        ("../x", Ok("https://media.example/x")),
        ("?x", Ok("https://media.example/folder/file?x")),
        ("//cdn.example/x#fragment", Ok("https://cdn.example/x")),
        ("https://media.example:444/x", Ok("https://media.example:444/x")),
        ("\\\\cdn.example\\x", Ok("https://cdn.example/x")),
        ("//0x7f.1/", Ok("https://127.0.0.1/")),
        ("/ä", Ok("https://media.example/%C3%A4")),
        ("", Ok("https://media.example/folder/file?query")),
        ("http://media.example/x", Err(BadUrl::Downgrade)),
        ("HTTP://cdn.example/x", Err(BadUrl::Downgrade)),
        ("file:///etc/passwd", Err(BadUrl::Scheme)),
        ("gopher://cdn.example/", Err(BadUrl::Scheme)),
        ("//user:password@cdn.example/", Err(BadUrl::UserInfo)),
        ("/a b", Err(BadUrl::Character)),
        ("/a\tb", Err(BadUrl::Character)),
        ("//a..b/", Err(BadUrl::Host)),
    ] {
        let found = redirect(&from, location.as_bytes());
        assert_eq!(found.as_ref().map(Url::as_str), expected.as_ref().copied(), "{location}");
    }
    assert_eq!(redirect(&from, b"/\xff"), Err(BadUrl::Encoding));
    assert_eq!(redirect(&from, &[b'a'; LONGEST + 1]), Err(BadUrl::TooLong));
    // Relative and short, yet the whole is too long.
    assert_eq!(redirect(&from, &[b'a'; LONGEST]), Err(BadUrl::TooLong));
}

#[test]
fn encryption_may_be_gained_and_not_lost() {
    let plain = url("http://media.example/");
    assert_eq!(redirect(&plain, b"https://media.example/").unwrap().scheme(), "https");
    assert_eq!(redirect(&plain, b"http://cdn.example/").unwrap().scheme(), "http");
}

#[test]
fn origins() {
    let base = url("https://media.example/a?b");
    for same in ["https://media.example/", "https://MEDIA.example:443/x", "https://media.example./"] {
        assert!(same_origin(&base, &url(same)), "{same}");
    }
    for other in [
        "http://media.example/",
        "http://media.example:443/",
        "https://media.example:444/",
        "https://cdn.media.example/",
        "https://media.example.evil/",
    ] {
        assert!(!same_origin(&base, &url(other)), "{other}");
    }
    assert!(same_origin(&url("http://127.1:80/"), &url("http://2130706433/")));
}

/// Text that looks like a link often enough to get past the first checks.
fn linkish() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[hH]ttps?:",
        Just("https://".to_owned()),
        Just("http://media.example".to_owned()),
        "[/\\\\?#@:.%&=;,+_|^`'\"<>{}\\[\\]~!$*()-]",
        "[a-z0-9]{1,8}",
        "%[0-9a-fA-F]{2}",
        "0x[0-9a-f]{1,8}",
        "[0-9]{1,10}",
        "\\[[0-9a-f:.]{2,20}\\]",
        "[äß。．１\u{200d}\u{ad}İ\u{1F600}]",
        any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(crate::support::seeded::config(2048))]

    #[test]
    fn any_bytes_are_vetted(bytes in vec(any::<u8>(), 0..200)) {
        invariants::link(&bytes);
    }

    #[test]
    fn anything_like_a_link_is_vetted(link in linkish(), location in linkish(), prefix in any::<bool>()) {
        let prefix = if prefix { "https://" } else { "" };
        invariants::link(format!("{prefix}{link}\n{location}").as_bytes());
    }

    /// What is vetted is what is requested: the HTTP client reads the same host and port.
    #[test]
    fn a_vetted_link_is_read_alike_by_the_client(link in linkish()) {
        if let Ok(url) = vet_url(&format!("https://{link}")) {
            let uri: http::Uri = url.as_str().parse().unwrap();
            prop_assert_eq!(uri.host(), url.host_str());
            prop_assert_eq!((uri.scheme_str(), uri.port_u16()), (Some(url.scheme()), url.port()));
            prop_assert_eq!(uri.path(), url.path());
            prop_assert_eq!(uri.query(), url.query());
        }
    }
}
