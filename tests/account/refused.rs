//! What Cloud has no counterpart for: refused with the reason, and nothing is read of it.

use super::*;
use crate::support::request;

#[tokio::test]
async fn the_reason_is_told_and_the_body_is_not_looked_at() {
    let proxy = Proxy::start().await;
    for (method, path, words) in [
        ("POST", "/v1/settings/backup", "a Cloud number has none to export"),
        ("POST", "/v1/settings/restore", "Cloud's register call"),
        ("DELETE", PIN, "WhatsApp Manager"),
        ("DELETE", "/v1/settings/profile/photo", "Cloud has no call for it"),
    ] {
        for path in [path.to_owned(), format!("{path}/"), path.replace("/v1", "")] {
            for body in ["", "{", "{\"password\":\"canary\"}", "null"] {
                let reply = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, &path, body).await;
                let (code, _, details) = reply.error();
                assert_eq!((reply.status, code), (501, 1000), "{method} {path}");
                assert!(details.contains(words) && !details.contains("canary"), "{details}");
            }
        }
        let reply = proxy.call_as("Bearer x", method, path, "").await;
        assert_refused(&reply, 401, 1005);
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn a_short_body_leaves_the_connection_and_a_long_one_ends_it() {
    let proxy = Proxy::start().await;
    let key = format!("Bearer {ADMIN_KEY}");
    let headers = [("Authorization", key.as_str())];
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        let reply = client.call("POST", "/v1/settings/restore", &headers, &[b' '; 1000]).await;
        assert_refused(&reply, 501, 1000);
        assert_eq!(reply.header("connection"), None);
    }
    // Only the head of a body that would be too large for any endpoint: nobody waits for the rest.
    let head = request("POST", "/v1/settings/restore", &headers, b"");
    let head = String::from_utf8(head).unwrap().replace("Content-Length: 0", "Content-Length: 1000000000");
    client.write(head).await;
    let reply = client.reply().await;
    assert_refused(&reply, 501, 1000);
    assert_eq!(reply.header("connection"), Some("close"));
}
