//! The node of a number: what it is, and how it is verified and registered.

use serde::Serialize;
use serde_json::Value;

/// How far a number has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has proved that it is theirs, or not lately.
    Unverified,
    /// It is verified and not registered with Cloud.
    Verified,
    /// It is registered with Cloud and can send.
    Connected,
}

/// What is asked of a number before it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberState {
    /// How far it has come.
    pub stage: Stage,
    /// `verified_name`; empty when it has none.
    pub verified_name: String,
}

impl NumberState {
    /// The fields that tell it.
    pub const FIELDS: &'static str = "code_verification_status,status,platform_type,verified_name";

    /// Reads what Graph knows of a number; nothing when that does not tell how far it has come.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let platform = text("platform_type");
        let is_on_cloud = platform == Some("CLOUD_API");
        let stage = match (text("status"), text("code_verification_status")) {
            // Those of a lower quality are connected, too ("Phone Numbers", status). But not to Cloud, when they are
            // still on-prem's.
            (Some("CONNECTED" | "FLAGGED" | "RESTRICTED" | "RATE_LIMITED"), _)
                if is_on_cloud || platform.is_none() =>
            {
                Stage::Connected
            }
            (None | Some("UNKNOWN"), _) if is_on_cloud => Stage::Connected,
            (_, Some("VERIFIED")) => Stage::Verified,
            (_, Some(_)) => Stage::Unverified,
            (_, None) => return None,
        };
        Some(Self { stage, verified_name: text("verified_name").unwrap_or_default().to_owned() })
    }
}

/// What a number's throughput was raised to ("Throughput").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throughput {
    /// `STANDARD`, and whatever other level there is: 80 messages per second.
    Standard,
    /// `HIGH`: 1,000 messages per second.
    High,
}

impl Throughput {
    /// The field that tells it.
    pub const FIELD: &'static str = "throughput";

    /// Reads what Graph knows of a number; nothing when that does not tell a level.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let level = body.pointer("/throughput/level")?.as_str()?;
        Some(if level == "HIGH" { Self::High } else { Self::Standard })
    }

    /// Messages per second.
    pub fn per_second(self) -> u32 {
        match self {
            Self::Standard => 80,
            Self::High => 1000,
        }
    }
}

/// Asks for a code: `POST /{number}/request_code`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CodeRequest {
    /// `SMS` or `VOICE`
    pub code_method: &'static str,
    /// The language of the text or the voice.
    pub language: &'static str,
}

/// Brings the code: `POST /{number}/verify_code`.
#[derive(Serialize)]
pub struct CodeCheck<'a> {
    /// Its digits.
    pub code: &'a str,
}

/// Registers: `POST /{number}/register`.
#[derive(Serialize)]
pub struct Registration<'a> {
    messaging_product: &'static str,
    pin: &'a str,
}

impl<'a> Registration<'a> {
    /// With this two-step PIN, which becomes the number's if it has none.
    pub fn new(pin: &'a str) -> Self {
        Self { messaging_product: "whatsapp", pin }
    }
}

/// Sets the two-step PIN: `POST /{number}`.
#[derive(Serialize)]
pub struct PinChange<'a> {
    /// Six digits.
    pub pin: &'a str,
}

/// Whether this is an answer about a number, or any other node: each has its id.
pub fn is_node(body: &[u8]) -> bool {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.is_some_and(|body| body.get("id").is_some())
}

/// Whether Graph did what it was asked to: `{"success":true}`, maybe with more.
pub fn is_success(body: &[u8]) -> bool {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    body.is_some_and(|body| body.get("success") == Some(&Value::Bool(true)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_connected_is_known_by_any_sign_of_it() {
        for (status, platform, code, stage) in [
            (json!("CONNECTED"), json!("CLOUD_API"), json!("VERIFIED"), Some(Stage::Connected)),
            (json!("CONNECTED"), json!("CLOUD_API"), json!("EXPIRED"), Some(Stage::Connected)),
            (json!("FLAGGED"), json!(null), json!(null), Some(Stage::Connected)),
            (json!("UNKNOWN"), json!("CLOUD_API"), json!("NOT_VERIFIED"), Some(Stage::Connected)),
            (json!(null), json!("CLOUD_API"), json!(null), Some(Stage::Connected)),
            (json!("CONNECTED"), json!("ON_PREMISE"), json!("VERIFIED"), Some(Stage::Verified)),
            (json!("CONNECTED"), json!("NOT_APPLICABLE"), json!("EXPIRED"), Some(Stage::Unverified)),
            (json!("DISCONNECTED"), json!("NOT_APPLICABLE"), json!("VERIFIED"), Some(Stage::Verified)),
            (json!("PENDING"), json!("CLOUD_API"), json!("VERIFIED"), Some(Stage::Verified)),
            (json!("PENDING"), json!("NOT_APPLICABLE"), json!("NOT_VERIFIED"), Some(Stage::Unverified)),
            (json!("DISCONNECTED"), json!("ON_PREMISE"), json!("EXPIRED"), Some(Stage::Unverified)),
            (json!("PENDING"), json!(null), json!(null), None),
            (json!(null), json!(null), json!(5), None),
        ] {
            let body = json!({"status": status, "platform_type": platform, "code_verification_status": code});
            let state = NumberState::parse(body.to_string().as_bytes());
            assert_eq!(state.map(|state| state.stage), stage, "{body}");
        }
        assert_eq!(NumberState::parse(b"<html>"), None);
    }

    #[test]
    fn any_level_but_high_is_standard_and_none_says_nothing() {
        for (throughput, per_second) in [
            (json!({"level": "HIGH"}), Some(1000)),
            (json!({"level": "STANDARD"}), Some(80)),
            (json!({"level": "NOT_APPLICABLE"}), Some(80)),
            (json!({"level": 5}), None),
            (json!({}), None),
            (json!("HIGH"), None),
            (Value::Null, None),
        ] {
            let body = json!({"throughput": throughput, "id": "106540352242922"}).to_string();
            let found = Throughput::parse(body.as_bytes()).map(Throughput::per_second);
            assert_eq!((found, is_node(body.as_bytes())), (per_second, true), "{body}");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"error":{"message":"m","code":190}}"#] {
            assert_eq!(
                (Throughput::parse(body.as_bytes()), is_node(body.as_bytes())),
                (None, false),
                "{body}"
            );
        }
    }

    #[test]
    fn only_true_is_success() {
        assert!(is_success(br#"{"success":true,"id":"1"}"#));
        for body in [json!({"success": false}), json!({"success": "true"}), json!({}), Value::Null] {
            assert!(!is_success(body.to_string().as_bytes()), "{body}");
        }
    }
}
