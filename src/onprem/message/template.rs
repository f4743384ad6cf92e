//! The `template` object.

use super::{
    Branches, Found, Invalid, each, missing, object, optional_string, required_string, string, whole, wrong,
};
use crate::onprem::read::required_object;
use crate::wire::{Member, Object, Path, Raw, Str};

/// A template message.
#[derive(Debug)]
pub struct Template<'a> {
    /// "In addition, from v2.41 and onwards, namespace will be an optional field."
    pub namespace: Option<Str<'a>>,
    /// The name of the template.
    pub name: Str<'a>,
    /// The language.
    pub language: Language<'a>,
    /// The components; `None` when the field was not given.
    pub components: Option<Vec<Component<'a>>>,
    /// Members that nobody here knows.
    pub rest: Branches<'a>,
}

/// `template.language`
#[derive(Debug)]
pub struct Language<'a> {
    /// `deterministic`, or the `fallback` that v2.27.8 removed.
    pub policy: Option<Str<'a>>,
    /// The code, like `en_US`.
    pub code: Str<'a>,
    /// Members that nobody here knows.
    pub rest: Vec<Member<'a>>,
}

/// One component.
#[derive(Debug)]
pub struct Component<'a> {
    /// Members before, between and after those below, in order; the cards of a carousel are among them.
    pub rest: Branches<'a>,
    /// The position of a button, as the client wrote it and as a digit: a string in some clients, a number in others.
    pub index: Option<(Raw<'a>, &'static str)>,
    /// The parameters.
    pub parameters: Option<Vec<Parameter<'a>>>,
}

/// One parameter of a component.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// All members but a date, and an amount of money that is written anew.
    pub rest: Branches<'a>,
    /// The value of its type.
    pub value: ParameterValue<'a>,
}

/// The value of a parameter, where it is not equal on both sides.
#[derive(Debug)]
pub enum ParameterValue<'a> {
    /// Text, file, amount of money, payload, coupon code, action, …: among the other members.
    Same,
    /// A date: Cloud shows the fallback text.
    DateTime {
        /// The text that is shown.
        fallback_value: Str<'a>,
        /// Whether there was more than the fallback text.
        had_parts: bool,
    },
    /// An amount of money that is not written as a whole number.
    Currency {
        /// The number that is meant.
        amount_1000: i64,
        /// The other members of `currency`.
        rest: Vec<Member<'a>>,
    },
}

impl<'a> Template<'a> {
    /// Reads the template in `raw`.
    pub(super) fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let namespace = optional_string(&mut object, "namespace", path)?;
        let name = required_string(&mut object, "name", path)?;
        let language = Language::parse(&mut object, path)?;
        let components = object
            .take("components")
            .map(|raw| each(raw, path.key("components"), Component::parse))
            .transpose()?;
        Ok(Self { namespace, name, language, components, rest: Branches::of(object, path)? })
    }

    /// Tells each of its files, in order.
    pub fn each_file(&'a self, path: Path<'_>, found: Found<'_, 'a>) {
        let here = path.key("components");
        for (at, component) in self.components.iter().flatten().enumerate() {
            let here = here.index(at);
            component.rest.each_file(here, found);
            let parameters = here.key("parameters");
            for (at, parameter) in component.parameters.iter().flatten().enumerate() {
                parameter.rest.each_file(parameters.index(at), found);
            }
        }
        self.rest.each_file(path, found);
    }
}

impl<'a> Language<'a> {
    fn parse(template: &mut Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let here = path.key("language");
        let mut object = required_object(template, "language", path)?;
        let policy = policy(&mut object, here)?;
        let code = required_string(&mut object, "code", here)?;
        Ok(Self { policy, code, rest: object.into_members() })
    }
}

/// "The only supported option is deterministic"; `fallback` was taken until v2.27.8 and old
/// clients still send it.
pub(super) fn policy<'a>(language: &mut Object<'a>, path: Path<'_>) -> Result<Option<Str<'a>>, Invalid> {
    let policy = optional_string(language, "policy", path)?;
    match policy.as_deref() {
        None | Some("deterministic" | "fallback") => Ok(policy),
        Some(_) => Err(wrong(path.key("policy"), "must be \"deterministic\"")),
    }
}

impl<'a> Component<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        match object.get("type") {
            Some(kind) => string(kind, path.key("type"))?,
            None => return Err(missing(path.key("type"))),
        };
        let index = object.take("index").map(|raw| index(raw, path.key("index"))).transpose()?;
        let parameters = object
            .take("parameters")
            .map(|raw| each(raw, path.key("parameters"), Parameter::parse))
            .transpose()?;
        Ok(Self { rest: Branches::of(object, path)?, index, parameters })
    }
}

fn index<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<(Raw<'a>, &'static str), Invalid> {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let digit = whole(raw).and_then(|number| DIGITS.get(usize::try_from(number).ok()?));
    let digit = digit.ok_or_else(|| wrong(path, "must be the position of the button, \"0\" to \"9\""))?;
    Ok((raw, digit))
}

impl<'a> Parameter<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let name = match object.get("type") {
            Some(kind) => string(kind, path.key("type"))?,
            None => return Err(missing(path.key("type"))),
        };
        let value = match &*name {
            "currency" | "CURRENCY" => currency(&mut object, path)?,
            "date_time" | "DATE_TIME" => date_time(&mut object, path)?,
            "text" => {
                check_text(&object, path)?;
                ParameterValue::Same
            }
            _ => ParameterValue::Same,
        };
        Ok(Self { rest: Branches::typed(object, path)?, value })
    }
}

fn check_text(object: &Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let here = path.key("text");
    string(object.get("text").ok_or_else(|| missing(here))?, here).map(drop)
}

/// What Cloud can read travels as it is; a missing amount is Cloud's to refuse.
fn currency<'a>(parameter: &mut Object<'a>, path: Path<'_>) -> Result<ParameterValue<'a>, Invalid> {
    let here = path.key("currency");
    let Some(raw) = parameter.get("currency") else {
        return Ok(ParameterValue::Same);
    };
    let mut object = object(raw, here)?;
    let Some(written) = object.take("amount_1000") else {
        return Ok(ParameterValue::Same);
    };
    let amount_1000 = super::amount(written, here.key("amount_1000"))?;
    if written.get().parse() == Ok(amount_1000) {
        return Ok(ParameterValue::Same);
    }
    parameter.take("currency");
    Ok(ParameterValue::Currency { amount_1000, rest: object.into_members() })
}

fn date_time<'a>(parameter: &mut Object<'a>, path: Path<'_>) -> Result<ParameterValue<'a>, Invalid> {
    let here = path.key("date_time");
    let mut object = required_object(parameter, "date_time", path)?;
    let fallback_value = required_string(&mut object, "fallback_value", here)?;
    Ok(ParameterValue::DateTime { fallback_value, had_parts: !object.members().is_empty() })
}
