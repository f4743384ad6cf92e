//! Registration, verification, the two-step PIN and shards, through the whole app.

mod refused;
mod shards;

use prembridge::mock::{Act, CODE, ErrorAct, FaultRule, Matcher, NumberStage, Options, Times};
use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, Client, KEY, PHONE_NUMBER_ID, Proxy, Reply, number};

const ACCOUNT: &str = "/v1/account";
const VERIFY: &str = "/v1/account/verify";
const PIN: &str = "/v1/settings/account/two-step";

async fn admin(proxy: &Proxy, method: &str, path: &str, body: &Value) -> Reply {
    proxy.call_as(&format!("Bearer {ADMIN_KEY}"), method, path, &body.to_string()).await
}

async fn post(proxy: &Proxy, path: &str, body: &Value) -> Reply {
    admin(proxy, "POST", path, body).await
}

fn registration() -> Value {
    json!({"cc": "1", "phone_number": "5550123456", "method": "sms", "cert": "Cm0KKQ=="})
}

fn with_pin(mut body: Value, pin: &str) -> Value {
    body["pin"] = json!(pin);
    body
}

#[track_caller]
fn assert_account(reply: &Reply, status: u16) {
    let expected = json!({"account": [{"vname": "Lucky Shrub"}],
        "meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (status, expected), "{reply:?}");
}

#[track_caller]
fn assert_done(reply: &Reply, status: u16) {
    let meta = json!({"meta": {"api_status": "stable", "version": "v2.45.1"}});
    assert_eq!((reply.status, reply.json()), (status, meta), "{reply:?}");
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: u64) {
    assert_eq!((reply.status, reply.code()), (status, code), "{reply:?}");
}

/// The calls to Graph since the last time: `GET` for the node, the edge or `pin` for what is posted. None may have
/// registered a number that was connected.
fn calls(proxy: &Proxy) -> Vec<String> {
    let recorded = proxy.mock.recorded();
    assert!(recorded.iter().all(|seen| seen.notes.is_empty()), "{recorded:#?}");
    proxy.mock.clear();
    let node = format!("/v26.0/{PHONE_NUMBER_ID}");
    let name = |path: &str, method: &str| match path.strip_prefix(&node).unwrap() {
        "" if method == "GET" => "GET".to_owned(),
        "" => "pin".to_owned(),
        edge => edge.trim_start_matches('/').to_owned(),
    };
    recorded.iter().map(|seen| name(&seen.path, &seen.method)).collect()
}

async fn at(stage: NumberStage) -> Proxy {
    let proxy = Proxy::start().await;
    proxy.mock.set_stage(PHONE_NUMBER_ID, stage);
    proxy
}

fn any(act: Act, times: Times) -> FaultRule {
    FaultRule::new(act).times(times).when(Matcher { any: true, ..Matcher::default() })
}

#[tokio::test]
async fn a_connected_number_is_registered_already_and_stays_alone() {
    let proxy = at(NumberStage::Connected).await;
    for body in [
        registration(),
        with_pin(registration(), "123456"),
        json!({"cc": 1, "phone_number": 5550123456_u64, "method": "VOICE"}),
    ] {
        assert_account(&post(&proxy, ACCOUNT, &body).await, 201);
        assert_eq!(calls(&proxy), ["GET"]);
    }
    for path in ["/v1/account/", "/account", "/v1/account?x=y"] {
        assert_account(&post(&proxy, path, &registration()).await, 201);
    }
}

#[tokio::test]
async fn an_unverified_number_is_sent_a_code_and_verified_and_registered() {
    let proxy = at(NumberStage::Unverified).await;
    for (word, method) in [("sms", "SMS"), ("voice", "VOICE")] {
        let mut body = with_pin(registration(), "123456");
        body["method"] = json!(word);
        assert_account(&post(&proxy, ACCOUNT, &body).await, 202);
        assert_eq!(proxy.last_body(), json!({"code_method": method, "language": "en_US"}));
        assert_eq!(calls(&proxy), ["GET", "request_code"]);
    }
    let wrong = post(&proxy, VERIFY, &json!({"code": "000-000"})).await;
    assert_refused(&wrong, 400, 1009);
    assert_eq!(calls(&proxy), ["verify_code"]);
    let code = format!("{}-{}", &CODE[..3], &CODE[3..]);
    assert_done(&post(&proxy, VERIFY, &json!({ "code": code })).await, 200);
    assert_eq!(proxy.last_body(), json!({ "code": CODE }));
    assert_eq!(calls(&proxy), ["verify_code"], "a PIN that was given before is not kept");

    let reply = post(&proxy, ACCOUNT, &registration()).await;
    assert_refused(&reply, 400, 1008);
    assert!(reply.error().2.starts_with("pin is missing"), "{reply:?}");
    assert_eq!(calls(&proxy), ["GET"]);
    assert_account(&post(&proxy, ACCOUNT, &with_pin(registration(), "123456")).await, 201);
    assert_eq!(proxy.last_body(), json!({"messaging_product": "whatsapp", "pin": "123456"}));
    assert_eq!(calls(&proxy), ["GET", "register"]);
    assert_account(&post(&proxy, ACCOUNT, &registration()).await, 201);
    assert_eq!(calls(&proxy), ["GET"]);
}

#[tokio::test]
async fn a_pin_beside_the_code_registers_at_once() {
    let proxy = at(NumberStage::Unverified).await;
    assert_account(&post(&proxy, ACCOUNT, &registration()).await, 202);
    calls(&proxy);
    let body = json!({"code": CODE, "pin": "123456"});
    assert_done(&post(&proxy, VERIFY, &body).await, 201);
    assert_eq!(calls(&proxy), ["verify_code", "GET", "register"]);
    // Again, and without the PIN: it was verified already, and is connected.
    assert_done(&post(&proxy, VERIFY, &body).await, 201);
    assert_eq!(calls(&proxy), ["verify_code", "GET"]);
    assert_done(&post(&proxy, VERIFY, &json!({ "code": CODE })).await, 201);
    assert_eq!(calls(&proxy), ["verify_code"]);
}

#[tokio::test]
async fn clouds_own_word_on_verification_counts() {
    // Verified between the question and the request for a code, as far as that goes in front of a mock.
    let proxy = at(NumberStage::Unverified).await;
    for (body, status, code) in [(registration(), 400, 1008), (with_pin(registration(), "123456"), 503, 1011)]
    {
        proxy.mock.clear_faults();
        proxy.mock.fault(any(Act::Delay(std::time::Duration::ZERO), Times::Next(1)));
        proxy.mock.fault(any(Act::Error(ErrorAct::of(136_024)), Times::Next(1)));
        assert_refused(&post(&proxy, ACCOUNT, &body).await, status, code);
    }
    assert_eq!(calls(&proxy), ["GET", "request_code", "GET", "request_code", "register"]);
    let refused = "prembridge_upstream_requests_total{op=\"account\",outcome=\"refused\"} 3\n";
    let metrics = proxy.metrics().await;
    assert!(metrics.contains(refused), "each call is counted: {metrics}");
}

#[tokio::test]
async fn a_wrong_pin_registers_nothing() {
    let proxy = at(NumberStage::Verified).await;
    proxy.mock.set_pin(PHONE_NUMBER_ID, Some("654321"));
    assert_refused(&post(&proxy, ACCOUNT, &with_pin(registration(), "123456")).await, 403, 1005);
    assert_eq!(calls(&proxy), ["GET", "register"]);
    assert_account(&post(&proxy, ACCOUNT, &with_pin(registration(), "654321")).await, 201);
}

#[tokio::test]
async fn what_must_not_happen_twice_is_posted_once() {
    let register = with_pin(registration(), "123456");
    for (stage, path, body, last) in [
        (NumberStage::Unverified, ACCOUNT, registration(), "request_code"),
        (NumberStage::Verified, ACCOUNT, register, "register"),
        (NumberStage::Unverified, VERIFY, json!({ "code": CODE }), "verify_code"),
    ] {
        for (act, status, code) in [
            (Act::ResetAfterRead, 500, 1014),
            (Act::Error(ErrorAct::of(2)), 503, 1016),
            (Act::Error(ErrorAct::of(133_016)), 429, 1015),
            (Act::Error(ErrorAct::of(131_031)), 403, 1005),
            (Act::Error(ErrorAct::of(190)), 500, 1014),
        ] {
            let proxy = at(stage).await;
            if path == ACCOUNT {
                proxy.mock.fault(any(Act::Delay(std::time::Duration::ZERO), Times::Next(1)));
            }
            proxy.mock.fault(any(act.clone(), Times::Always));
            let reply = post(&proxy, path, &body).await;
            assert_refused(&reply, status, code);
            assert!(!reply.text().contains("message may"), "{reply:?}");
            assert_eq!(calls(&proxy).iter().filter(|call| *call == last).count(), 1, "{last} {act:?}");
            if code == 1015 {
                assert_eq!(reply.header("retry-after"), Some("259200"));
            }
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_stage_starts_nothing() {
    let proxy = at(NumberStage::Unverified).await;
    for body in ["{}", "[]", r#"{"status":"PENDING"}"#] {
        proxy.mock.clear_faults();
        let act = prembridge::mock::HttpAct {
            status: 200,
            content_type: String::new(),
            body: body.to_owned(),
            headers: [].into(),
        };
        proxy.mock.fault(any(Act::Http(act), Times::Next(1)));
        assert_refused(&post(&proxy, ACCOUNT, &registration()).await, 500, 1014);
        assert_eq!(calls(&proxy), ["GET"], "{body}");
    }
}

#[tokio::test]
async fn the_pin_is_set_and_may_be_set_again() {
    let proxy = Proxy::start().await;
    assert_done(&post(&proxy, PIN, &json!({"pin": "123456"})).await, 200);
    assert_eq!((calls(&proxy), proxy.mock.seen()), (vec!["pin".to_owned()], 0));
    proxy.mock.fault(any(Act::ResetAfterRead, Times::Next(1)));
    assert_done(&post(&proxy, &format!("{PIN}/"), &json!({"pin": 234567})).await, 200);
    assert_eq!(proxy.last_body(), json!({"pin": "234567"}));
    assert_eq!(calls(&proxy), ["pin", "pin"]);
    proxy.mock.set_stage(PHONE_NUMBER_ID, NumberStage::Verified);
    assert_refused(&post(&proxy, PIN, &json!({"pin": "123456"})).await, 503, 1011);
}

#[tokio::test]
async fn bad_input_never_reaches_cloud_and_no_pin_shows() {
    let proxy = Proxy::start().await;
    let but = |key: &str, value: Value| {
        let mut body = registration();
        body[key] = value;
        body
    };
    for (path, body, code) in [
        (PIN, json!({}), 1008),
        (PIN, json!({"pin": "12345"}), 1009),
        (PIN, json!({"pin": "97531a"}), 1009),
        (PIN, json!({"pin": "9753186"}), 1009),
        (PIN, json!({"pin": ["975318"]}), 1009),
        (PIN, json!({"pin": "975318", "x": 1}), 1010),
        (PIN, json!([]), 1008),
        (ACCOUNT, but("cc", json!(null)), 1008),
        (ACCOUNT, but("phone_number", json!(null)), 1008),
        (ACCOUNT, but("method", json!(null)), 1008),
        (ACCOUNT, but("method", json!("mail")), 1009),
        (ACCOUNT, but("phone_number", json!("none")), 1009),
        (ACCOUNT, but("pin", json!("9753")), 1009),
        (ACCOUNT, but("x", json!(1)), 1010),
        (VERIFY, json!({}), 1008),
        (VERIFY, json!({"code": "12"}), 1009),
        (VERIFY, json!({"code": "abc-def"}), 1009),
        (VERIFY, json!({"code": "123456", "pin": "975"}), 1009),
    ] {
        let reply = post(&proxy, path, &body).await;
        assert_refused(&reply, 400, code);
        assert!(!reply.text().contains("975"), "{reply:?}");
    }
    for path in [PIN, ACCOUNT, VERIFY] {
        for body in ["", "{", "\u{1}", "{\"pin\":\"975318\",\"pin\":\"975319\"}"] {
            let reply = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "POST", path, body).await;
            assert_refused(&reply, 400, 1025);
            assert!(!reply.text().contains("975"), "{reply:?}");
        }
    }
    assert_eq!(proxy.mock.seen(), 0);
}

#[tokio::test]
async fn only_administrators_may() {
    let options = Options { verified_name: String::new(), ..Options::default() };
    let proxy = Proxy::behind(options, "", &number("support", PHONE_NUMBER_ID, "")).await;
    for (method, path, body, verbs) in [
        ("POST", ACCOUNT, registration(), "POST"),
        ("POST", VERIFY, json!({ "code": CODE }), "POST"),
        ("POST", PIN, json!({"pin": "123456"}), "POST, DELETE"),
        ("GET", "/v1/account/shards", json!(null), "GET, HEAD, POST"),
        ("POST", "/v1/account/shards", json!({"shards": 2}), "GET, HEAD, POST"),
    ] {
        for (key, status) in [(KEY, 403), ("x", 401)] {
            let reply = proxy.call_as(&format!("Bearer {key}"), method, path, &body.to_string()).await;
            assert_refused(&reply, status, 1005);
        }
        let reply = proxy.connect().await.call(method, path, &[], body.to_string().as_bytes()).await;
        assert_refused(&reply, 401, 1005);
        let reply = admin(&proxy, "PUT", path, &body).await;
        assert_refused(&reply, 405, 1025);
        assert_eq!(reply.header("allow"), Some(verbs), "{path}");
    }
    assert_eq!(proxy.mock.seen(), 0);
    let reply = post(&proxy, ACCOUNT, &registration()).await;
    assert_eq!((reply.status, reply.json()["account"].clone()), (201, json!([{"vname": ""}])));
}

#[tokio::test]
async fn without_cloud_the_client_may_try_again() {
    let Proxy { mock, app, api, .. } = Proxy::start().await;
    mock.shutdown().await;
    let key = format!("Bearer {ADMIN_KEY}");
    for (path, body) in
        [(ACCOUNT, registration()), (VERIFY, json!({ "code": CODE })), (PIN, json!({"pin": "123456"}))]
    {
        let mut client = Client::connect(api).await;
        let headers = [("Authorization", key.as_str())];
        let reply = client.call("POST", path, &headers, body.to_string().as_bytes()).await;
        assert_refused(&reply, 503, 1016);
        assert_eq!(reply.header("retry-after"), Some("1"), "{path}");
    }
    drop(app);
}
