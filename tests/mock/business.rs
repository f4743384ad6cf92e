//! Numbers, profiles and their photos in the mock Cloud API.

use prembridge::mock::{APP_ID, CODE, NumberStage};

use super::*;

const NUMBER: &str = "106540352242922";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0";

fn path(edge: &str) -> String {
    format!("/v26.0/{NUMBER}{edge}")
}

impl Client {
    async fn ask_for(&mut self, path: &str) -> Reply {
        self.call("GET", path, "Bearer token", b"").await.unwrap()
    }

    async fn tell(&mut self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, "Bearer token", body.to_string().as_bytes()).await.unwrap()
    }
}

#[track_caller]
fn assert_success(reply: &Reply) {
    assert_eq!((reply.status, reply.json()["success"].as_bool()), (200, Some(true)), "{reply:?}");
}

#[track_caller]
fn assert_error(reply: &Reply, code: u64, words: &str) {
    let message = reply.json()["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(reply.code(), code, "{message}");
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn a_number_is_verified_and_registered() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let states = path("?fields=code_verification_status,status,platform_type");
    let state = async |client: &mut Client| {
        let json = client.ask_for(&states).await.json();
        ["code_verification_status", "status", "platform_type"]
            .map(|key| json[key].as_str().unwrap().to_owned())
    };
    assert_eq!(state(&mut client).await, ["VERIFIED", "CONNECTED", "CLOUD_API"]);
    mock.set_stage(NUMBER, NumberStage::Unverified);
    assert_eq!(state(&mut client).await, ["NOT_VERIFIED", "PENDING", "NOT_APPLICABLE"]);
    let (request, verify, register) = (path("/request_code"), path("/verify_code"), path("/register"));
    let code = json!({ "code": CODE });
    let pin = json!({"messaging_product": "whatsapp", "pin": "123456"});
    assert_error(&client.tell(&verify, &code).await, 136_025, "Verify code error");
    assert_error(&client.tell(&register, &pin).await, 133_006, "re-verification");
    assert_error(&client.tell(&path(""), &json!({"pin": "123456"})).await, 133_010, "not registered");
    assert_success(&client.tell(&request, &json!({"code_method": "SMS", "language": "en_US"})).await);
    assert_error(&client.tell(&verify, &json!({"code": "000000"})).await, 136_025, "Verify code error");
    let reply = client.tell(&verify, &code).await;
    assert_eq!(reply.json(), json!({"success": true, "id": NUMBER}));
    assert_eq!(state(&mut client).await, ["VERIFIED", "DISCONNECTED", "NOT_APPLICABLE"]);
    assert_error(&client.tell(&verify, &code).await, 136_024, "already verified");
    let again = client.tell(&request, &json!({"code_method": "VOICE", "language": "de_DE"})).await;
    assert_error(&again, 136_024, "already verified");
    mock.set_pin(NUMBER, Some("654321"));
    assert_error(&client.tell(&register, &pin).await, 133_005, "PIN Mismatch");
    mock.set_pin(NUMBER, None);
    assert_success(&client.tell(&register, &pin).await);
    assert_eq!(state(&mut client).await, ["VERIFIED", "CONNECTED", "CLOUD_API"]);
    assert_success(&client.tell(&path(""), &json!({"pin": "234567"})).await);
    assert_error(&client.tell(&register, &pin).await, 133_005, "PIN Mismatch");
    assert_eq!(mock.recorded().last().unwrap().notes, ["the number was registered already"]);
}

#[tokio::test]
async fn bodies_that_graph_refuses() {
    let mock = start(Options::default()).await;
    mock.set_stage(NUMBER, NumberStage::Unverified);
    let mut client = Client::to(&mock).await;
    let product = |body: Value| {
        let mut body = body;
        body["messaging_product"] = json!("whatsapp");
        body
    };
    let long = "x".repeat(600);
    for (edge, body, words) in [
        ("/request_code", json!({"language": "en_US"}), "code_method is required"),
        ("/request_code", json!({"code_method": "sms", "language": "en_US"}), "must be one of {SMS, VOICE}"),
        ("/request_code", json!({"code_method": "SMS", "language": "en"}), "Param language"),
        ("/verify_code", json!({}), "code is required"),
        ("/verify_code", json!({"code": "13-57"}), "4 to 8 digits"),
        ("/register", json!({"pin": "123456"}), "messaging_product is required"),
        ("/register", product(json!({"pin": "12345"})), "6 digits"),
        ("/register", product(json!({"pin": 123_456})), "must be a string"),
        ("", json!({}), "pin is required"),
        ("", json!({"pin": "1234567"}), "at most 6"),
        ("/whatsapp_business_profile", json!({"about": "x"}), "messaging_product is required"),
        ("/whatsapp_business_profile", product(json!({"about": ""})), "non-empty"),
        ("/whatsapp_business_profile", product(json!({"about": long[..140]})), "at most 139"),
        ("/whatsapp_business_profile", product(json!({"address": long[..257]})), "at most 256"),
        ("/whatsapp_business_profile", product(json!({"description": long[..513]})), "at most 512"),
        ("/whatsapp_business_profile", product(json!({"email": long[..129]})), "at most 128"),
        ("/whatsapp_business_profile", product(json!({"vertical": "Automotive"})), "must be one of {OTHER"),
        ("/whatsapp_business_profile", product(json!({"websites": ["a.example"]})), "valid URI"),
        (
            "/whatsapp_business_profile",
            product(json!({"websites": [format!("https://{long}")]})),
            "at most 256",
        ),
        (
            "/whatsapp_business_profile",
            product(json!({"profile_picture_handle": "4:x"})),
            "not a valid handle",
        ),
    ] {
        assert_error(&client.tell(&path(edge), &body).await, 100, words);
    }
    let sites = product(json!({"websites": ["https://a", "https://b", "https://c"]}));
    assert_eq!(client.tell(&path("/whatsapp_business_profile"), &sites).await.code(), 131_009);
    assert_eq!(client.tell(&path("/register"), &json!([])).await.code(), 100);
    for (token, code) in [("", 104), ("Basic x", 190)] {
        for path in [path("/register"), path("/whatsapp_business_profile"), path("")] {
            assert_eq!(client.call("POST", &path, token, b"{}").await.unwrap().code(), code, "{path}");
        }
    }
}

#[tokio::test]
async fn a_profile_shows_what_is_asked_for() {
    let mock = start(Options::default()).await;
    let mut client = Client::to(&mock).await;
    let edge = path("/whatsapp_business_profile");
    let fields =
        json!({"messaging_product": "whatsapp", "about": "Hi", "websites": ["https://a.example/"], "odd": 1});
    assert_success(&client.tell(&edge, &fields).await);
    assert_eq!(mock.recorded()[0].notes, ["ignored top-level key \"odd\""]);
    let shown =
        client.ask_for(&format!("{edge}?fields=about,email,websites,profile_picture_url")).await.json();
    let expected =
        json!({"about": "Hi", "websites": ["https://a.example/"], "messaging_product": "whatsapp"});
    assert_eq!(shown, json!({ "data": [expected] }));
    assert_eq!(client.ask_for(&edge).await.json(), json!({"data": [{"messaging_product": "whatsapp"}]}));
    assert_error(&client.ask_for(&format!("{edge}?fields=name")).await, 100, "nonexisting field (name)");
    let other = client.ask_for("/v26.0/5/whatsapp_business_profile?fields=about").await.json();
    assert_eq!(other["data"][0].get("about"), None, "another number's");
    mock.fault("190@any:once".parse().unwrap());
    assert_eq!(
        client.tell(&edge, &json!({"messaging_product": "whatsapp", "about": "No"})).await.code(),
        190
    );
    assert_eq!(client.ask_for(&format!("{edge}?fields=about")).await.json()["data"][0]["about"], "Hi");
}

#[tokio::test]
async fn a_photo_is_uploaded_under_the_app() {
    let options = Options { access_tokens: Some(vec!["token".into()]), ..Options::default() };
    let mock = start(options).await;
    let mut client = Client::to(&mock).await;
    let debug = client.ask_for("/v26.0/debug_token?input_token=token").await.json();
    assert_eq!((&debug["data"]["app_id"], &debug["data"]["is_valid"]), (&json!(APP_ID), &json!(true)));
    let other = client.ask_for("/v26.0/debug_token?input_token=other").await.json();
    assert_eq!(other["data"].get("app_id"), None);
    assert_error(&client.ask_for("/v26.0/debug_token").await, 100, "input_token is required");

    let uploads = format!("/v26.0/{APP_ID}/uploads");
    for (query, words) in [
        ("file_type=image/jpeg", "file_length is required"),
        ("file_length=4", "file_type is required"),
        ("file_length=0&file_type=image/jpeg", "positive number"),
        ("file_length=4&file_type=image%2Fgif", "not supported: 'image/gif'"),
    ] {
        assert_error(&client.tell(&format!("{uploads}?{query}"), &json!(null)).await, 100, words);
    }
    let query = "file_name=a.jpg&file_length=4&file_type=image%2Fjpeg";
    assert_error(&client.tell(&format!("/v26.0/5/uploads?{query}"), &json!(null)).await, 100, "'5' does not");
    let reply = client.call("POST", &format!("{uploads}?{query}"), "Bearer token", b"").await.unwrap();
    let session = reply.json()["id"].as_str().unwrap().to_owned();
    assert!(session.starts_with("upload:") && session.contains("?sig="), "{session}");
    let at = format!("/v26.0/{session}");
    let oauth = "OAuth token\r\nfile_offset: 0";
    for (at, headers, body, code) in [
        (at.as_str(), "Bearer token\r\nfile_offset: 0", JPEG, 190),
        (&at, "OAuth other\r\nfile_offset: 0", JPEG, 190),
        (&at, "OAuth token", JPEG, 100),
        (&at, "OAuth token\r\nfile_offset: 1", JPEG, 100),
        (&at, oauth, b"\xff\xd8\xff", 100),
        (&at, oauth, b"GIF8", 100),
        (&at.replace("?sig=", "?sig=x"), oauth, JPEG, 100),
    ] {
        let reply = client.call("POST", at, headers, body).await.unwrap();
        assert_eq!(reply.code(), code, "{headers} {body:?}");
    }
    let handle = client.call("POST", &at, oauth, JPEG).await.unwrap().json()["h"].clone();
    let edge = path("/whatsapp_business_profile");
    let change = json!({"messaging_product": "whatsapp", "profile_picture_handle": handle});
    assert_success(&client.tell(&edge, &change).await);
    let shown = client.ask_for(&format!("{edge}?fields=profile_picture_url")).await.json();
    let url = shown["data"][0]["profile_picture_url"].as_str().unwrap();
    let place = url.strip_prefix(&mock.base_url()).unwrap();
    let photo = client.call("GET", place, "", b"").await.unwrap();
    assert_eq!(
        (photo.status, photo.body.as_slice(), photo.header("content-type")),
        (200, JPEG, Some("image/jpeg"))
    );
    assert!(mock.recorded().last().unwrap().notes.is_empty());
    client.ask_for(place).await;
    assert_eq!(mock.recorded().last().unwrap().notes, ["a token was sent to a public place"]);
    let hidden = client.call("GET", &place.replace("?oh=", "?oh=0"), "", b"").await.unwrap();
    assert_eq!(hidden.status, 404);
}
