//! The profile photo: given, linked to, uploaded.

use prembridge::mock::{APP_ID, Body, Options, Recorded};

use super::*;

const PHOTO: &str = "/v1/settings/profile/photo";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\r\n--b\r\n";

async fn post(proxy: &Proxy, content_type: &str, body: &[u8]) -> Reply {
    let key = format!("Bearer {KEY}");
    let mut headers = vec![("Authorization", key.as_str())];
    if !content_type.is_empty() {
        headers.push(("Content-Type", content_type));
    }
    proxy.connect().await.call("POST", PHOTO, &headers, body).await
}

fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--b7\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"me.jpg\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--b7--\r\n"].concat()
}

#[track_caller]
fn assert_nothing_there(reply: &Reply) {
    assert_eq!((reply.status, reply.body.len()), (404, 0), "{reply:?}");
}

fn find<'r>(recorded: &'r [Recorded], start: &str) -> &'r Recorded {
    recorded.iter().find(|seen| seen.path.starts_with(start)).unwrap_or_else(|| panic!("no {start}"))
}

#[tokio::test]
async fn a_photo_goes_up_and_comes_back() {
    let proxy = Proxy::start().await;
    assert_nothing_there(&proxy.call("GET", PHOTO, "").await);
    assert_nothing_there(&proxy.call("GET", &format!("{PHOTO}?format=link"), "").await);
    proxy.mock.clear();
    assert_done(&post(&proxy, "image/png", PNG).await);
    let uploads = format!("POST /{APP_ID}/uploads");
    let (session, set) = ("POST /upload:YXR0YWNobWVudDow", "POST /ID/whatsapp_business_profile");
    assert_eq!(calls(&proxy), ["GET /debug_token", &uploads, session, set]);
    let recorded = proxy.mock.recorded();
    let asked = find(&recorded, "/v26.0/debug_token").query.as_deref();
    assert_eq!(asked, Some(&*format!("input_token={ACCESS_TOKEN}")));
    let query = find(&recorded, &format!("/v26.0/{APP_ID}")).query.as_deref();
    assert_eq!(query, Some(&*format!("file_name=photo.png&file_length={}&file_type=image%2Fpng", PNG.len())));
    let bytes = find(&recorded, "/v26.0/upload:");
    assert_eq!(bytes.authorization.as_deref(), Some(&*format!("OAuth {ACCESS_TOKEN}")));
    assert_eq!(bytes.headers.get("file_offset").map(String::as_str), Some("0"));
    assert!(matches!(&bytes.body, Body::Raw(sent) if sent == PNG));

    let reply = proxy.call("GET", PHOTO, "").await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, PNG));
    assert_eq!(reply.header("content-type"), Some("image/png"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("content-length"), Some(&*PNG.len().to_string()));
    let recorded = proxy.mock.recorded();
    assert_eq!(find(&recorded, "/_photo/").authorization, None, "a public place gets no token");
    let reply = proxy.call("GET", &format!("{PHOTO}/?a=b&format=link"), "").await;
    let link = reply.json()["settings"]["profile"]["photo"]["link"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/_photo/{PHONE_NUMBER_ID}?oh=", proxy.mock.base_url())), "{link}");
    let reply = proxy.call("GET", &format!("{PHOTO}?format=png"), "").await;
    assert_eq!((reply.status, reply.code()), (400, 1009));
}

#[tokio::test]
async fn bodies_as_clients_send_them() {
    let proxy = Proxy::start().await;
    let typed = "multipart/form-data; boundary=b7";
    for (content_type, body) in [
        ("image/jpeg", JPEG.to_vec()),
        ("application/x-www-form-urlencoded", PNG.to_vec()),
        ("", JPEG.to_vec()),
        (typed, form("File", JPEG)),
        (typed, form("file", PNG)),
    ] {
        assert_done(&post(&proxy, content_type, &body).await);
        let expected = if body.windows(4).any(|bytes| bytes == b"\x89PNG") { PNG } else { JPEG };
        assert_eq!(proxy.call("GET", PHOTO, "").await.body, expected, "{content_type}");
    }
    let asked = calls(&proxy).iter().filter(|call| *call == "GET /debug_token").count();
    assert_eq!(asked, 1, "the app is asked for once");
}

#[tokio::test]
async fn what_is_no_photo_never_reaches_cloud() {
    let proxy = Proxy::start().await;
    let typed = "multipart/form-data; boundary=b7";
    let large = [JPEG, &vec![0; 5 << 20]].concat();
    for (content_type, body, status, code) in [
        ("image/png", Vec::new(), 400, 1008),
        ("image/png", b"GIF89a".to_vec(), 400, 1009),
        ("image/jpeg", b"<svg/>".to_vec(), 400, 1009),
        ("image/jpeg", large, 413, 1025),
        ("image/jpeg", vec![0xff; (6 << 20) + 1], 413, 1025),
        (typed, form("photo", PNG), 400, 1008),
        (typed, form("File", b""), 400, 1008),
        (typed, form("File", b"GIF89a"), 400, 1009),
        (typed, PNG.to_vec(), 400, 1025),
        ("multipart/form-data", form("File", PNG), 400, 1025),
    ] {
        let reply = post(&proxy, content_type, &body).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{content_type} {}", body.len());
    }
    let largest = [JPEG, &vec![0; (5 << 20) - JPEG.len()]].concat();
    assert_eq!(proxy.mock.seen(), 0);
    assert_done(&post(&proxy, "image/jpeg", &largest).await);
    assert_eq!(proxy.call("GET", PHOTO, "").await.body.len(), 5 << 20);
}

#[tokio::test]
async fn a_configured_app_is_not_asked_for() {
    let app = format!("app_id = \"{APP_ID}\"");
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &app)).await;
    assert_done(&post(&proxy, "image/png", PNG).await);
    assert_eq!(calls(&proxy).len(), 3);
    let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, "app_id = \"5\"")).await;
    let reply = post(&proxy, "image/png", PNG).await;
    assert_eq!((reply.status, reply.code()), (404, 1006), "another app");
}

#[tokio::test]
async fn without_an_app_the_operator_is_told() {
    let proxy = Proxy::start().await;
    answers_once(&proxy, 200, r#"{"data":{"is_valid":false}}"#);
    let reply = post(&proxy, "image/png", PNG).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (503, 1011));
    assert!(details.contains("app_id") && !details.contains(ACCESS_TOKEN), "{details}");
    assert_eq!(proxy.mock.seen(), 1);
    assert_done(&post(&proxy, "image/png", PNG).await);
}

#[tokio::test]
async fn each_step_may_fail_once() {
    for at in 0..3 {
        for act in [Act::ResetAfterRead, Act::Error(ErrorAct::of(2))] {
            let app = format!("app_id = \"{APP_ID}\"");
            let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &app)).await;
            // A rule that does nothing for the steps before.
            let before = Act::Delay(std::time::Duration::ZERO);
            if at > 0 {
                proxy.mock.fault(any(before, Times::Next(at)));
            }
            proxy.mock.fault(any(act.clone(), Times::Next(1)));
            assert_done(&post(&proxy, "image/png", PNG).await);
            let expected = [5, 5, 4][usize::try_from(at).unwrap()] - u64::from(at == 0);
            assert_eq!(proxy.mock.seen(), expected, "{at} {act:?}: {:?}", calls(&proxy));
            assert_eq!(proxy.call("GET", PHOTO, "").await.body, PNG);
        }
    }
}

#[tokio::test]
async fn a_failing_upload_sets_nothing() {
    let proxy = Proxy::start().await;
    for (line, status, code) in
        [("http 502 html@any", 503, 1016), ("190@any", 500, 1014), ("reset-after-read@any", 503, 1016)]
    {
        proxy.mock.clear_faults();
        proxy.mock.fault(line.parse().unwrap());
        let reply = post(&proxy, "image/png", PNG).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{line}: {reply:?}");
    }
    proxy.mock.clear_faults();
    for (at, body) in [(1, r#"{"id":"1/media"}"#), (1, "{}"), (2, "{}"), (2, r#"{"h":""}"#)] {
        let proxy = Proxy::start().await;
        proxy.mock.fault(any(Act::Delay(std::time::Duration::ZERO), Times::Next(at)));
        let act = HttpAct { status: 200, content_type: String::new(), body: body.into(), headers: [].into() };
        proxy.mock.fault(any(Act::Http(act), Times::Next(1)));
        let reply = post(&proxy, "image/png", PNG).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{at} {body}");
        assert_eq!(proxy.mock.seen(), at + 1, "{at} {body}: no other place is called");
    }
    assert_nothing_there(&proxy.call("GET", PHOTO, "").await);
}

/// Scripts where the photo is said to be.
fn is_at(proxy: &Proxy, url: &str) {
    answers_once(proxy, 200, &json!({"data": [{"profile_picture_url": url}]}).to_string());
}

#[tokio::test]
async fn a_photo_that_cannot_be_had() {
    let proxy = Proxy::start().await;
    is_at(&proxy, &format!("{}/_photo/1?oh=0", proxy.mock.base_url()));
    assert_nothing_there(&proxy.call("GET", PHOTO, "").await);
    // The guard stands before every place but Cloud's own.
    let other = Proxy::start().await.mock;
    is_at(&proxy, &format!("{}/_photo/1?oh=0", other.base_url()));
    let reply = proxy.call("GET", PHOTO, "").await;
    assert_eq!((reply.status, reply.code(), other.seen()), (503, 1016, 0), "{reply:?}");
    // A private place that nobody listens at, and what is no place.
    for (url, status, code) in
        [("http://127.0.0.1:1/x", 503, 1016), ("nonsense", 500, 1014), ("file:///x", 500, 1014)]
    {
        is_at(&proxy, url);
        let reply = proxy.call("GET", PHOTO, "").await;
        assert_eq!((reply.status, reply.code()), (status, code), "{url}: {reply:?}");
        is_at(&proxy, url);
        let reply = proxy.call("GET", &format!("{PHOTO}?format=link"), "").await;
        assert_eq!(reply.json()["settings"]["profile"]["photo"]["link"], url);
    }
}

#[tokio::test]
async fn who_may_and_what_is_refused() {
    let options = Options { access_tokens: Some(vec![ACCESS_TOKEN.to_owned()]), ..Options::default() };
    let proxy = Proxy::behind(options, "", &number("support", PHONE_NUMBER_ID, "")).await;
    for path in [PHOTO.to_owned(), format!("{PHOTO}/"), PHOTO.replace("/v1", "")] {
        let reply = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "GET", &path, "").await;
        assert_nothing_there(&reply);
        for method in ["GET", "POST", "DELETE"] {
            let reply = proxy.call_as("Bearer x", method, &path, "").await;
            assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
        }
    }
    proxy.mock.clear();
    let reply = proxy.call("PUT", PHOTO, "").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, POST, DELETE")));
    let reply = proxy.call("DELETE", PHOTO, "").await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (501, 1000));
    assert!(
        details.contains("deletes the profile photo") && details.contains("Cloud has no call"),
        "{details}"
    );
    assert_eq!(proxy.mock.seen(), 0);
    assert_done(&post(&proxy, "image/png", PNG).await);
}
