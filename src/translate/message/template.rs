//! `template`

use super::{MessageError, Work, media};
use crate::cloud::message as cloud;
use crate::onprem::message::{Component, Parameter, ParameterValue, Template};
use crate::translate::rules::Rule;
use crate::wire::Path;

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
    let here = Path::Root.key("template");
    let components = match &template.components {
        Some(list) => {
            let path = here.key("components");
            let each = list.iter().enumerate().map(|(at, item)| component(item, path.index(at), work));
            Some(each.collect::<Result<_, _>>()?)
        }
        None => None,
    };
    Ok(cloud::Template {
        name: &template.name,
        language_code: &template.language.code,
        language_rest: &template.language.rest,
        components,
        rest: media::branches_to_cloud(&template.rest, here, media::Place::Template, work)?,
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
    path: Path<'_>,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Component<'a>, MessageError> {
    let quoted = |written: &'a str| written.strip_prefix('"')?.strip_suffix('"');
    if let Some((written, digit)) = component.index
        && quoted(written.get()) != Some(digit)
    {
        work.notes.add(Rule::ButtonIndex, path.key("index"), format_args!("{written} -> \"{digit}\""));
    }
    let members = media::branches_to_cloud(&component.rest, path, media::Place::Template, work)?;
    let parameters = match &component.parameters {
        Some(list) => {
            let path = path.key("parameters");
            let each = list.iter().enumerate().map(|(at, item)| parameter(item, path.index(at), work));
            Some(each.collect::<Result<_, _>>()?)
        }
        None => None,
    };
    Ok(cloud::Component { members, kind: None, index: component.index.map(|(_, digit)| digit), parameters })
}

/// Keeps only the fallback text of a date, and writes an amount of money as a whole number.
///
/// Rule   template.date-time (dropped), template.amount (translated)
/// Onprem localizable parameters, `date_time`; currency object, `amount_1000`
/// Cloud  messages reference, "date_time" object: "we always use the fallback value"; currency object
/// Golden messages/template/date_time, messages/template/currency_fraction
fn parameter<'a>(
    parameter: &'a Parameter<'a>,
    path: Path<'_>,
    work: &mut Work<'_, 'a>,
) -> Result<cloud::Parameter<'a>, MessageError> {
    let members = media::branches_to_cloud(&parameter.rest, path, media::Place::Template, work)?;
    Ok(match &parameter.value {
        ParameterValue::Same => cloud::Parameter::Members(members),
        ParameterValue::Currency { amount_1000, rest } => {
            work.notes.add(
                Rule::TemplateAmount,
                path.key("currency").key("amount_1000"),
                format_args!("-> {amount_1000}"),
            );
            cloud::Parameter::Amount { amount_1000: *amount_1000, currency: rest, members }
        }
        ParameterValue::DateTime { fallback_value, had_parts } => {
            if *had_parts {
                work.notes.add(
                    Rule::TemplateDateTime,
                    path.key("date_time"),
                    "only fallback_value kept, which Cloud always shows",
                );
            }
            cloud::Parameter::DateTime { fallback_value, members }
        }
    })
}
