//! Where callbacks may be told to go, and that nobody reads it in a log.

use serde_json::json;

use super::{PATH, URL, admin, assert_done, set, shown};
use crate::support::{PHONE_NUMBER_ID, Proxy, Reply, number};

/// The code and details of the refusal of a URL; nothing when it is taken.
async fn refusal(proxy: &Proxy, url: &str) -> Option<String> {
    let reply = admin(proxy, "PATCH", PATH, &json!({"webhooks": {"url": url}}).to_string()).await;
    if reply.status == 200 {
        assert_done(&reply);
        assert_eq!(shown(proxy).await["webhooks"]["url"], url, "as it was written");
        return None;
    }
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (400, 1009), "{url}: {details}");
    assert!(details.starts_with("webhooks.url ") && !details.contains("link "), "{url}: {details}");
    Some(details)
}

#[tokio::test]
async fn public_places_are_reached_with_tls() {
    let proxy = Proxy::start().await;
    for url in [
        URL,
        "https://8.8.8.8",
        "HTTPS://8.8.8.8:1/%20?a=b#c",
        "https://[2600::1]:8443/",
        // Reserved for names that never resolve (RFC 6761 section 6.4).
        "https://hooks.invalid/",
    ] {
        assert_eq!(refusal(&proxy, url).await, None, "{url}");
    }
    set(&proxy, &json!({"webhooks": {"url": URL}})).await;
    for (url, words) in [
        ("http://8.8.8.8/", "https"),
        ("http://hooks.invalid:8080/", "https"),
        ("http://[2600::1]/", "https"),
        ("https://127.0.0.1/", "not public (loopback"),
        ("https://0x7f.1/", "not public (loopback"),
        ("https://10.1.2.3:8443/", "not public (private"),
        ("http://10.1.2.3/", "not public (private"),
        ("https://[::1]/", "not public (loopback"),
        ("https://[::ffff:192.168.0.1]/", "not public (private"),
        ("https://169.254.169.254/latest", "not public (link-local"),
        ("https://localhost/", "not public (loopback"),
        ("hooks.example", "not a URL"),
        ("ftp://8.8.8.8/", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("https://user:word@8.8.8.8/", "user name or password"),
        ("https://8.8.8.8/a b", "space"),
        ("https://8.8.8.8/\n", "line break"),
        ("https://a_b!/", "not a host name"),
        (&format!("https://8.8.8.8/{}", "x".repeat(8192)), "longer than 8192 bytes"),
    ] {
        let details = refusal(&proxy, url).await.unwrap_or_else(|| panic!("{url} was taken"));
        assert!(details.contains(words), "{url}: {details}");
    }
    assert_eq!(shown(&proxy).await["webhooks"]["url"], URL, "the one before stays");
}

#[tokio::test]
async fn what_the_operator_allows_may_be_private_and_plain() {
    let proxy =
        Proxy::with("[egress]\nallow = [\"127.0.0.0/8\", \"10.1.0.0/16\", \"hooks.invalid\"]\nports = []")
            .await;
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/hook",
        "http://10.1.2.3/",
        "https://10.1.2.3:22/",
        "https://8.8.8.8/",
        "http://hooks.invalid/",
    ] {
        assert_eq!(refusal(&proxy, url).await, None, "{url}");
    }
    for (url, words) in [
        (format!("http://{}/", proxy.api), "leads back to this proxy"),
        (format!("https://localhost:{}/", proxy.admin.port()), "leads back to this proxy"),
        ("http://10.2.0.1/".to_owned(), "not public"),
        ("http://8.8.8.8/".to_owned(), "[egress] allow"),
    ] {
        let details = refusal(&proxy, &url).await.unwrap_or_else(|| panic!("{url} was taken"));
        assert!(details.contains(words), "{url}: {details}");
    }
}

#[tokio::test]
async fn the_url_of_the_configuration_stands_behind_and_does_not_show() {
    let line = "callback_url = \"http://10.0.0.1/canary\"";
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, line)).await;
    let target = || {
        let settings = proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().settings.now();
        settings.callback_target().map(|target| (target.url.to_owned(), target.is_configured))
    };
    let configured = Some(("http://10.0.0.1/canary".to_owned(), true));
    assert_eq!(target(), configured);
    assert_eq!(shown(&proxy).await["webhooks"]["url"], "");
    set(&proxy, &json!({"webhooks": {"url": URL}})).await;
    assert_eq!(target(), Some((URL.to_owned(), false)));
    set(&proxy, &json!({"webhooks": {"url": null}})).await;
    assert_eq!(target(), configured);
}

/// Logs of a whole process are looked through in `tests/serve.rs`.
#[tokio::test]
async fn a_url_with_a_token_does_not_show() {
    let proxy = Proxy::start().await;
    let url = "https://8.8.8.8/canary?canary=canary";
    set(&proxy, &json!({"webhooks": {"url": url}, "on_call_pager": "canary", "x": "canary"})).await;
    let mut replies = Vec::new();
    for body in [
        json!({"webhooks": {"url": "http://8.8.8.8/canary"}}),
        json!({"webhooks": {"url": "https://canary:canary@8.8.8.8/"}}),
        json!({"webhooks": {"url": "https://canary .example/"}}),
        json!({"webhooks": {"url": "canary"}}),
        json!({"webhooks": {"url": ["canary"]}}),
        json!({"webhooks": "canary"}),
        json!({"log_level": {"canary": "canary"}}),
        json!({"media": {"auto_download": ["canary"]}}),
        json!("canary"),
    ] {
        let reply = admin(&proxy, "PATCH", PATH, &body.to_string()).await;
        assert_eq!(reply.status, 400, "{body}");
        replies.push(reply);
    }
    let settings = proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().settings.now();
    assert_eq!(settings.application.webhooks_url(), Some(url));
    let target = settings.callback_target();
    let shown = format!("{settings:?} {settings:#?} {target:?} {}", proxy.metrics().await);
    let texts: String = replies.iter().map(Reply::text).collect();
    assert!(!shown.contains("canary") && !texts.contains("canary"), "{shown} {texts}");
}
