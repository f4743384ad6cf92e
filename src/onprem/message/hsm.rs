//! The `hsm` object: templates as they were sent before v2.39.

use super::{ErrorCode, Invalid, each, missing, object, optional_string, required_string, string, wrong};
use crate::wire::{self, Kind, Object, Path, Raw, Str};

/// A highly structured message.
#[derive(Debug)]
pub struct Hsm<'a> {
    /// The namespace of the template.
    pub namespace: Str<'a>,
    /// The name of the template.
    pub element_name: Str<'a>,
    /// The language, from whichever of its places.
    pub language: HsmLanguage<'a>,
    /// `localizable_params`, in order.
    pub params: Vec<LocalizableParam<'a>>,
}

/// The language of an hsm.
#[derive(Debug)]
pub struct HsmLanguage<'a> {
    /// The code, like `en_US`.
    pub code: String,
    /// `language.policy`, if given.
    pub policy: Option<Str<'a>>,
    /// Whether the code stood in `fallback`, or in `fallback_lg` and `fallback_lc`.
    pub is_fallback: bool,
    /// Whether one of those was given beside `language`, which wins.
    pub has_idle_fallback: bool,
}

/// One element of `localizable_params`.
#[derive(Debug)]
pub struct LocalizableParam<'a> {
    /// "Default text if localization fails", and the text where there is nothing to localize.
    pub default: Str<'a>,
    /// What there is to localize.
    pub value: ParamValue<'a>,
}

/// What a parameter localizes.
#[derive(Debug)]
pub enum ParamValue<'a> {
    /// Nothing; `bare` when the whole parameter was just a string.
    Text {
        /// Whether the parameter was a string instead of an object.
        bare: bool,
    },
    /// An amount of money.
    Currency {
        /// ISO 4217 code.
        currency_code: Str<'a>,
        /// The amount multiplied by 1000.
        amount_1000: i64,
    },
    /// A date, by component or by unix epoch.
    DateTime,
}

impl<'a> Hsm<'a> {
    /// Reads the hsm in `raw`.
    pub(super) fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let mut object = object(raw, path)?;
        let namespace = required_string(&mut object, "namespace", path)?;
        let element_name = required_string(&mut object, "element_name", path)?;
        let language = HsmLanguage::parse(&mut object, path)?;
        let params = match object.take("localizable_params") {
            Some(raw) => each(raw, path.key("localizable_params"), LocalizableParam::parse)?,
            None => Vec::new(),
        };
        if let Some((key, _)) = object.members().first() {
            return Err(unknown(path.key(&super::printable(key))));
        }
        Ok(Self { namespace, element_name, language, params })
    }
}

/// An hsm is rebuilt, so what is not known in it would be lost: it is refused instead.
fn unknown(path: Path<'_>) -> Invalid {
    Invalid::new(ErrorCode::ParameterNotRequired, format!("{path} is not a field of an hsm; remove it"))
}

impl<'a> HsmLanguage<'a> {
    /// `language` since v2.17; before it `fallback`, or `fallback_lg` with `fallback_lc`.
    fn parse(hsm: &mut Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let fallback = optional_string(hsm, "fallback", path)?.filter(|code| !code.is_empty());
        let language = optional_string(hsm, "fallback_lg", path)?.filter(|code| !code.is_empty());
        let locale = optional_string(hsm, "fallback_lc", path)?.filter(|code| !code.is_empty());
        if let Some(raw) = hsm.take("language") {
            let here = path.key("language");
            let mut object = object(raw, here)?;
            let policy = super::template::policy(&mut object, here)?;
            let code = required_string(&mut object, "code", here)?.to_string();
            if let Some((key, _)) = object.members().first() {
                return Err(unknown(here.key(&super::printable(key))));
            }
            let has_idle_fallback = fallback.or(language).or(locale).is_some();
            return Ok(Self { code, policy, is_fallback: false, has_idle_fallback });
        }
        let code = match (fallback, language, locale) {
            (Some(code), _, _) => code.to_string(),
            (None, Some(language), Some(locale)) => format!("{language}_{locale}"),
            (None, Some(language), None) => language.to_string(),
            (None, None, _) => return Err(missing(path.key("language"))),
        };
        Ok(Self { code, policy: None, is_fallback: true, has_idle_fallback: false })
    }
}

impl<'a> LocalizableParam<'a> {
    fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        if wire::kind(raw) == Kind::String {
            let default = Some(string(raw, path)?).filter(|text| !text.is_empty());
            return Ok(Self {
                default: default.ok_or_else(|| missing(path))?,
                value: ParamValue::Text { bare: true },
            });
        }
        let mut param = object(raw, path)?;
        // Cloud takes no empty text in a template.
        let default = required_string(&mut param, "default", path)?;
        let currency = param.take("currency");
        let date_time = param.take("date_time");
        let value = match (currency, date_time) {
            (None, None) => ParamValue::Text { bare: false },
            (Some(raw), None) => currency_value(raw, path.key("currency"))?,
            (None, Some(raw)) => date_time_value(raw, path.key("date_time"))?,
            (Some(_), Some(_)) => {
                return Err(wrong(path, "has both currency and date_time; send one of them"));
            }
        };
        if let Some((key, _)) = param.members().first() {
            return Err(unknown(path.key(&super::printable(key))));
        }
        Ok(Self { default, value })
    }
}

fn currency_value<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<ParamValue<'a>, Invalid> {
    let mut object = object(raw, path)?;
    let currency_code = required_string(&mut object, "currency_code", path)?;
    let here = path.key("amount_1000");
    let amount = object.take("amount_1000").ok_or_else(|| missing(here))?;
    Ok(ParamValue::Currency { currency_code, amount_1000: super::amount(amount, here)? })
}

/// Cloud never localizes dates ("we always use the fallback value"), so the parts are only checked
/// for what on-prem documents: at most one of `component` and `unix_epoch`.
fn date_time_value<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<ParamValue<'a>, Invalid> {
    let object = object(raw, path)?;
    if object.get("component").is_some() && object.get("unix_epoch").is_some() {
        return Err(wrong(path, "has both component and unix_epoch; send one of them"));
    }
    Ok(ParamValue::DateTime)
}
