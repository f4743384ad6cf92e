//! Media objects wherever they stand: in headers, parameters and cards, and in places that nobody here knows yet.

use super::{
    CONTENT_FIELDS, Invalid, Media, MediaKind, each, missing, object, string, strip_provider, wrong,
};
use crate::wire::{self, Kind, Member, Object, Path, Raw, Str};

/// A value, taken apart as far as files reach.
#[derive(Debug)]
pub enum Tree<'a> {
    /// There is no file in it, or it is no place for one and has nothing of ours in it: it lies deeper than
    /// `DEEPEST`, or is an object with a key twice or with more members than we read.
    Raw(Raw<'a>),
    /// An object with files in it, or with less in it than was sent.
    Object(Branches<'a>),
    /// An array with files in it.
    Array(Vec<Tree<'a>>),
    /// A media object.
    Media(Box<Media<'a>>),
}

/// The members of an object.
#[derive(Debug, Default)]
pub struct Branches<'a> {
    /// Those without files, in order.
    pub rest: Vec<Member<'a>>,
    /// Those with files, in order.
    pub files: Vec<(Str<'a>, Tree<'a>)>,
}

/// What is told of each file: where it stands, and what it is.
pub type Found<'f, 'a> = &'f mut dyn FnMut(&'a Media<'a>, Path<'_>);

/// A flow's own data, which looks like whatever its author likes.
const OPAQUE: [&str; 3] = ["flow_action_payload", "flow_action_data", "payload"];

/// How deep in a message files are looked for, since each level is read anew: those of carousels are at the tenth.
const DEEPEST: usize = 16;

impl<'a> Tree<'a> {
    /// Looks for media objects in `raw`.
    pub(super) fn parse(raw: Raw<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        if !may_hold_files(raw.get()) {
            return Ok(Self::Raw(raw));
        }
        match wire::kind(raw) {
            Kind::Object | Kind::Array if path.depth() > DEEPEST => {
                let error =
                    || wrong(path, format_args!("is deeper than {DEEPEST} levels, where no file can be"));
                Self::unread(raw, error)
            }
            Kind::Object => match object(raw, path) {
                Ok(object) => Ok(Self::of(raw, Branches::named(object, path)?)),
                Err(error) => Self::unread(raw, || error),
            },
            Kind::Array => {
                let list = each(raw, path, Self::parse)?;
                let has_files = list.iter().any(|tree| !matches!(tree, Self::Raw(_)));
                Ok(if has_files { Self::Array(list) } else { Self::Raw(raw) })
            }
            Kind::Null | Kind::Bool | Kind::Number | Kind::String => Ok(Self::Raw(raw)),
        }
    }

    /// What we do not look into is Cloud's to judge, but nothing of ours may go out with it.
    fn unread(raw: Raw<'a>, error: impl FnOnce() -> Invalid) -> Result<Self, Invalid> {
        if may_be_for_us(raw.get()) { Err(error()) } else { Ok(Self::Raw(raw)) }
    }

    /// [`Tree::parse`] for a header (see [`Branches::typed`]), of whose contents it keeps the one that its type names. Gives the
    /// names of the others.
    pub(super) fn header(raw: Raw<'a>, path: Path<'_>) -> Result<(Self, Vec<Str<'a>>), Invalid> {
        let mut object = object(raw, path)?;
        let other = match object.get("type") {
            Some(kind) => take_other(&mut object, &string(kind, path.key("type"))?),
            None => Vec::new(),
        };
        let branches = Branches::typed(object, path)?;
        Ok((if other.is_empty() { Self::of(raw, branches) } else { Self::Object(branches) }, other))
    }

    fn of(raw: Raw<'a>, branches: Branches<'a>) -> Self {
        if branches.files.is_empty() { Self::Raw(raw) } else { Self::Object(branches) }
    }

    /// Tells each file in it, in order.
    pub fn each_file(&'a self, path: Path<'_>, found: Found<'_, 'a>) {
        match self {
            Self::Raw(_) => {}
            Self::Object(branches) => branches.each_file(path, found),
            Self::Array(list) => {
                for (at, tree) in list.iter().enumerate() {
                    tree.each_file(path.index(at), found);
                }
            }
            Self::Media(media) => found(media, path),
        }
    }
}

impl<'a> Branches<'a> {
    /// Looks for media objects among the members of `object`: what has the name of a media type, and stands beside that
    /// type or says that it is for us.
    pub(super) fn of(object: Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let is_of_interest = |(key, raw): &Member<'a>| kind_of(key).is_some() || may_hold_files(raw.get());
        if !object.members().iter().any(is_of_interest) {
            return Ok(Self { rest: object.into_members(), files: Vec::new() });
        }
        Self::named(object, path)
    }

    /// The same where there may be one for sure.
    fn named(object: Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let named = object.get("type").and_then(wire::string);
        Self::sort(object, path, |key, raw| match object_in(raw) {
            Some(media) if is_named(named.as_deref(), key) => {
                media.get("id").is_some() || media.get("link").is_some()
            }
            Some(media) => is_for_us(&media),
            None => false,
        })
    }

    /// The same for a header or a parameter: an image, a video or a document has to be there when its type is named.
    pub(super) fn typed(object: Object<'a>, path: Path<'_>) -> Result<Self, Invalid> {
        let named = object.get("type").map(|raw| string(raw, path.key("type"))).transpose()?;
        let kind = named.as_deref().and_then(MediaKind::from_any_case);
        let Some(MediaKind::Image | MediaKind::Video | MediaKind::Document) = kind else {
            return Self::of(object, path);
        };
        let is_it = |key: &str| is_named(named.as_deref(), key);
        if !object.members().iter().any(|(key, _)| is_it(key)) {
            return Err(missing(path.key(kind.map_or("", MediaKind::name))));
        }
        Self::sort(object, path, |key, _| is_it(key))
    }

    fn sort(
        object: Object<'a>,
        path: Path<'_>,
        is_file: impl Fn(&str, Raw<'a>) -> bool,
    ) -> Result<Self, Invalid> {
        let mut sorted = Self::default();
        for (key, raw) in object.into_members() {
            let here = path.key(&key);
            let tree = match kind_of(&key) {
                Some(kind) if is_file(&key, raw) => Tree::Media(Box::new(Media::parse(kind, raw, here)?)),
                _ if OPAQUE.contains(&&*key) => Tree::Raw(raw),
                _ => Tree::parse(raw, here)?,
            };
            match tree {
                Tree::Raw(raw) => sorted.rest.push((key, raw)),
                tree @ (Tree::Object(_) | Tree::Array(_) | Tree::Media(_)) => sorted.files.push((key, tree)),
            }
        }
        Ok(sorted)
    }

    /// Tells each file in them, in order.
    pub fn each_file(&'a self, path: Path<'_>, found: Found<'_, 'a>) {
        for (key, tree) in &self.files {
            tree.each_file(path.key(key), found);
        }
    }
}

/// The kind of file that a member of this name is; clients write types in capitals, too.
fn kind_of(key: &str) -> Option<MediaKind> {
    // An animation is a video to Cloud's media endpoint.
    MediaKind::from_any_case(key).or_else(|| key.eq_ignore_ascii_case("gif").then_some(MediaKind::Video))
}

/// Takes content of another type than `kind` out, and gives its names.
fn take_other<'a>(object: &mut Object<'a>, kind: &str) -> Vec<Str<'a>> {
    let is_content = |name: &str| CONTENT_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name));
    let names = object.members().iter().map(|(name, _)| name);
    let other: Vec<_> =
        names.filter(|name| !is_named(Some(kind), name) && is_content(name)).cloned().collect();
    for name in &other {
        object.take(name);
    }
    other
}

fn is_named(named: Option<&str>, key: &str) -> bool {
    named.is_some_and(|named| named.eq_ignore_ascii_case(key))
}

fn object_in(raw: Raw<'_>) -> Option<Object<'_>> {
    if wire::kind(raw) == Kind::Object { Object::parse(raw.get()).ok() } else { None }
}

/// An id that we handed out, or a media provider: nothing that Cloud could do anything with.
fn is_for_us(media: &Object<'_>) -> bool {
    media.get("provider").is_some() || media.get("id").and_then(wire::string).is_some_and(|id| is_our_id(&id))
}

fn is_our_id(id: &str) -> bool {
    let groups = id.split('-').map(str::len);
    groups.eq([8, 4, 4, 4, 12]) && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// Whether some string in `text` is the name of a media type, so that it is worth being taken apart.
fn may_hold_files(text: &str) -> bool {
    text.split('"').any(|string| kind_of(string).is_some()) || has_escaped_ascii(text)
}

/// Whether some string in `text` is one of our ids, names a media provider, or may be either.
fn may_be_for_us(text: &str) -> bool {
    let is_ours = |string: &str| {
        string == "provider" || is_our_id(string) || strip_provider(&string.replace("\\/", "/")).0.is_some()
    };
    text.split('"').any(is_ours) || has_escaped_ascii(text)
}

/// Whether a letter, a digit or the like of ASCII may be written as an escape.
fn has_escaped_ascii(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memmem::find_iter(bytes, b"\\u00").any(|at| matches!(bytes.get(at + 4), Some(b'2'..=b'7')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onprem::message::{Body, Content, Request};

    /// The paths of the files in a message of a type that nobody here knows, or why it is refused.
    fn files(value: &str) -> Result<Vec<String>, String> {
        let text = format!(
            r#"{{"to":"16505551234","type":"interactive","interactive":{{"type":"later","body":{{"text":"b"}},"action":{value}}}}}"#
        );
        let body = Body::read(text.as_bytes()).unwrap();
        let parsed = Request::parse(&body).map_err(|invalid| invalid.details.to_string())?;
        let Request::Message(message) = parsed else { panic!("not a message") };
        let Content::Interactive(interactive) = &message.content else { panic!("another type") };
        let mut found = Vec::new();
        interactive.each_file(Path::Root, &mut |_, path| found.push(path.to_string()));
        Ok(found)
    }

    /// `value` in so many objects.
    fn within(levels: usize, value: &str) -> String {
        format!("{}{value}{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
    }

    const OURS: &str = r#"{"image":{"id":"1","provider":"p"}}"#;

    #[test]
    fn files_are_looked_for_sixteen_levels_deep() {
        // The action itself is at the second level.
        assert_eq!(files(&within(14, OURS)).unwrap().len(), 1);
        for ours in [
            OURS,
            r#"{"image":{"id":"9f8e7d6c-1234-4abc-8def-0123456789ab"}}"#,
            r#"{"image":{"link":"p/https://h.example/a.png"}}"#,
            r#"{"image":{"link":"p\/https:\/\/h.example\/a.png"}}"#,
            r#"{"image":{"id":"1","pro\u0076ider":"p"}}"#,
        ] {
            for levels in [15, 100] {
                let refused = files(&within(levels, ours)).unwrap_err();
                assert!(refused.contains("16 levels"), "{refused}");
            }
        }
        for another in [r#"{"image":{"id":"1"}}"#, r#"["image","caf\u00e9"]"#, r#"{"type":"document"}"#] {
            for levels in [14, 15, 100] {
                assert_eq!(files(&within(levels, another)), Ok(Vec::new()), "{another}");
            }
        }
    }

    #[test]
    fn what_is_not_read_passes_unless_something_of_ours_may_be_in_it() {
        let many = |last: &str| {
            let members: Vec<_> = (0..300).map(|n| format!("\"k{n}\":\"image\"")).collect();
            format!("{{\"data\":{{{},{last}}}}}", members.join(","))
        };
        assert_eq!(files(&many(r#""z":"caf\u00e9""#)), Ok(Vec::new()));
        assert!(files(&many(&format!("\"z\":{OURS}"))).unwrap_err().contains("256 keys"));
        assert_eq!(files(r#"{"data":{"a":"image","a":1}}"#), Ok(Vec::new()));
        assert_eq!(files(r#"{"data":{"a":"caf\u00e9","a":1}}"#), Ok(Vec::new()));
        let twice = format!(r#"{{"data":{{"a":{OURS},"a":1}}}}"#);
        assert!(files(&twice).unwrap_err().contains("given twice"));
    }
}
