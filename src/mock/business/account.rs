//! The node of a number and its edges for verification and registration, and what a token is.

use serde_json::{Map, Value, json};

use super::super::errors::GraphError;
use super::super::graph::{decoded, query};
use super::super::route::no_field;
use super::super::schema::{CODE_CHECK, CODE_REQUEST, PIN_CHANGE, REGISTRATION};
use super::super::state::State;
use super::{APP_ID, CODE, Change, Examined, NumberStage, examine, is_digits, text};

/// `GET /{phone-number-id}`: the asked fields and always the id ("Phone Numbers" reference).
pub(in super::super) fn number(state: &State, id: &str, asked: Option<&str>) -> Result<Value, GraphError> {
    let fields = query(asked, "fields").unwrap_or("verified_name,display_phone_number,quality_rating");
    let stage = state.registry.get(id).stage;
    let mut answer = Map::new();
    for field in fields.replace("%2C", ",").split(',').map(str::trim).filter(|field| !field.is_empty()) {
        let value = match field {
            "id" => continue,
            "display_phone_number" => state.options.display_phone_number.as_str().into(),
            "verified_name" => state.options.verified_name.as_str().into(),
            "quality_rating" => "GREEN".into(),
            "platform_type" => platform(stage).into(),
            "status" => status(stage).into(),
            "code_verification_status" => code_status(stage).into(),
            "name_status" => "APPROVED".into(),
            "throughput" => json!({"level": state.options.throughput}),
            "health_status" => json!({"can_send_message": "AVAILABLE", "entities": []}),
            other => return Err(no_field(other)),
        };
        answer.insert(field.to_owned(), value);
    }
    answer.insert("id".to_owned(), id.into());
    Ok(Value::Object(answer))
}

fn platform(stage: NumberStage) -> &'static str {
    match stage {
        NumberStage::Connected => "CLOUD_API",
        NumberStage::Verified | NumberStage::Unverified => "NOT_APPLICABLE",
    }
}

fn status(stage: NumberStage) -> &'static str {
    match stage {
        NumberStage::Connected => "CONNECTED",
        NumberStage::Verified => "DISCONNECTED",
        NumberStage::Unverified => "PENDING",
    }
}

fn code_status(stage: NumberStage) -> &'static str {
    match stage {
        NumberStage::Connected | NumberStage::Verified => "VERIFIED",
        NumberStage::Unverified => "NOT_VERIFIED",
    }
}

/// `POST /{phone-number-id}/request_code`
pub(in super::super) fn request_code(state: &State, id: &str, body: &[u8]) -> Examined {
    examine(body, &CODE_REQUEST, |members| {
        let language = text(members, "language").split_once('_');
        let is_language = language.is_some_and(|(language, country)| {
            language.len() == 2
                && country.len() == 2
                && language.bytes().all(|byte| byte.is_ascii_lowercase())
                && country.bytes().all(|byte| byte.is_ascii_uppercase())
        });
        if !is_language {
            return Err(GraphError::parameter(format_args!(
                "Param language must be a language and a country."
            )));
        }
        match state.registry.get(id).stage {
            NumberStage::Unverified => Ok(Change::CodeSent),
            NumberStage::Verified | NumberStage::Connected => Err(GraphError::of(136_024)),
        }
    })
}

/// `POST /{phone-number-id}/verify_code`
pub(in super::super) fn verify_code(state: &State, id: &str, body: &[u8]) -> Examined {
    examine(body, &CODE_CHECK, |members| {
        let code = text(members, "code");
        if !is_digits(code, 4..=8) {
            return Err(GraphError::parameter(format_args!("Param code must be 4 to 8 digits.")));
        }
        let number = state.registry.get(id);
        match number.stage {
            NumberStage::Unverified if number.is_code_sent && code == CODE => Ok(Change::Verified),
            NumberStage::Unverified => Err(GraphError::of(136_025)),
            NumberStage::Verified | NumberStage::Connected => Err(GraphError::of(136_024)),
        }
    })
}

/// `POST /{phone-number-id}/register`: the PIN of a number that has none is the one that is given.
pub(in super::super) fn register(state: &State, id: &str, body: &[u8]) -> Examined {
    let number = state.registry.get(id);
    let mut examined = examine(body, &REGISTRATION, |members| {
        let pin = pin(members)?;
        if number.stage == NumberStage::Unverified {
            return Err(GraphError::of(133_006));
        }
        if number.pin.as_ref().is_some_and(|known| *known != pin) {
            return Err(GraphError::of(133_005));
        }
        Ok(Change::Registered(pin))
    });
    if number.stage == NumberStage::Connected {
        examined.notes.push("the number was registered already".to_owned());
    }
    examined
}

/// `POST /{phone-number-id}`
pub(in super::super) fn set_pin(state: &State, id: &str, body: &[u8]) -> Examined {
    examine(body, &PIN_CHANGE, |members| {
        let pin = pin(members)?;
        match state.registry.get(id).stage {
            NumberStage::Connected => Ok(Change::Pin(pin)),
            NumberStage::Verified | NumberStage::Unverified => Err(GraphError::of(133_010)),
        }
    })
}

fn pin(members: &Map<String, Value>) -> Result<String, GraphError> {
    let pin = text(members, "pin");
    if is_digits(pin, 6..=6) {
        return Ok(pin.to_owned());
    }
    Err(GraphError::parameter(format_args!("Param pin must be 6 digits.")))
}

/// `GET /debug_token`: which app a token was made for.
pub(in super::super) fn debug_token(state: &State, asked: Option<&str>) -> Result<Value, GraphError> {
    let token = decoded(asked, "input_token").filter(|token| !token.is_empty());
    let token =
        token.ok_or_else(|| GraphError::parameter(format_args!("The parameter input_token is required.")))?;
    let known = state.options.access_tokens.as_ref();
    let is_valid = known.is_none_or(|known| known.contains(&token));
    Ok(if is_valid {
        json!({"data": {"app_id": APP_ID, "type": "SYSTEM_USER", "application": "Mock", "expires_at": 0,
                        "is_valid": true, "scopes": ["whatsapp_business_management", "whatsapp_business_messaging"]}})
    } else {
        json!({"data": {"is_valid": false, "scopes": [], "error": {"code": 190, "message": "Invalid OAuth access token."}}})
    })
}
