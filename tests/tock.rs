//! What tock's WhatsApp connector does, request for request.

use serde_json::{Value, json};

use crate::support::{PASSWORD, PHONE_NUMBER_ID, Proxy, Reply, TO, basic, number};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const HOUR: i64 = 3_600;

struct Connector {
    proxy: Proxy,
    token: String,
}

impl Connector {
    async fn new() -> Self {
        let user = format!("[[number.user]]\nname = \"tock\"\npassword = \"{PASSWORD}\"");
        let proxy = Proxy::numbers("", &number("support", PHONE_NUMBER_ID, &user)).await;
        let mut connector = Self { proxy, token: String::new() };
        connector.login().await;
        connector
    }

    /// With a content type, and nothing of that type.
    async fn login(&mut self) {
        let authorization = basic("tock", PASSWORD);
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        let reply = self.proxy.connect().await.call("POST", "/v1/users/login", &headers, b"").await;
        assert_eq!(reply.status, 200);
        let json = reply.json();
        // It reads exactly this form: yyyy-MM-dd HH:mm:ssXXX.
        let expires = json["users"][0]["expires_after"].as_str().unwrap();
        let form: String = expires.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(form, "0000-00-00 00:00:00+00:00");
        json["users"][0]["token"].as_str().unwrap().clone_into(&mut self.token);
    }

    async fn call(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Reply {
        let authorization = format!("Bearer {}", self.token);
        let mut headers = vec![("Authorization", authorization.as_str())];
        if !content_type.is_empty() {
            headers.push(("Content-Type", content_type));
        }
        self.proxy.connect().await.call(method, path, &headers, body).await
    }

    async fn send(&self, message: &Value) -> Reply {
        self.call("POST", "/v1/messages", "application/json", message.to_string().as_bytes()).await
    }
}

fn text() -> Value {
    json!({"to": TO, "type": "text", "recipient_type": "individual", "text": {"body": "hello"}})
}

#[tokio::test]
async fn a_token_is_refreshed_in_its_last_hour() {
    let mut connector = Connector::new().await;
    assert_eq!(connector.send(&text()).await.status, 201);
    // Seven days from the first login, less half an hour.
    connector.proxy.clock.advance(7 * 24 * HOUR - HOUR / 2);
    let first = connector.token.clone();
    connector.login().await;
    assert_ne!(connector.token, first);
    assert_eq!(connector.send(&text()).await.status, 201);
    let second = std::mem::replace(&mut connector.token, first);
    assert_eq!(connector.send(&text()).await.status, 201, "what was on its way with the first one goes out");
    connector.proxy.clock.advance(HOUR);
    assert_eq!(connector.send(&text()).await.status, 401);
    connector.token = second;
    assert_eq!(connector.send(&text()).await.status, 201);
    assert_eq!(connector.proxy.mock.accepted(), 4);
}

#[tokio::test]
async fn an_image_goes_up_and_out_and_a_file_is_fetched_and_deleted() {
    let connector = Connector::new().await;
    let reply = connector.call("POST", "/v1/media", "image/png", PNG).await;
    assert!((200..300).contains(&reply.status), "{reply:?}");
    let id = reply.json()["media"][0]["id"].as_str().unwrap().to_owned();
    let message = json!({"to": TO, "type": "image", "recipient_type": "individual", "image": {"id": id, "caption": null}});
    assert_eq!(connector.send(&message).await.status, 201);

    // Of what users send it takes the bytes, and deletes them with the same call that deletes uploads.
    let received = connector.proxy.mock.add_media(PHONE_NUMBER_ID, "audio/ogg", "a voice");
    let reply = connector.call("GET", &format!("/v1/media/{received}"), "", b"").await;
    assert_eq!((reply.status, reply.body.as_slice()), (200, &b"a voice"[..]));
    for id in [id, received] {
        let path = format!("/v1/media/{id}");
        assert_eq!(connector.call("DELETE", &path, "", b"").await.status, 200, "{path}");
        assert_eq!(connector.call("GET", &path, "", b"").await.status, 404, "{path}");
    }
}
