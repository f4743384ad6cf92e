//! What the value parsers accept and refuse.

use super::*;

#[test]
fn durations() {
    for (text, milliseconds) in
        [("250ms", 250), ("0s", 0), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
    }
    for text in ["", "5", "s", "-5s", "5 s", "1.5s", "5S", "1h30m", "5sec", "٣s", "99999999999999999999s"] {
        assert!(duration(text).unwrap_err().contains("is not a duration"), "{text}");
    }
    for text in ["3651d", "18446744073709551615ms"] {
        assert!(duration(text).unwrap_err().contains("is too long"), "{text}");
    }
}

#[test]
fn sizes() {
    for (text, bytes) in
        [("0", 0), ("512B", 512), ("32KiB", 32_768), ("16MiB", 16 << 20), ("1GiB", 1 << 30), ("77", 77)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in
        ["", "B", "-1", "1.5MiB", "16MB", "16mib", "16 MiB", "99999999999999999999", "99999999999999GiB"]
    {
        assert!(size(text).unwrap_err().contains("is not a size"), "{text}");
    }
}

#[test]
fn hosts() {
    for (host, key) in [
        ("Support.WA.internal", "support.wa.internal"),
        ("support.", "support"),
        ("support:9090", "support"),
        ("support.:9090", "support"),
        ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]:9090", "[::1]"),
        ("[0:0::1]", "[::1]"),
        ("my_service", "my_service"),
    ] {
        assert_eq!(host_key(host).as_deref(), Some(key), "{host}");
    }
    for host in ["", ".", ":80", "a..b", "a b", "::1", "[::1", "[::1]x", "*.internal", "http://a", "a/b", "ü"]
    {
        assert_eq!(host_key(host), None, "{host}");
    }
    assert_eq!(host_key(&"a".repeat(64)), None);
}

#[test]
fn allowed_places() {
    let network = |address: &str, prefix| Ok(Allowed::Network { address: address.parse().unwrap(), prefix });
    assert_eq!(allowed("10.0.0.0/8"), network("10.0.0.0", 8));
    assert_eq!(allowed("0.0.0.0/0"), network("0.0.0.0", 0));
    assert_eq!(allowed("10.1.2.3"), network("10.1.2.3", 32));
    assert_eq!(allowed("::/0"), network("::", 0));
    assert_eq!(allowed("fd00::/8"), network("fd00::", 8));
    assert_eq!(allowed("::1"), network("::1", 128));
    assert_eq!(allowed("Media.Internal."), Ok(Allowed::Host("media.internal".into())));
    assert!(allowed("10.0.0.5/8").unwrap_err().contains("write \"10.0.0.0/8\" or \"10.0.0.5\""));
    for text in ["10.0.0.0/33", "::/129"] {
        assert!(allowed(text).unwrap_err().contains("has a prefix longer than"), "{text}");
    }
    for text in ["", "10.0.0.256", "10.0.0.0/x", "10.0.0/8", "/8", "host:80", "http://a", "*.internal"] {
        assert!(allowed(text).is_err(), "{text}");
    }
}

#[test]
fn base_urls() {
    for (text, url) in [
        ("https://graph.facebook.com", "https://graph.facebook.com"),
        ("https://graph.facebook.com/", "https://graph.facebook.com"),
        ("http://127.0.0.1:8080/prefix//", "http://127.0.0.1:8080/prefix"),
        ("HTTPS://[::1]:443", "https://[::1]:443"),
    ] {
        assert_eq!(base_url(text).as_deref(), Ok(url), "{text}");
    }
    for text in [
        "",
        "/",
        "graph.facebook.com",
        "ftp://a",
        "https://",
        "https://a b",
        "https://u:p@a",
        "https://a?b",
        "https://a#b",
        "https://a:x",
        "https://a:65536",
        "https://a:",
        "https://[::1]:99999",
        "https://a..b",
    ] {
        assert!(base_url(text).is_err(), "{text}");
    }
}

#[test]
fn versions() {
    assert_eq!(version("v26.0"), Some([26, 0]));
    assert_eq!(version("v2.45.1"), Some([2, 45, 1]));
    for text in ["", "v", "26.0", "v26", "v26.", "v26.0.1", "v26.+1", "V26.0", "v26.x", "v99999999999.0"] {
        assert_eq!(version::<2>(text), None, "{text}");
    }
}
