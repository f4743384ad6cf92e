//! `hsm`

use super::{MessageError, Work};
use crate::cloud::message as cloud;
use crate::onprem::message::{Hsm, LocalizableParam, ParamValue};
use crate::translate::rules::Rule;

/// Sends an hsm as a template whose one body component holds the parameters.
///
/// Rule   hsm.template, hsm.fallback-language (translated); hsm.namespace, template.language-policy (dropped)
/// Onprem messages reference, "hsm" object (deprecated with v2.39: "please use the template object")
/// Cloud  messages reference, "template" object
/// Golden messages/hsm/*
pub(super) fn to_cloud<'a>(
    hsm: &'a Hsm<'a>,
    work: &mut Work<'_, '_>,
) -> Result<cloud::Template<'a>, MessageError> {
    work.check_namespace(&hsm.namespace, "hsm.namespace")?;
    work.notes.add(
        Rule::HsmTemplate,
        "hsm",
        format_args!("-> template \"{}\", language {}", hsm.element_name, hsm.language.code),
    );
    work.notes.add(
        Rule::HsmNamespace,
        "hsm.namespace",
        "left out: Cloud finds templates by account and name",
    );
    if hsm.language.is_fallback {
        work.notes.add(
            Rule::HsmFallbackLanguage,
            "hsm.fallback",
            format_args!("-> template.language.code \"{}\"", hsm.language.code),
        );
    }
    if hsm.language.has_idle_fallback {
        work.notes.add(Rule::HsmFallbackLanguage, "hsm.fallback", "left out: language is given, and wins");
    }
    if let Some(policy) = &hsm.language.policy {
        work.notes.add(
            Rule::LanguagePolicy,
            "hsm.language.policy",
            format_args!("\"{policy}\" left out: Cloud always takes the language that is named"),
        );
    }
    let parameters: Vec<_> =
        hsm.params.iter().enumerate().map(|(at, param)| parameter(param, at, work)).collect();
    let body = cloud::Component {
        members: cloud::Branches::default(),
        kind: Some("body"),
        index: None,
        parameters: Some(parameters),
    };
    Ok(cloud::Template {
        name: &hsm.element_name,
        language_code: &hsm.language.code,
        language_rest: &[],
        components: (!hsm.params.is_empty()).then(|| vec![body]),
        rest: cloud::Branches::default(),
    })
}

/// Turns a localizable parameter into a body parameter.
///
/// Rule   hsm.text, hsm.currency, hsm.date-time                 Status translated
/// Onprem localizable parameters
/// Cloud  messages reference, "parameter", "currency" and "date_time" objects
/// Golden messages/hsm/currency, messages/hsm/date_time_component, messages/hsm/date_time_epoch
fn parameter<'a>(
    param: &'a LocalizableParam<'a>,
    at: usize,
    work: &mut Work<'_, '_>,
) -> cloud::Parameter<'a> {
    let path = format_args!("hsm.localizable_params[{at}]");
    match &param.value {
        ParamValue::Text { bare } => {
            let from = if *bare { "a bare string" } else { "default" };
            work.notes.add(Rule::HsmText, path, format_args!("{from} -> a text parameter of the body"));
            cloud::Parameter::Text(&param.default)
        }
        ParamValue::Currency { currency_code, amount_1000 } => {
            work.notes.add(Rule::HsmCurrency, path, "currency_code -> code, default -> fallback_value");
            cloud::Parameter::Currency {
                fallback_value: &param.default,
                code: currency_code,
                amount_1000: *amount_1000,
            }
        }
        ParamValue::DateTime => {
            work.notes.add(Rule::HsmDateTime, path, "default -> fallback_value, which Cloud always shows");
            cloud::Parameter::DateTime { fallback_value: &param.default, members: cloud::Branches::default() }
        }
    }
}
