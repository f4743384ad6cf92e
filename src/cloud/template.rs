//! What Graph answers about the templates of an account.

use crate::wire::{self, Object, Str};

/// One page of `GET /{waba-id}/message_templates`.
#[derive(Debug)]
pub struct Page<'a> {
    /// Its templates.
    pub templates: Vec<Object<'a>>,
    /// Where the next page begins; none on the last one, which has a cursor too but no `next`.
    pub after: Option<Str<'a>>,
}

impl<'a> Page<'a> {
    /// Reads an answer; nothing when it is something else.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let page = object(body)?;
        let templates = wire::array(page.get("data")?)?.into_iter().map(|raw| Object::parse(raw.get()));
        let inner = |object: &Object<'a>, key| Object::parse(object.get(key)?.get()).ok();
        let after = inner(&page, "paging").filter(|paging| paging.get("next").is_some());
        let after = after.and_then(|paging| wire::string(inner(&paging, "cursors")?.get("after")?));
        Some(Self { templates: templates.collect::<Result<_, _>>().ok()?, after })
    }
}

/// The answer to `POST /{waba-id}/message_templates`.
#[derive(Debug)]
pub struct Created<'a> {
    /// The template's id.
    pub id: Str<'a>,
    /// `PENDING`, `APPROVED` or `REJECTED`.
    pub status: Option<Str<'a>>,
    /// The category that Cloud chose, which may be another than the one that was asked for.
    pub category: Option<Str<'a>>,
}

impl<'a> Created<'a> {
    /// Reads an answer; nothing when it has no id.
    pub fn read(body: &'a [u8]) -> Option<Self> {
        let created = object(body)?;
        let text = |key| wire::string(created.get(key)?);
        Some(Self { id: text("id")?, status: text("status"), category: text("category") })
    }
}

/// The namespace in the answer to `GET /{waba-id}?fields=message_template_namespace`.
pub fn namespace(body: &[u8]) -> Option<String> {
    let namespace = object(body)?.get("message_template_namespace").and_then(wire::string);
    Some(namespace.map(|namespace| namespace.to_string()).unwrap_or_default())
}

/// Whether an answer says `{"success":true}`.
pub fn is_done(body: &[u8]) -> bool {
    object(body).and_then(|done| done.get("success")).is_some_and(|done| done.get() == "true")
}

fn object(body: &[u8]) -> Option<Object<'_>> {
    Object::parse(std::str::from_utf8(body).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_has_a_cursor_and_no_next() {
        for (paging, after) in [
            ("", None),
            (r#","paging":{"cursors":{"before":"A","after":"B"}}"#, None),
            (r#","paging":{"cursors":{"before":"A","after":"B"},"next":"https://g/?after=B"}"#, Some("B")),
            (r#","paging":{"next":"https://g/"}"#, None),
            (r#","paging":7"#, None),
        ] {
            let body = format!(r#"{{"data":[{{"name":"n"}},{{}}]{paging}}}"#);
            let page = Page::read(body.as_bytes()).unwrap();
            assert_eq!((page.templates.len(), page.after.as_deref()), (2, after), "{body}");
        }
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        for body in ["", "[]", "{}", r#"{"data":{}}"#, r#"{"data":[1]}"#, "\u{fffd}"] {
            assert!(Page::read(body.as_bytes()).is_none(), "{body}");
            assert!(
                Created::read(body.as_bytes()).is_none()
                    && namespace(body.as_bytes()).is_none_or(|name| name.is_empty())
            );
            assert!(!is_done(body.as_bytes()));
        }
        assert!(Created::read(br#"{"id":1}"#).is_none());
        assert_eq!(&*Created::read(br#"{"id":"1","status":null}"#).unwrap().id, "1");
        assert_eq!(namespace(br#"{"message_template_namespace":""}"#).as_deref(), Some(""));
        assert_eq!(namespace(br#"{"message_template_namespace":"a","id":"1"}"#).as_deref(), Some("a"));
        assert!(is_done(br#"{"success":true}"#) && !is_done(br#"{"success":false}"#));
    }
}
