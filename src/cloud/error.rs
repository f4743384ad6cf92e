//! Graph's error body, as it is documented and as it occurs.

use serde_json::{Map, Value};

use super::Hidden;

/// `{"error":{…}}`, with everything optional but the fact that it is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphError {
    /// `error.code`; `None` when it is missing, which 0 ("AuthException") is not.
    pub code: Option<i64>,
    /// `error.error_subcode`
    pub subcode: Option<i64>,
    /// `error.message`
    pub message: String,
    /// `error.error_data.details`, or `error.error_data` where that is a plain string.
    pub details: Option<String>,
    /// `error.error_user_msg`, a sentence for people that management calls have beside a bare "Invalid parameter".
    pub user_message: Option<String>,
    /// `error.fbtrace_id`
    pub trace: Option<String>,
}

impl GraphError {
    /// The error in `body`; `None` when it holds none (HTML, other JSON, nothing).
    pub fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        Some(Self::from_members(body.get("error")?.as_object()?))
    }

    /// The error whose members these are: those of `error` in an answer, or of an element of `errors` in a
    /// webhook.
    pub fn from_members(error: &Map<String, Value>) -> Self {
        let text = |key: &str| error.get(key).and_then(Value::as_str).map(str::to_owned);
        let details = error.get("error_data").and_then(|data| match data {
            Value::String(text) => Some(text.clone()),
            Value::Object(data) => data.get("details").and_then(Value::as_str).map(str::to_owned),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
        });
        Self {
            code: error.get("code").and_then(integer),
            subcode: error.get("error_subcode").and_then(integer),
            message: text("message").unwrap_or_default(),
            details: details.filter(|text| !text.is_empty()),
            user_message: text("error_user_msg").filter(|text| !text.is_empty()),
            trace: text("fbtrace_id"),
        }
    }
}

impl GraphError {
    /// The same in words that may be repeated.
    pub fn without(self, hidden: &Hidden) -> Self {
        let strike = |text: String| hidden.strike(&text);
        Self {
            code: self.code,
            subcode: self.subcode,
            message: strike(self.message),
            details: self.details.map(strike),
            user_message: self.user_message.map(strike),
            trace: self.trace.map(strike),
        }
    }
}

impl GraphError {
    /// Whether Cloud does not have a file that the message names (any more): the message was refused, and can be
    /// sent again with another id. "Param image['id'] is not a valid whatsapp business account media attachment
    /// ID" comes with code 100, and was seen with 131009.
    pub fn is_dead_media(&self) -> bool {
        const TEXT: &str = "is not a valid whatsapp business account media attachment id";
        let says = |text: &str| text.to_ascii_lowercase().contains(TEXT);
        matches!(self.code, Some(100 | 131_009))
            && (says(&self.message) || self.details.as_deref().is_some_and(says))
    }
}

impl GraphError {
    /// Whether Cloud does not take the token of the call: 0 "AuthException", 104 and 190 ("Error codes",
    /// authorization errors), and whatever else comes with HTTP 401; 100 and 200 where the text says so.
    pub fn is_token_fault(&self, http: u16) -> bool {
        let says = |text: &str| text.contains("appsecret_proof") || text.contains("valid app ID");
        let is_named = says(&self.message) || self.details.as_deref().is_some_and(says);
        match self.code {
            Some(0 | 104 | 190) => true,
            Some(100 | 200) if is_named => true,
            _ => http == 401,
        }
    }

    /// Whether Cloud says that it does not know the number with this id: 133010 "Phone number not registered", 33 "the
    /// business phone number has been deleted", or 100 about that very object.
    pub fn is_unknown_number(&self, id: &str) -> bool {
        match self.code {
            Some(33 | 133_010) => true,
            Some(100) => self.message.contains("does not exist") && self.message.contains(&format!("'{id}'")),
            _ => false,
        }
    }
}

/// A number, also when it was quoted.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::GraphError;

    #[test]
    fn reads_every_shape_that_occurs() {
        let full =
            br#"{"error":{"message":"(#131047) Re-engagement message","type":"OAuthException","code":131047,
            "error_data":{"messaging_product":"whatsapp","details":"24 hours"},"fbtrace_id":"Az8"}}"#;
        let error = GraphError::parse(full).unwrap();
        assert_eq!(
            (error.code, error.details.as_deref(), error.trace.as_deref()),
            (Some(131_047), Some("24 hours"), Some("Az8"))
        );
        let text =
            GraphError::parse(br#"{"error":{"message":"m","code":100,"error_data":"plain"}}"#).unwrap();
        assert_eq!(text.details.as_deref(), Some("plain"));
        assert_eq!(GraphError::parse(br#"{"error":{"message":"m","code":"190"}}"#).unwrap().code, Some(190));
        assert_eq!(GraphError::parse(br#"{"error":{"message":"m"}}"#).unwrap().code, None);
        assert_eq!(GraphError::parse(b"<html>"), None);
        assert_eq!(GraphError::parse(br#"{"error":"x"}"#), None);
    }

    #[test]
    fn faults_of_the_token_and_of_the_number() {
        let error = |code: i64, message: &str| GraphError {
            code: Some(code),
            message: message.to_owned(),
            ..GraphError::default()
        };
        for (code, message, http, is_token_fault) in [
            (0, "AuthException", 400, true),
            (104, "", 400, true),
            (190, "", 400, true),
            (10, "", 401, true),
            (100, "Invalid appsecret_proof provided", 400, true),
            (200, "Provide valid app ID", 403, true),
            (200, "Permissions error", 403, false),
            (100, "Invalid parameter", 400, false),
            (131_047, "appsecret_proof", 400, false),
        ] {
            assert_eq!(error(code, message).is_token_fault(http), is_token_fault, "{code} {message}");
        }
        let missing = "Unsupported get request. Object with ID '106' does not exist";
        for (code, message, id, is_unknown) in [
            (33, "", "106", true),
            (133_010, "", "106", true),
            (100, missing, "106", true),
            (100, missing, "6", false),
            (100, "Param '106' is wrong", "106", false),
            (131_009, missing, "106", false),
        ] {
            assert_eq!(error(code, message).is_unknown_number(id), is_unknown, "{code} {message} {id}");
        }
    }
}
