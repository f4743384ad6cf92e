//! Where links may lead, and links that are no links.

use serde_json::json;

use super::scene::*;

const DENIED: &str = "prembridge_egress_denied_total";

#[tokio::test]
async fn s1_to_s12_private_addresses_are_refused_in_every_spelling() {
    let scene = Scene::with("", "[egress]\n").await;
    scene.serve(png());
    let port = scene.provider.addr.port();
    let hosts = [
        "127.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "100.64.0.1",
        "[64:ff9b::808:808]",
        "[2002:808:808::1]",
        "[2001:0::1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
        "localhost",
        "LOCALHOST.",
        "10.0.0.1",
        "192.168.1.1",
        "168.63.129.16",
        "[fe80::1]",
        "[fd00::1]",
    ];
    for (n, host) in hosts.iter().enumerate() {
        for provider in ["", "cdn/"] {
            if n == 0 {
                scene.set_provider("cdn", &json!({"bearer": "secret"})).await;
            }
            let link = format!("{provider}http://{host}:{port}/a.png");
            let reply = scene.send_image(&json!({"link": link})).await;
            let (code, _, details) = reply.error();
            assert_eq!((reply.status, code), (400, 1009), "{link}: {reply:?}");
            assert!(details.starts_with("image: ") && details.contains("denied"), "{details}");
        }
        assert_eq!(scene.metric(DENIED).await, 2 * (n as u64 + 1), "{host}");
    }
    assert_eq!(scene.provider.seen().connections, 0);
    assert_eq!(scene.counts(), counts(0, 0, 0, 0));
}

#[tokio::test]
async fn our_own_listeners_are_refused_even_when_they_are_allowed() {
    let scene = Scene::with("", "[egress]\nallow = [\"127.0.0.0/8\", \"0.0.0.0\", \"localhost\"]\n").await;
    let (api, admin) = (scene.proxy.api.port(), scene.proxy.admin.port());
    let links = [
        format!("http://127.0.0.1:{api}/v1/media/1"),
        format!("http://localhost:{api}/"),
        format!("http://0.0.0.0:{api}/"),
        format!("http://127.0.0.1:{admin}/metrics"),
    ];
    for (n, link) in links.iter().enumerate() {
        let reply = scene.send_image(&json!({"link": link})).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{link}: {reply:?}");
        assert!(details.contains("leads back to this proxy"), "{details}");
        assert_eq!(scene.metric(DENIED).await, n as u64 + 1, "{link}");
    }
}

#[tokio::test]
async fn s18_what_is_no_link_is_refused_before_anybody_is_asked() {
    let scene = Scene::start().await;
    scene.serve(png());
    let addr = scene.provider.addr;
    for link in [
        format!("http://{addr}/a.png\r\nX-Injected: 1"),
        format!("http://{addr}/a.png HTTP/1.1\r\nHost: h\r\n\r\nGET /b"),
        format!("http://{addr}/a\tb"),
        format!("http://{addr}/a b"),
        format!("http://{addr}/a\0b"),
        format!("\thttp://{addr}/a.png"),
        format!("http://{addr}/a\u{85}b"),
        format!("http://user@{addr}/a.png"),
        format!("http://user:secret@{addr}/a.png"),
        format!("http://:secret@{addr}/a.png"),
        format!("http://{addr}/{}", "a".repeat(8192)),
        format!("http://{addr}/{}", "\u{20ac}".repeat(1000)),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:70/_".to_owned(),
        "javascript:alert(1)".to_owned(),
        "data:image/png;base64,AAAA".to_owned(),
        format!("ftp://{addr}/a.png"),
        format!("//{addr}/a.png"),
        format!("http:\\\\{addr}\\a.png"),
        "http://".to_owned(),
        "http:///a.png".to_owned(),
        "http://[::1".to_owned(),
        "http://127.0.0.1:99999/".to_owned(),
        "http://a..b/".to_owned(),
        format!("http://{}.example/", "a".repeat(64)),
        "/a.png".to_owned(),
    ] {
        let reply = scene.send_image(&json!({"link": link})).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{link:?}: {reply:?}");
        assert!(!details.contains("secret"), "{details}");
    }
    assert_eq!(scene.counts(), counts(0, 0, 0, 0));
    assert_eq!(scene.provider.seen().connections, 0);
}

#[tokio::test]
async fn s18_odd_links_reach_the_provider_in_one_safe_form() {
    let scene = Scene::start().await;
    let port = scene.provider.addr.port();
    let host = format!("127.0.0.1:{port}");
    for (link, path, query) in [
        (format!("http://{host}/a.png#fragment"), "/a.png", None),
        (format!("HTTP://{host}/a.png?"), "/a.png", Some("")),
        (format!("http://{host}/%0d%0aX-Injected:%201"), "/%0d%0aX-Injected:%201", None),
        (format!("http://{host}/\u{e4}?\u{e4}"), "/%C3%A4", Some("%C3%A4")),
        (format!("http://{host}/a/../b/./c"), "/b/c", None),
        (format!("http://{host}?q=\"<>`"), "/", Some("q=%22%3C%3E`")),
        (format!("http://{host}/a?u=http://other/%23"), "/a", Some("u=http://other/%23")),
        (format!("http://\u{ff11}27.0.0.1:{port}/wide"), "/wide", None),
        (format!("http://127.1:00{port}/short"), "/short", None),
    ] {
        scene.provider.serve(path, png());
        scene.sent_image(&json!({"link": link})).await;
        let seen = scene.provider.seen().requests.pop().unwrap();
        assert_eq!((seen.path.as_str(), seen.query.as_deref()), (path, query), "{link}");
        assert_eq!(seen.headers["host"], host, "{link}");
        let names: Vec<_> = seen.headers.into_keys().collect();
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"], "{link}");
    }
}

#[tokio::test]
async fn links_without_a_provider_may_be_left_to_cloud() {
    let scene = Scene::with("links = \"pass\"\n", "").await;
    scene.serve(fresh());
    let link = scene.provider.url("/a.png");
    assert_eq!(scene.sent_message(&image(&link)).await["image"], json!({"link": link}));
    assert_eq!(scene.counts(), counts(0, 0, 0, 1));
    scene.set_provider("cdn", &json!({})).await;
    scene.sent_image(&json!({"link": link, "provider": {"name": "cdn"}})).await;
    assert_eq!(scene.counts(), counts(1, 0, 1, 2), "what a provider opens, Cloud cannot");
    // An uploaded file is not a link.
    scene.sent_image(&json!({"id": scene.upload("image/png", PNG).await})).await;
}
