//! Bodies that are not what they should be.

use super::key;
use crate::support::{ADMIN_KEY, Proxy, TO};

/// Each body with the code of its refusal.
fn corpus() -> Vec<(&'static str, Vec<u8>, u64)> {
    let utf16: Vec<u8> = "{\"to\":\"1\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_bom = [&[0xff, 0xfe], utf16.as_slice()].concat();
    let message = |rest: &str| format!("{{\"to\":\"{TO}\",{rest}}}").into_bytes();
    let deep = |open: &str, close: &str| {
        message(&format!("\"text\":{}1{}", open.repeat(100_000), close.repeat(100_000)))
    };
    vec![
        ("nothing", b"".to_vec(), 1025),
        ("blanks", b" \r\n\t ".to_vec(), 1025),
        ("broken", b"{\"to\":".to_vec(), 1025),
        ("text", b"hello".to_vec(), 1025),
        ("form", b"to=1&text=x".to_vec(), 1025),
        ("array", b"[1]".to_vec(), 1025),
        ("an empty object in PHP", b"[]".to_vec(), 1008),
        ("array of objects", b"[{\"to\":\"1\"}]".to_vec(), 1025),
        ("null", b"null".to_vec(), 1025),
        ("string", b"\"{}\"".to_vec(), 1025),
        ("number", b"1".to_vec(), 1025),
        ("two objects", message("\"text\":{\"body\":\"x\"}").repeat(2), 1025),
        ("something behind", [message("\"text\":{\"body\":\"x\"}"), b"x".to_vec()].concat(), 1025),
        ("trailing comma", message("\"text\":{\"body\":\"x\"},"), 1025),
        ("single quotes", b"{'to':'1'}".to_vec(), 1025),
        ("comment", message("/* */\"text\":{\"body\":\"x\"}"), 1025),
        ("deep arrays", deep("[", "]"), 1025),
        ("deep objects", deep("{\"a\":", "}"), 1025),
        ("unclosed arrays", "[".repeat(100_000).into_bytes(), 1025),
        ("duplicate keys", message("\"text\":{\"body\":\"x\"},\"to\":\"1\""), 1025),
        ("duplicate keys inside", message("\"text\":{\"body\":\"x\",\"body\":\"y\"}"), 1025),
        ("duplicate keys in disguise", message("\"text\":{\"body\":\"x\"},\"t\\u006f\":\"1\""), 1025),
        ("NaN", message("\"text\":{\"body\":NaN}"), 1025),
        ("infinity", message("\"location\":{\"latitude\":Infinity}"), 1025),
        (
            "huge exponent",
            message("\"type\":\"location\",\"location\":{\"latitude\":\"1e999\",\"longitude\":1}"),
            1009,
        ),
        ("lone surrogate", message("\"text\":{\"body\":\"\\ud83d\"}"), 1009),
        ("lone low surrogate", message("\"text\":{\"body\":\"\\ude00\"}"), 1009),
        ("byte order mark alone", b"\xef\xbb\xbf".to_vec(), 1025),
        ("two byte order marks", "\u{feff}\u{feff}{}".into(), 1025),
        ("UTF-16", utf16, 1025),
        ("UTF-16 with mark", with_bom, 1025),
        ("Latin-1", b"{\"to\":\"1\",\"text\":{\"body\":\"\xe4\"}}".to_vec(), 1025),
        ("overlong UTF-8", b"{\"to\":\"1\",\"text\":{\"body\":\"\xc0\x80\"}}".to_vec(), 1025),
        ("raw control character", b"{\"to\":\"1\",\"text\":{\"body\":\"a\x01b\"}}".to_vec(), 1025),
        ("NUL", b"{\"to\":\"1\",\"text\":{\"body\":\"x\"}}\0".to_vec(), 1025),
        ("no text", message("\"type\":\"text\""), 1008),
        ("no recipient", b"{\"text\":{\"body\":\"x\"}}".to_vec(), 1008),
        ("fraction as recipient", b"{\"to\":16315551234.5,\"text\":{\"body\":\"x\"}}".to_vec(), 1009),
        ("object as text", message("\"text\":\"x\""), 1009),
        ("long text", message(&format!("\"text\":{{\"body\":\"{}\"}}", "x".repeat(4097))), 1001),
        ("many keys", many_keys(1000), 1025),
    ]
}

fn many_keys(count: usize) -> Vec<u8> {
    let members: Vec<_> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

#[tokio::test]
async fn malformed_bodies_are_refused_in_dialect_and_the_connection_goes_on() {
    let proxy = Proxy::start().await;
    let key = key();
    let headers = [("Authorization", key.as_str())];
    let mut client = proxy.connect().await;
    for (name, body, code) in corpus() {
        let reply = client.call("POST", "/v1/messages", &headers, &body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{name}: {}", reply.text());
    }
    assert_eq!(proxy.mock.seen(), 0, "none of them reached Cloud");
    assert_eq!(client.call("GET", "/", &[], b"").await.status, 200);
}

/// How the bytes were cut into segments changes nothing.
#[tokio::test]
async fn bytes_that_come_one_by_one_get_the_same_verdict() {
    let proxy = Proxy::start().await;
    let key = key();
    let mut client = proxy.connect().await;
    for (name, body, code) in corpus().into_iter().filter(|(_, body, _)| body.len() < 200) {
        let headers = [("Authorization", key.as_str())];
        client.write_slowly(&crate::support::request("POST", "/v1/messages", &headers, &body)).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.code()), (400, code), "{name}");
    }
    client.write_slowly(&super::good()).await;
    assert_eq!(client.reply().await.status, 201);
}

/// Under a limit that lets them through, a million keys are still refused.
#[tokio::test]
async fn a_million_keys_are_refused() {
    let proxy = Proxy::with("[limits]\nmax_body = \"32MiB\"\n").await;
    let reply = proxy.call("POST", "/v1/messages", std::str::from_utf8(&many_keys(1_000_000)).unwrap()).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (400, 1025));
    assert!(details.contains("256 keys"), "{details}");
    assert_eq!(proxy.mock.seen(), 0);
}

/// Odd, and none of our business: passed on.
#[tokio::test]
async fn unusual_but_valid_bodies_pass() {
    let proxy = Proxy::start().await;
    for body in [
        format!("\r\n {{ \"to\" : \"{TO}\" , \"text\" : {{ \"body\" : \"x\" }} }} \n"),
        format!("\u{feff}{{\"to\":\"{TO}\",\"text\":{{\"body\":\"x\"}}}}"),
        format!(
            "{{\"type\":\"text\",\"to\":\"{TO}\",\"text\":{{\"body\":\"x\"}},\"context\":[],\"type\":\"text\"}}"
        ),
        format!("{{\"t\\u006f\":\"{TO}\",\"text\":{{\"body\":\"\\ud83d\\ude00\"}}}}"),
        format!("{{\"to\":\"{TO}\",\"type\":null,\"text\":{{\"body\":\"\\u0000 \\u001b[31m\\r\\n\"}}}}"),
        format!("{{\"to\":\"{TO}\",\"text\":{{\"body\":\"{}\"}}}}", "\u{10ffff}".repeat(4096)),
    ] {
        let reply = proxy.call("POST", "/v1/messages", &body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    assert_eq!(proxy.mock.accepted_messages()[3].body["text"]["body"], "\u{1f600}");
}

/// What PHP writes for an empty object says no more than one, wherever an object belongs; and a byte order mark in
/// front says nothing.
#[tokio::test]
async fn an_empty_array_is_an_empty_object_at_every_endpoint() {
    let proxy = Proxy::start().await;
    let admin = format!("Bearer {ADMIN_KEY}");
    for (method, path, empty) in [
        ("PATCH", "/v1/settings/application", "{}"),
        ("PATCH", "/v1/settings/application", r#"{"webhooks":{"message":{}},"media":{}}"#),
        (
            "POST",
            "/v1/settings/application/media/providers",
            r#"[{"name":"plain","type":"www","config":{}}]"#,
        ),
        ("POST", "/v1/settings/application/media/providers", r#"{"name":"p","config":{"basic":{}}}"#),
        ("POST", "/v1/configs/webhook", r#"{"url":"","headers":{}}"#),
        ("POST", "/v1/configs/templates", "{}"),
        ("POST", "/v1/settings/business/profile", "{}"),
        ("PATCH", "/v1/settings/profile/about", "{}"),
        ("POST", "/v1/settings/account/two-step", "{}"),
        ("POST", "/v1/account", "{}"),
        ("POST", "/v1/account/verify", "{}"),
        ("POST", "/v1/account/shards", "{}"),
        ("POST", "/v1/contacts", "{}"),
        ("PUT", "/v1/contacts/16315551234/identity", "{}"),
        ("POST", "/v1/users", "{}"),
        ("PUT", "/v1/users/somebody", "{}"),
        ("POST", "/v1/messages", "{}"),
        ("PUT", "/v1/messages/wamid.x", "{}"),
        ("POST", "/v1/stickerpacks", "{}"),
        ("POST", "/v1/users/logout", "{}"),
    ] {
        let expected = proxy.call_as(&admin, method, path, empty).await;
        assert_ne!(expected.status, 404, "{method} {path}");
        for body in [empty.replace("{}", "[]"), format!("\u{feff}{}", empty.replace("{}", " [ ] "))] {
            let reply = proxy.call_as(&admin, method, path, &body).await;
            assert_eq!(
                (reply.status, reply.text()),
                (expected.status, expected.text()),
                "{method} {path} {body}"
            );
        }
    }
    assert_eq!(proxy.mock.accepted_messages().len(), 0);
}
