//! Every way in which Cloud refuses, as the on-prem client sees it.

use prembridge::mock::{self, FaultRule};
use prembridge::onprem::ErrorCode;
use prembridge::translate::errors::table::row_of;
use serde_json::{Value, json};

use crate::support::{Proxy, Reply, TO, text};

/// Cloud code, on-prem code, HTTP status: written out again from the specification, so that a slip in the
/// table shows. Codes of the mock that are not here must be without a row.
const EXPECTED: &[(u32, u64, u16)] = &[
    (0, 1014, 500),
    (1, 1000, 500),
    (2, 1016, 503),
    (3, 1005, 403),
    (4, 1015, 429),
    (10, 1005, 403),
    (2500, 1011, 503),
    (33, 1011, 503),
    (104, 1014, 500),
    (190, 1014, 500),
    (200, 1005, 403),
    (299, 1005, 403),
    (368, 1031, 403),
    (613, 1015, 429),
    (80007, 1015, 429),
    (80008, 1015, 429),
    (130403, 1007, 400),
    (130429, 1015, 429),
    (130472, 472, 400),
    (130497, 1026, 403),
    (131000, 1000, 500),
    (131001, 1001, 400),
    (131002, 1002, 400),
    (131005, 1005, 403),
    (131006, 1006, 404),
    (131008, 1008, 400),
    (131009, 1009, 400),
    (131016, 1016, 503),
    (131020, 1020, 400),
    (131021, 1021, 400),
    (131026, 1026, 400),
    (131030, 1013, 400),
    (131031, 1031, 403),
    (131037, 430, 400),
    (131041, 401, 400),
    (131042, 402, 400),
    (131043, 410, 400),
    (131044, 402, 400),
    (131045, 430, 500),
    (131047, 470, 400),
    (131048, 471, 400),
    (131049, 1026, 400),
    (131050, 1026, 400),
    (131051, 1009, 400),
    (131052, 400, 400),
    (131053, 1014, 500),
    (131055, 1009, 400),
    (131056, 1015, 429),
    (131057, 1011, 503),
    (131059, 1002, 400),
    (131062, 1026, 400),
    (131063, 2062, 400),
    (131064, 471, 400),
    (131201, 1002, 400),
    (131215, 1002, 400),
    (132000, 2000, 400),
    (132001, 2001, 404),
    (132005, 2005, 400),
    (132007, 2007, 400),
    (132008, 2012, 400),
    (132012, 2012, 400),
    (132015, 2061, 400),
    (132016, 2062, 400),
    (132018, 2012, 400),
    (132068, 2068, 400),
    (132069, 2069, 400),
    (133000, 1011, 503),
    (133001, 1014, 500),
    (133002, 1014, 500),
    (133003, 1014, 500),
    (133004, 1016, 503),
    (133005, 1005, 403),
    (133006, 1011, 503),
    (133007, 1031, 403),
    (133008, 1015, 429),
    (133009, 1015, 429),
    (133010, 1011, 503),
    (133015, 1011, 503),
    (133016, 1015, 429),
    (134011, 1005, 403),
    (134100, 1009, 400),
    (134101, 2002, 400),
    (134102, 2002, 400),
    (135000, 1025, 400),
    (136024, 1009, 400),
    (136025, 1009, 400),
    (137000, 480, 400),
    (2494100, 1011, 503),
];

/// Features that on-prem lacked: ranges with one answer.
const LACKED: [std::ops::RangeInclusive<u32>; 5] =
    [138_000..=138_999, 139_000..=139_999, 147_000..=147_999, 2_388_000..=2_388_999, 2_593_000..=2_593_999];

fn expected(code: u32, http: u16) -> (u64, u16) {
    if let Some((_, onprem, status)) = EXPECTED.iter().find(|(cloud, ..)| *cloud == code) {
        return (*onprem, *status);
    }
    if LACKED.iter().any(|range| range.contains(&code)) {
        return (1000, 500);
    }
    assert!(row_of(code.into()).is_none(), "{code} has a row and no expectation");
    match http {
        429 => (1015, 429),
        500.. => (1014, 500),
        _ => (1000, 400),
    }
}

/// What holds for every refusal, whatever its code.
fn assert_sound(reply: &Reply) {
    let (code, title, details) = reply.error();
    let known = ErrorCode::from_code(u16::try_from(code).unwrap()).unwrap();
    assert_eq!(title, known.title());
    assert_ne!(reply.status, 401, "a 401 is about the client's own login");
    assert_ne!(details.to_ascii_lowercase(), "unknown contact");
    assert!(!details.contains("contact store"), "{details}");
    let waits = matches!(reply.status, 429 | 503);
    assert_eq!(reply.header("retry-after").is_some(), waits, "{reply:?}");
}

async fn refused(proxy: &Proxy, rule: FaultRule) -> Reply {
    proxy.mock.clear_faults();
    proxy.mock.fault(rule);
    let reply = proxy.send(&text(TO)).await;
    assert_sound(&reply);
    reply
}

fn rule(act: &Value) -> FaultRule {
    serde_json::from_value(json!({"act": act})).unwrap()
}

#[tokio::test]
async fn every_cloud_code_has_its_on_prem_form() {
    let proxy = Proxy::start().await;
    let mut unmapped = 0;
    for code in mock::codes() {
        // Code 100 is told apart by its text; see below.
        if code == 100 {
            continue;
        }
        let (_, http) = mock::lookup(code).unwrap();
        let reply = refused(&proxy, FaultRule::error(code)).await;
        let (onprem, _, details) = reply.error();
        assert_eq!((onprem, reply.status), expected(code, http), "cloud {code}");
        let cloud_text = mock::GraphError::of(code).details.unwrap();
        let end = format!(" (cloud {code}, trace ");
        let (before, trace) = details.split_once(&end).unwrap_or_else(|| panic!("{details}"));
        assert_eq!(before, cloud_text);
        assert!(trace.len() > 1 && trace.ends_with(')'), "{details}");
        assert_eq!(onprem == 471, matches!(code, 131_048 | 131_064), "471 stops bulk sending for a day");
        unmapped += u32::from(row_of(code.into()).is_none());
    }
    let metrics = proxy.metrics().await;
    assert!(metrics.contains(&format!("prembridge_unmapped_cloud_code_total {unmapped}\n")), "{metrics}");
    assert_eq!(proxy.mock.accepted(), 0);
}

#[tokio::test]
async fn every_row_of_the_table_is_expected_here() {
    for (code, onprem, http) in EXPECTED {
        let row = row_of(i64::from(*code)).unwrap_or_else(|| panic!("{code} has no row"));
        assert_eq!((u64::from(row.onprem.code()), row.http), (*onprem, *http), "cloud {code}");
    }
}

#[tokio::test]
async fn code_100_is_told_apart_by_its_text() {
    let proxy = Proxy::start().await;
    for (message, code, http) in [
        ("(#100) Unexpected key \"x\" on param \"text\".", 1010, 400),
        ("(#100) Param text['body'] must be at most 4096 characters long.", 1001, 400),
        ("(#100) Param template['name'] must be at most 512 characters long.", 1009, 400),
        ("(#100) The parameter to is required.", 1008, 400),
        ("(#100) Parameter name is missing or empty", 1008, 400),
        ("(#100) Param to is not a valid phone number: \"x\"", 1013, 400),
        ("API calls from the server require an appsecret_proof argument", 1014, 500),
        ("Unsupported post request. Object with ID '106540352242922' does not exist", 1011, 503),
        ("Unsupported post request. Object with ID '1' does not exist", 1006, 404),
        ("(#100) Invalid parameter", 1009, 400),
    ] {
        let act = json!({"error": {"code": 100, "message": message, "error_data": false}});
        let reply = refused(&proxy, rule(&act)).await;
        let (onprem, _, details) = reply.error();
        assert_eq!((onprem, reply.status), (code, http), "{message}");
        assert!(details.starts_with(message), "{details}");
    }
    let metrics = proxy.metrics().await;
    assert!(metrics.contains("prembridge_unexpected_key_leaked_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_token_error_never_looks_like_the_clients_login() {
    let proxy = Proxy::start().await;
    for line in ["190/401", "190/400", "104/401", "0/401", "190/401 bare", "10/401", "131005/401", "777/401"]
    {
        let reply = refused(&proxy, line.parse().unwrap()).await;
        assert_ne!(reply.status, 401, "{line}");
    }
    let act = json!({"error": {"code": 200, "message": "Provide valid app ID", "http": 401}});
    assert_eq!(refused(&proxy, rule(&act)).await.code(), 1014);
    for line in ["http 401", "http 401 empty", "http 403 html", "http 407 html"] {
        let reply = refused(&proxy, line.parse().unwrap()).await;
        assert_eq!((reply.status, reply.code()), (500, 1014), "{line}");
    }
}

#[tokio::test]
async fn throttling_is_a_429_whatever_its_status_was() {
    let proxy = Proxy::start().await;
    for (line, wait) in [
        ("130429/400", "1"),
        ("130429/429", "1"),
        ("130429/429 bare", "1"),
        ("131056/400", "6"),
        ("131056/429", "6"),
        ("4/400", "1"),
        ("80007/429", "1"),
        ("613/400", "1"),
        ("777/429", "1"),
        ("http 429 empty", "1"),
        ("http 429 html", "1"),
        ("http 429 empty retry-after 17", "17"),
    ] {
        let reply = refused(&proxy, line.parse().unwrap()).await;
        let code = reply.code();
        assert_eq!((reply.status, code, reply.header("retry-after")), (429, 1015, Some(wait)), "{line}");
    }
    for (line, code, wait) in [("131057", 1011, "60"), ("131016/500", 1016, "1"), ("2/200", 1016, "1")] {
        let reply = refused(&proxy, line.parse().unwrap()).await;
        assert_eq!((reply.status, reply.code()), (503, code), "{line}");
        assert_eq!(reply.header("retry-after"), Some(wait), "{line}");
    }
}

#[tokio::test]
async fn details_are_one_line_and_short() {
    let proxy = Proxy::start().await;
    let long = format!("first\r\nsecond\u{1b}[31m\t{}", "ä".repeat(2000));
    let act = json!({"error": {"code": 131_000, "details": long}});
    let (_, _, details) = refused(&proxy, rule(&act)).await.error();
    assert!(details.starts_with("first second [31m ä"), "{details}");
    assert!(!details.contains(char::is_control) && details.chars().count() < 600, "{details}");
    assert!(details.contains("(cloud 131000, trace "), "{details}");

    let act = json!({"error": {"code": 131_000, "error_data": false, "message": "only this"}});
    let (_, _, details) = refused(&proxy, rule(&act)).await.error();
    assert!(details.starts_with("only this (cloud 131000, "), "{details}");
    let body = r#"{"error":{"message":"m","code":131000,"error_data":"as a string"}}"#;
    let act = json!({"http": {"status": 500, "content_type": "application/json", "body": body}});
    assert_eq!(refused(&proxy, rule(&act)).await.code(), 1000);
}

#[tokio::test]
async fn the_cloud_code_can_be_hidden() {
    let proxy = Proxy::with("[compat]\nexpose_cloud_code = false\nundeliverable_as = 1013\n").await;
    let (code, title, details) = refused(&proxy, FaultRule::error(131_026)).await.error();
    assert_eq!((code, title.as_str()), (1013, "User is not valid"));
    assert!(!details.contains("(cloud"), "{details}");
}

/// Redirects, and 5xx without a Graph error: nobody knows whether the message was taken, and the client is told so.
#[tokio::test]
async fn answers_that_are_not_graphs() {
    let proxy = Proxy::start().await;
    for line in [
        "http 500 html",
        "http 502",
        "http 503 empty",
        "http 504 html",
        "http 200 garbage",
        "http 200 empty",
        "http 200 no-messages",
        "http 200 html",
        "http 302 html",
        "http 303 empty",
        "truncate",
        "reset-after-read",
    ] {
        let reply = refused(&proxy, line.parse().unwrap()).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (500, 1014), "{line}: {reply:?}");
        assert!(details.contains("may have been sent"), "{line}: {details}");
    }
    for line in ["http 404 html", "http 405 html"] {
        let (code, _, details) = refused(&proxy, line.parse().unwrap()).await.error();
        assert_eq!(code, 1014, "{line}");
        assert!(details.contains("base_url"), "{line}: {details}");
    }
    let seen = proxy.mock.seen();
    assert_eq!(seen, 14, "each was tried once");
}

#[tokio::test]
async fn no_answer_in_time_is_a_504_and_no_upstream_a_503() {
    let proxy = Proxy::with("first_byte_timeout = \"50ms\"\n").await;
    let reply = refused(&proxy, "stall".parse().unwrap()).await;
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (504, 1014));
    assert!(details.contains("may have been sent"), "{details}");
    let metrics = proxy.metrics().await;
    assert!(metrics.contains("prembridge_in_doubt_total 1\n"), "{metrics}");
    let Proxy { mock, app, api, .. } = proxy;
    mock.shutdown().await;
    let headers = [("Authorization", &*format!("Bearer {}", crate::support::KEY))];
    let body = text(TO).to_string();
    let mut client = crate::support::Client::connect(api).await;
    let reply = client.call("POST", "/v1/messages", &headers, body.as_bytes()).await;
    assert_sound(&reply);
    let (code, _, details) = reply.error();
    assert_eq!((reply.status, code), (503, 1016));
    assert!(details.contains("was not sent"), "{details}");
    drop(app);
}

/// Read receipts fail in the same form.
#[tokio::test]
async fn refused_receipts() {
    let proxy = Proxy::start().await;
    for (line, code, status) in
        [("131009@read", 1009, 400), ("190@read", 1014, 500), ("http 502@read", 1014, 500)]
    {
        proxy.mock.clear_faults();
        proxy.mock.fault(line.parse().unwrap());
        let reply = proxy.call("PUT", "/v1/messages/wamid.x", r#"{"status":"read"}"#).await;
        assert_sound(&reply);
        assert_eq!((reply.status, reply.code()), (status, code), "{line}");
    }
}
