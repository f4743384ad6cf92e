//! The business profile and the about text, through the whole app, in front of the mock Cloud API.

mod photo;

use prembridge::mock::{Act, ErrorAct, FaultRule, HttpAct, Matcher, Times};
use serde_json::{Value, json};

use crate::support::{ACCESS_TOKEN, ADMIN_KEY, KEY, PHONE_NUMBER_ID, Proxy, Reply, number};

const PROFILE: &str = "/v1/settings/business/profile";
const ABOUT: &str = "/v1/settings/profile/about";
const SALES_ID: &str = "204561782290018";

#[track_caller]
fn assert_done(reply: &Reply) {
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (200, meta), "{reply:?}");
}

async fn shown(proxy: &Proxy) -> Value {
    let reply = proxy.call("GET", PROFILE, "").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
    let mut json = reply.json();
    assert_eq!(json["meta"], json!({"api_status": "stable", "version": "v2.45.1"}));
    json["settings"]["business"]["profile"].take()
}

async fn about(proxy: &Proxy, path: &str) -> Value {
    proxy.call("GET", path, "").await.json()["settings"]["profile"]["about"]["text"].clone()
}

/// Every call to Graph so far, as its verb and its path behind the version; all in order, or the mock says why not.
fn calls(proxy: &Proxy) -> Vec<String> {
    let recorded = proxy.mock.recorded();
    assert!(recorded.iter().all(|seen| seen.notes.is_empty()), "{recorded:#?}");
    let place = |path: &str| path.strip_prefix("/v26.0").unwrap_or(path).replace(PHONE_NUMBER_ID, "ID");
    recorded.iter().map(|seen| format!("{} {}", seen.method, place(&seen.path))).collect()
}

fn any(act: Act, times: Times) -> FaultRule {
    FaultRule::new(act).times(times).when(Matcher { any: true, ..Matcher::default() })
}

#[tokio::test]
async fn what_is_set_is_shown_in_the_words_of_the_dialect() {
    let proxy = Proxy::start().await;
    let empty = json!({"address": "", "description": "", "email": "", "vertical": "", "websites": []});
    assert_eq!(shown(&proxy).await, empty);
    let full = json!({"address": "1 Hacker Way", "description": "We sell \"things\"", "email": "a@b.example",
        "vertical": "Automotive", "websites": ["https://a.example/", "https://b.example/"]});
    assert_done(&proxy.call("POST", PROFILE, &full.to_string()).await);
    let mut sent = full.clone();
    sent["vertical"] = json!("AUTO");
    sent["messaging_product"] = json!("whatsapp");
    assert_eq!(proxy.last_body(), sent);
    assert_eq!(shown(&proxy).await, full);
    let query = proxy.mock.recorded().last().unwrap().query.clone();
    let fields = "fields=about,address,description,email,profile_picture_url,websites,vertical";
    assert_eq!(query.as_deref(), Some(fields));
    for (word, cloud, shown_word) in
        [("hotel", "HOTEL", "Hotel and Lodging"), ("OTC_drugs", "OTC_DRUGS", "OTC_DRUGS")]
    {
        assert_done(&proxy.call("POST", PROFILE, &json!({ "vertical": word }).to_string()).await);
        assert_eq!(proxy.last_body(), json!({"messaging_product": "whatsapp", "vertical": cloud}));
        let mut expected = full.clone();
        expected["vertical"] = json!(shown_word);
        assert_eq!(shown(&proxy).await, expected, "what is not named stays");
    }
    let cleared = json!({"address": "", "description": null, "websites": []}).to_string();
    assert_done(&proxy.call("POST", PROFILE, &cleared).await);
    let now = shown(&proxy).await;
    assert_eq!((&now["address"], &now["websites"]), (&json!(""), &json!([])));
    assert_eq!(now["description"], full["description"], "null is not given");
}

#[tokio::test]
async fn a_bad_profile_never_reaches_cloud() {
    let proxy = Proxy::start().await;
    for (body, code, words) in [
        ("", 1008, "nothing of the profile"),
        ("{}", 1008, "nothing of the profile"),
        (r#"{"address":null}"#, 1008, "nothing of the profile"),
        (r#"{"addres":"x"}"#, 1010, "addres is no field"),
        (r#"{"about":"x","address":"y"}"#, 1010, "about is no field"),
        (r#"{"vertical":"Cars"}"#, 1009, "\"Automotive\", \"Beauty, Spa and Salon\""),
        (r#"{"websites":["a","b","c"]}"#, 1009, "websites must have at most 2"),
        (r#"{"email":5}"#, 1009, "email must be a string"),
        (&json!({"description": "x".repeat(513)}).to_string(), 1009, "description must be at most 512"),
        ("[]", 1008, "nothing of the profile"),
        ("[1]", 1025, "must be a JSON object"),
        ("{", 1025, "not a JSON object"),
        (r#"{"email":"a","email":"b"}"#, 1025, "given twice"),
    ] {
        let reply = proxy.call("POST", PROFILE, body).await;
        let (found, _, details) = reply.error();
        assert_eq!((reply.status, found), (400, code), "{body}: {details}");
        assert!(details.contains(words), "{body}: {details}");
    }
    for (body, code) in [
        (String::new(), 1025),
        ("{}".to_owned(), 1008),
        (r#"{"text":""}"#.to_owned(), 1008),
        (r#"{"text":1}"#.to_owned(), 1009),
        (json!({"text": "ä".repeat(140)}).to_string(), 1009),
        (r#"{"text":"a","x":1}"#.to_owned(), 1010),
    ] {
        let reply = proxy.call("PATCH", ABOUT, &body).await;
        assert_eq!((reply.status, reply.code()), (400, code), "{body}");
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn the_about_text_by_either_path() {
    let proxy = Proxy::start().await;
    assert_eq!(about(&proxy, ABOUT).await, "");
    for (path, text) in [(ABOUT, "ä".repeat(139)), ("/v1/configs/about", "Hi".to_owned())] {
        assert_done(&proxy.call("PATCH", path, &json!({ "text": text }).to_string()).await);
        assert_eq!(proxy.last_body(), json!({"messaging_product": "whatsapp", "about": text}));
        for path in [ABOUT, "/v1/configs/about", "/settings/profile/about/", "/configs/about?x=y"] {
            assert_eq!(about(&proxy, path).await, *text, "{path}");
        }
    }
    let whole = proxy.call("GET", ABOUT, "").await.json();
    let expected = json!({"settings": {"profile": {"about": {"text": "Hi"}}},
        "meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!(whole, expected);
}

#[tokio::test]
async fn both_forms_of_graphs_answer_are_read() {
    let proxy = Proxy::start().await;
    let fields = json!({"address": "x", "vertical": "NEWER", "messaging_product": "whatsapp"});
    for data in [json!([fields]), json!([{"business_profile": fields, "id": "1"}])] {
        answers_once(&proxy, 200, &json!({ "data": data }).to_string());
        let shown = shown(&proxy).await;
        assert_eq!((&shown["address"], &shown["vertical"]), (&json!("x"), &json!("NEWER")), "{data}");
    }
    for body in ["{}", "[]", "<html>", r#"{"data":[5]}"#] {
        answers_once(&proxy, 200, body);
        let reply = proxy.call("GET", PROFILE, "").await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{body}");
    }
    answers_once(&proxy, 200, r#"{"success":false}"#);
    let reply = proxy.call("POST", PROFILE, r#"{"address":"x"}"#).await;
    assert_eq!((reply.status, reply.code()), (500, 1014), "not a success without the word");
    answers_once(&proxy, 302, "");
    let reply = proxy.call("GET", PROFILE, "").await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (500, 1014), "whoever stands in between");
    assert!(details.contains("cloud.base_url"), "{details}");
}

/// Scripts the answer to the next call.
fn answers_once(proxy: &Proxy, status: u16, body: &str) {
    let act = HttpAct { status, content_type: String::new(), body: body.to_owned(), headers: [].into() };
    proxy.mock.clear_faults();
    proxy.mock.fault(any(Act::Http(act), Times::Next(1)));
}

#[tokio::test]
async fn who_may_and_by_which_paths() {
    let proxy = Proxy::start().await;
    for (method, path, body) in [
        ("GET", PROFILE, ""),
        ("POST", PROFILE, r#"{"address":"x"}"#),
        ("GET", ABOUT, ""),
        ("PATCH", ABOUT, r#"{"text":"x"}"#),
    ] {
        for key in [KEY, ADMIN_KEY] {
            for path in [path.to_owned(), format!("{path}/"), path.replace("/v1", "")] {
                let reply = proxy.call_as(&format!("Bearer {key}"), method, &path, body).await;
                assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
            }
        }
        let seen = proxy.mock.seen();
        for authorization in ["Bearer x", "Basic eDp5"] {
            let reply = proxy.call_as(authorization, method, path, body).await;
            assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
        }
        let reply = proxy.connect().await.call(method, path, &[], body.as_bytes()).await;
        assert_eq!((reply.status, reply.code()), (401, 1005), "{method} {path}");
        assert_eq!(proxy.mock.seen(), seen, "nothing is asked for strangers");
    }
    for (method, path, allow) in [("PATCH", PROFILE, "GET, HEAD, POST"), ("POST", ABOUT, "GET, HEAD, PATCH")]
    {
        let reply = proxy.call(method, path, "{}").await;
        assert_eq!((reply.status, reply.code(), reply.header("allow")), (405, 1025, Some(allow)), "{path}");
    }
    assert!(proxy.metrics().await.contains("op=\"profile\",outcome=\"ok\"} 24"));
}

#[tokio::test]
async fn numbers_have_their_own() {
    let support = number("support", PHONE_NUMBER_ID, "hosts = [\"support.wa.internal\"]");
    let sales = number("sales", SALES_ID, "hosts = [\"sales.wa.internal\"]");
    let proxy = Proxy::numbers("", &format!("{support}\n{sales}")).await;
    let call = async |name: &str, key: &str, method: &str, body: &str| {
        let (host, key) = (format!("{name}.wa.internal"), format!("Bearer {key}"));
        let headers = [("Host", host.as_str()), ("Authorization", &key)];
        proxy.connect().await.call(method, PROFILE, &headers, body.as_bytes()).await
    };
    let sales_key = format!("{KEY}-sales");
    assert_done(&call("support", KEY, "POST", r#"{"address":"here"}"#).await);
    let address = |reply: Reply| reply.json()["settings"]["business"]["profile"]["address"].clone();
    assert_eq!(address(call("support", KEY, "GET", "").await), "here");
    assert_eq!(address(call("sales", &sales_key, "GET", "").await), "");
    assert_eq!(call("sales", KEY, "GET", "").await.status, 401, "another number's key");
    let seen: Vec<_> = proxy.mock.recorded().iter().map(|seen| seen.authorization.clone().unwrap()).collect();
    let (support, sales) = (format!("Bearer {ACCESS_TOKEN}"), format!("Bearer {ACCESS_TOKEN}-sales"));
    assert_eq!(seen, [support.clone(), support, sales]);
}

#[tokio::test]
async fn clouds_errors_come_in_the_dialect() {
    let proxy = Proxy::start().await;
    for (code, status, onprem) in
        [(190, 500, 1014), (10, 403, 1005), (80_007, 429, 1015), (131_009, 400, 1009), (33, 404, 1006)]
    {
        proxy.mock.clear_faults();
        proxy.mock.fault(any(Act::Error(ErrorAct::of(code)), Times::Always));
        for (method, body) in [("GET", ""), ("POST", r#"{"address":"x"}"#)] {
            let reply = proxy.call(method, PROFILE, body).await;
            assert_eq!((reply.status, reply.code()), (status, onprem), "{code}: {reply:?}");
            assert_eq!(reply.header("retry-after").is_some(), status == 429, "{code}");
        }
    }
    answers_once(&proxy, 502, "<html>");
    let reply = proxy.call("GET", PROFILE, "").await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code, reply.header("retry-after")), (503, 1016, Some("1")));
    assert!(!details.contains("message"), "{details}");
}

#[tokio::test]
async fn a_change_is_made_once_more_and_no_more() {
    let proxy = Proxy::start().await;
    let change = async || proxy.call("POST", PROFILE, r#"{"address":"x"}"#).await;
    for (act, times, status, count) in [
        (Act::ResetAfterRead, Times::Next(1), 200, 2),
        (Act::Truncate, Times::Next(1), 200, 2),
        (Act::Error(ErrorAct::of(2)), Times::Next(1), 200, 2),
        (Act::Error(ErrorAct::of(2)), Times::Always, 503, 2),
        (Act::ResetAfterRead, Times::Always, 503, 2),
        (Act::Error(ErrorAct::of(100)), Times::Always, 400, 1),
    ] {
        proxy.mock.clear();
        proxy.mock.clear_faults();
        proxy.mock.fault(any(act.clone(), times));
        let reply = change().await;
        assert_eq!((reply.status, proxy.mock.seen()), (status, count), "{act:?} {times:?}: {reply:?}");
    }
    proxy.mock.clear_faults();
    assert_eq!(change().await.status, 200);
}

#[tokio::test]
async fn without_cloud_nothing_is_changed() {
    let Proxy { mock, app, api, .. } = Proxy::start().await;
    mock.shutdown().await;
    let mut client = crate::support::Client::connect(api).await;
    let key = format!("Bearer {KEY}");
    let headers = [("Authorization", key.as_str())];
    for (method, body) in [("GET", ""), ("POST", r#"{"address":"x"}"#)] {
        let reply = client.call(method, PROFILE, &headers, body.as_bytes()).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (503, 1016), "{method}");
        assert!(details.contains("nothing was changed"), "{details}");
    }
    drop(app);
}
