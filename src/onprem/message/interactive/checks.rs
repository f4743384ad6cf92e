//! What the on-prem reference demands of the six kinds it documents.

use super::{
    ErrorCode, Interactive, Invalid, MediaKind, at_most, missing, object, optional_string, required_string,
    wrong,
};
use crate::onprem::message::each;
use crate::onprem::read::required_object;
use crate::wire::{Object, Path, Raw, Str};

/// "Maximum length" and "maximum of" sentences of the "Interactive Object" reference.
mod limit {
    pub const BODY: usize = 1024;
    /// Cloud's, which is wider than on-prem's.
    pub const LIST_BODY: usize = 4096;
    pub const HEADER: usize = 60;
    pub const FOOTER: usize = 60;
    pub const BUTTON_TITLE: usize = 20;
    pub const BUTTON_ID: usize = 256;
    pub const BUTTONS: usize = 3;
    pub const SECTIONS: usize = 10;
    pub const SECTION_TITLE: usize = 24;
    pub const ROWS: usize = 10;
    pub const ROW_TITLE: usize = 24;
    pub const ROW_ID: usize = 200;
    pub const ROW_DESCRIPTION: usize = 72;
    pub const PRODUCTS: usize = 30;
    pub const RETAILER_ID: usize = 100;
    pub const FLOW_CTA: usize = 20;
}

/// Checks `interactive`; `header` and `action` are its untouched ones.
pub(super) fn check(
    interactive: &Interactive<'_>,
    header: Option<Raw<'_>>,
    action: Option<Raw<'_>>,
    path: Path<'_>,
) -> Result<(), Invalid> {
    let kind = &*interactive.kind;
    if !["list", "button", "product", "product_list", "catalog_message", "flow"].contains(&kind) {
        return Ok(());
    }
    check_header(kind, header, path.key("header"))?;
    let most = if kind == "list" { limit::LIST_BODY } else { limit::BODY };
    check_text(interactive.body, most, path.key("body"))?;
    if interactive.body.is_none() && kind != "product" {
        return Err(missing(path.key("body")));
    }
    check_text(interactive.footer, limit::FOOTER, path.key("footer"))?;
    let here = path.key("action");
    let mut action = object(action.ok_or_else(|| missing(here))?, here)?;
    match kind {
        "list" => list(&mut action, here),
        "button" => buttons(&mut action, here),
        "product" => product(&mut action, here),
        "product_list" => product_list(&mut action, here),
        "flow" => flow(&mut action, here),
        _ => required_string(&mut action, "name", here).map(drop),
    }
}

fn check_header(kind: &str, header: Option<Raw<'_>>, path: Path<'_>) -> Result<(), Invalid> {
    let Some(raw) = header else {
        return if kind == "product_list" { Err(missing(path)) } else { Ok(()) };
    };
    if kind == "product" {
        return Err(Invalid::new(
            ErrorCode::HeaderStructure,
            format!("{path} cannot be set for the interactive type \"product\"; remove it"),
        ));
    }
    let mut object = object(raw, path)?;
    let name = required_string(&mut object, "type", path)?;
    match MediaKind::from_any_case(&name) {
        // Lists and product lists take a text header only.
        Some(MediaKind::Image | MediaKind::Video | MediaKind::Document)
            if matches!(kind, "list" | "product_list") =>
        {
            Err(Invalid::new(
                ErrorCode::HeaderStructure,
                format!("{}: the interactive type \"{kind}\" takes a text header only", path.key("type")),
            ))
        }
        Some(MediaKind::Image | MediaKind::Video | MediaKind::Document) => Ok(()),
        Some(MediaKind::Audio | MediaKind::Sticker) | None if !name.eq_ignore_ascii_case("text") => {
            Err(Invalid::new(
                ErrorCode::HeaderStructure,
                format!("{} must be text, image, video or document", path.key("type")),
            ))
        }
        Some(MediaKind::Audio | MediaKind::Sticker) | None => {
            at_most(&required_string(&mut object, "text", path)?, limit::HEADER, path.key("text"))
        }
    }
}

/// `body` and `footer`: `{"text": …}`, required in there.
fn check_text(raw: Option<Raw<'_>>, most: usize, path: Path<'_>) -> Result<(), Invalid> {
    let Some(raw) = raw else {
        return Ok(());
    };
    let text = required_string(&mut object(raw, path)?, "text", path)?;
    at_most(&text, most, path.key("text"))
}

fn list(action: &mut Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    at_most(&required_string(action, "button", path)?, limit::BUTTON_TITLE, path.key("button"))?;
    let mut rows = 0;
    sections(action, path, |section, here| {
        let list = section.take("rows").ok_or_else(|| missing(here.key("rows")))?;
        rows += each(list, here.key("rows"), row)?.len();
        Ok(())
    })?;
    count(ErrorCode::RowCount, "rows", rows, limit::ROWS, path.key("sections"))
}

fn row(raw: Raw<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let mut row = object(raw, path)?;
    at_most(&required_string(&mut row, "id", path)?, limit::ROW_ID, path.key("id"))?;
    at_most(&required_string(&mut row, "title", path)?, limit::ROW_TITLE, path.key("title"))?;
    match optional_string(&mut row, "description", path)? {
        Some(text) => at_most(&text, limit::ROW_DESCRIPTION, path.key("description")),
        None => Ok(()),
    }
}

/// Reads each section; a title is "required if the message has more than one section".
fn sections<'a>(
    action: &mut Object<'a>,
    path: Path<'_>,
    mut read: impl FnMut(&mut Object<'a>, Path<'_>) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let here = path.key("sections");
    let list = action.take("sections").ok_or_else(|| missing(here))?;
    let sections = each(list, here, object)?;
    count(ErrorCode::SectionCount, "sections", sections.len(), limit::SECTIONS, here)?;
    let several = sections.len() > 1;
    for (index, mut section) in sections.into_iter().enumerate() {
        let here = here.index(index);
        let title = optional_string(&mut section, "title", here)?.filter(|title| !title.is_empty());
        match title {
            Some(title) => at_most(&title, limit::SECTION_TITLE, here.key("title"))?,
            None if several => return Err(missing(here.key("title"))),
            None => {}
        }
        read(&mut section, here)?;
    }
    Ok(())
}

fn count(code: ErrorCode, what: &str, found: usize, most: usize, path: Path<'_>) -> Result<(), Invalid> {
    if (1..=most).contains(&found) {
        return Ok(());
    }
    Err(Invalid::new(code, format!("{path} has {found} {what}; 1 to {most} are allowed")))
}

fn buttons(action: &mut Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let here = path.key("buttons");
    let list = action.take("buttons").ok_or_else(|| missing(here))?;
    let buttons = each(list, here, button)?;
    count(ErrorCode::ParameterInvalid, "buttons", buttons.len(), limit::BUTTONS, here)?;
    // The reference's own sample gives both buttons one id, so only titles "must be unique".
    for (at, title) in buttons.iter().enumerate() {
        if buttons.iter().take(at).any(|earlier| earlier == title) {
            return Err(wrong(
                here.index(at).key("reply").key("title"),
                "repeats the title of an earlier button",
            ));
        }
    }
    Ok(())
}

/// "The only supported option is reply"; the id "cannot have leading or trailing spaces". Gives the
/// title.
fn button<'a>(raw: Raw<'a>, path: Path<'_>) -> Result<Str<'a>, Invalid> {
    let mut button = object(raw, path)?;
    if &*required_string(&mut button, "type", path)? != "reply" {
        return Err(wrong(path.key("type"), "must be \"reply\""));
    }
    let here = path.key("reply");
    let mut reply = required_object(&mut button, "reply", path)?;
    let id = required_string(&mut reply, "id", here)?;
    at_most(&id, limit::BUTTON_ID, here.key("id"))?;
    if id.starts_with(' ') || id.ends_with(' ') {
        return Err(wrong(here.key("id"), "must not start or end with a blank"));
    }
    let title = required_string(&mut reply, "title", here)?;
    at_most(&title, limit::BUTTON_TITLE, here.key("title"))?;
    Ok(title)
}

fn product(action: &mut Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    required_string(action, "catalog_id", path)?;
    let id = required_string(action, "product_retailer_id", path)?;
    at_most(&id, limit::RETAILER_ID, path.key("product_retailer_id"))
}

fn product_list(action: &mut Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    required_string(action, "catalog_id", path)?;
    let mut products = 0;
    sections(action, path, |section, here| {
        let here = here.key("product_items");
        let items = section.take("product_items").ok_or_else(|| missing(here))?;
        let items = each(items, here, |raw, path| {
            let id = required_string(&mut object(raw, path)?, "product_retailer_id", path)?;
            at_most(&id, limit::RETAILER_ID, path.key("product_retailer_id"))
        })?;
        products += items.len();
        count(ErrorCode::ProductCount, "products", items.len(), limit::PRODUCTS, here)
    })?;
    count(ErrorCode::ProductCount, "products", products, limit::PRODUCTS, path.key("sections"))
}

fn flow(action: &mut Object<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let here = path.key("parameters");
    let mut parameters = required_object(action, "parameters", path)?;
    let version =
        parameters.take("flow_message_version").ok_or_else(|| missing(here.key("flow_message_version")))?;
    if !matches!(version.get(), "\"3\"" | "3") {
        return Err(Invalid::new(
            ErrorCode::FlowMessageVersion,
            format!("{} must be \"3\"", here.key("flow_message_version")),
        ));
    }
    required_string(&mut parameters, "flow_token", here)?;
    // Cloud also takes a flow by its name.
    if parameters.get("flow_name").is_none() {
        required_string(&mut parameters, "flow_id", here)?;
    }
    at_most(&required_string(&mut parameters, "flow_cta", here)?, limit::FLOW_CTA, here.key("flow_cta"))?;
    if optional_string(&mut parameters, "mode", here)?
        .is_some_and(|mode| !matches!(&*mode, "draft" | "published"))
    {
        return Err(Invalid::new(
            ErrorCode::FlowMode,
            format!("{} must be draft or published", here.key("mode")),
        ));
    }
    if optional_string(&mut parameters, "flow_action", here)?
        .is_some_and(|action| !matches!(&*action, "navigate" | "data_exchange"))
    {
        return Err(wrong(here.key("flow_action"), "must be navigate or data_exchange"));
    }
    match parameters.take("flow_action_payload") {
        Some(raw) => flow_payload(raw, here.key("flow_action_payload")),
        None => Ok(()),
    }
}

/// "screen: required. data: must be a non-empty object."
fn flow_payload(raw: Raw<'_>, path: Path<'_>) -> Result<(), Invalid> {
    let mut payload = object(raw, path)?;
    required_string(&mut payload, "screen", path)?;
    match payload.take("data") {
        Some(data) if object(data, path.key("data"))?.members().is_empty() => {
            Err(wrong(path.key("data"), "must not be empty; leave it out"))
        }
        Some(_) | None => Ok(()),
    }
}
