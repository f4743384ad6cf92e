//! The CA of callbacks.

use prembridge::net::{ca_bundle, self_signed};

use super::{CA, admin, assert_done};
use crate::support::{PHONE_NUMBER_ID, Proxy};

/// A certificate, and its key.
fn pair() -> (String, String) {
    let pem = self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = pem.split_at(pem.rfind("-----BEGIN").unwrap());
    (certificate.to_owned(), key.to_owned())
}

#[tokio::test]
async fn certificates_go_in_and_out() {
    let proxy = Proxy::start().await;
    let none = admin(&proxy, "GET", CA, "").await;
    assert_eq!((none.status, none.body.len(), none.header("content-type")), (404, 0, None));
    assert_eq!(none.header("content-length"), Some("0"));
    let reply = admin(&proxy, "DELETE", CA, "").await;
    assert_eq!((reply.status, reply.code()), (404, 1006));
    let (one, other) = (pair().0, pair().0);
    let bundle = format!("# ours\r\n{one}\n{other}");
    for pem in [&one, &bundle] {
        assert_done(&admin(&proxy, "POST", &format!("{CA}/?x"), pem).await);
        let reply = admin(&proxy, "GET", CA, "").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/plain")));
        assert_eq!(reply.text(), *pem, "as it was sent");
    }
    let settings = || proxy.app.state().numbers.load().by_id(PHONE_NUMBER_ID).unwrap().settings.now();
    assert_eq!(ca_bundle(&settings().webhooks_ca.clone().unwrap()).unwrap().len(), 2);
    assert_done(&admin(&proxy, "DELETE", CA, "").await);
    assert_eq!(admin(&proxy, "GET", CA, "").await.status, 404);
    assert_eq!(settings().webhooks_ca, None);
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_without_quoting_it() {
    let proxy = Proxy::start().await;
    let (certificate, key) = pair();
    assert_done(&admin(&proxy, "POST", CA, &certificate).await);
    let line = key.lines().nth(1).unwrap().to_owned();
    for (body, words) in [
        (String::new(), "no certificate"),
        ("canary".to_owned(), "no certificate"),
        (format!("{certificate}{key}"), "private key"),
        (key, "private key"),
        (certificate.replace("-----END", "canary"), "not PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "certificate 1"),
        (
            format!("{certificate}-----BEGIN canary-----\nAAAA\n-----END canary-----\n"),
            "other than certificates",
        ),
        (certificate.repeat(200), "more than 65536 bytes"),
    ] {
        let reply = admin(&proxy, "POST", CA, &body).await;
        let (code, _, details) = reply.error();
        assert_eq!((reply.status, code), (400, 1009), "{details}");
        assert!(details.contains(words), "{details}");
        assert!(!details.contains("canary") && !details.contains(&line), "{details}");
    }
    let key = format!("Bearer {}", crate::support::ADMIN_KEY);
    let reply = proxy.connect().await.call("POST", CA, &[("Authorization", &key)], b"\xff\xfe").await;
    assert_eq!((reply.status, reply.code()), (400, 1009), "not UTF-8");
    assert_eq!(admin(&proxy, "GET", CA, "").await.text(), certificate, "the one before stays");
}
