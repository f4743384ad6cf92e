//! `template`

use super::{MessageError, Work, media};
use crate::cloud::message as cloud;
use crate::onprem::message::{Component, Parameter, ParameterValue, Template};
use crate::translate::rules::Rule;

/// How long a position is that already is a string with one digit.
const QUOTED_DIGIT: usize = 3;

/// Leaves out what only on-prem knows: the namespace and the language policy.
///
/// Rule   template.namespace, template.language-policy          Status dropped
/// Onprem messages reference, "template" object
/// Cloud  messages reference, "template" object; template messages guide
/// Golden messages/template/namespace
pub(super) fn to_cloud<'a>(
    template: &'a Template<'a>,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Template<'a>, MessageError> {
    if let Some(namespace) = &template.namespace {
        work.check_namespace(namespace, "template.namespace")?;
        work.notes.add(
            Rule::TemplateNamespace,
            "template.namespace",
            "left out: Cloud finds templates by account and name",
        );
    }
    if let Some(policy) = &template.language.policy {
        work.notes.add(
            Rule::LanguagePolicy,
            "template.language.policy",
            format_args!("\"{policy}\" left out: Cloud always takes the language that is named"),
        );
    }
    let components = match &template.components {
        Some(list) => Some(
            list.iter().enumerate().map(|(at, item)| component(item, at, work)).collect::<Result<_, _>>()?,
        ),
        None => None,
    };
    Ok(cloud::Template {
        name: &template.name,
        language_code: &template.language.code,
        language_rest: &template.language.rest,
        components,
        rest: &template.rest,
    })
}

/// Writes a button's position as a string.
///
/// Rule   template.button-index     Status translated
/// Onprem messages reference, example `"index": 0`
/// Cloud  messages reference, template example `"index": "0"`
/// Golden messages/template/button_index_number
fn component<'a>(
    component: &'a Component<'a>,
    at: usize,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Component<'a>, MessageError> {
    if let Some((written, digit)) = component.index.filter(|(written, _)| written.get().len() != QUOTED_DIGIT)
    {
        work.notes.add(
            Rule::ButtonIndex,
            format_args!("template.components[{at}].index"),
            format_args!("{written} -> \"{digit}\""),
        );
    }
    let parameters = match &component.parameters {
        Some(list) => Some(
            list.iter()
                .enumerate()
                .map(|(pos, item)| parameter(item, at, pos, work))
                .collect::<Result<_, _>>()?,
        ),
        None => None,
    };
    Ok(cloud::Component {
        members: &component.rest,
        kind: None,
        index: component.index.map(|(_, digit)| digit),
        parameters,
    })
}

/// Keeps only the fallback text of a date, and writes an amount of money as a whole number.
///
/// Rule   template.date-time (dropped), template.amount (translated)
/// Onprem localizable parameters, `date_time`; currency object, `amount_1000`
/// Cloud  messages reference, "date_time" object: "we always use the fallback value"; currency object
/// Golden messages/template/date_time, messages/template/currency_fraction
fn parameter<'a>(
    parameter: &'a Parameter<'a>,
    at: usize,
    position: usize,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Parameter<'a>, MessageError> {
    let members = &*parameter.rest;
    Ok(match &parameter.value {
        ParameterValue::Same => cloud::Parameter::Members(members),
        ParameterValue::Currency { amount_1000, rest } => {
            work.notes.add(
                Rule::TemplateAmount,
                format_args!("template.components[{at}].parameters[{position}].currency.amount_1000"),
                format_args!("-> {amount_1000}"),
            );
            cloud::Parameter::Amount { amount_1000: *amount_1000, currency: rest, members }
        }
        ParameterValue::DateTime { fallback_value, had_parts } => {
            if *had_parts {
                work.notes.add(
                    Rule::TemplateDateTime,
                    format_args!("template.components[{at}].parameters[{position}].date_time"),
                    "only fallback_value kept, which Cloud always shows",
                );
            }
            cloud::Parameter::DateTime { fallback_value, members }
        }
        ParameterValue::Media(media) => {
            let kind = media.kind.name();
            let path = format!("template.components[{at}].parameters[{position}].{kind}");
            cloud::Parameter::Media {
                kind,
                media: media::to_cloud(media, &path, media::Place::Template, work)?,
                members,
            }
        }
    })
}
