//! Where in a body a value stands, for error texts.

use std::fmt;

/// A path such as `interactive.action.sections[1].title`, built on the stack and only ever
/// formatted when something is wrong.
#[derive(Clone, Copy, Debug)]
pub enum Path<'p> {
    /// The body itself.
    Root,
    /// A member of the object at the first path.
    Key(&'p Path<'p>, &'p str),
    /// An element of the array at the first path.
    Index(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    /// The member `name` of this object.
    pub fn key(&'p self, name: &'p str) -> Path<'p> {
        Path::Key(self, name)
    }

    /// Element `index` of this array.
    pub fn index(&'p self, index: usize) -> Path<'p> {
        Path::Index(self, index)
    }

    /// How many levels below the body it is.
    pub fn depth(&self) -> usize {
        match self {
            Path::Root => 0,
            Path::Key(parent, _) | Path::Index(parent, _) => parent.depth() + 1,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Key(Path::Root, name) => f.write_str(&cut(name, LONGEST_NAME)),
            Path::Key(parent, name) => write!(f, "{parent}.{}", cut(name, LONGEST_NAME)),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A client's own text, made safe for one line of `details`.
pub fn printable(text: &str) -> String {
    cut(text, 40)
}

/// Room for every documented name.
const LONGEST_NAME: usize = 64;

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::Path;

    #[test]
    fn prints_as_people_write_it() {
        let root = Path::Root;
        let action = root.key("action");
        let sections = action.key("sections");
        let second = sections.index(1);
        assert_eq!(second.key("title").to_string(), "action.sections[1].title");
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = format!("a\n{}", "x".repeat(500_000));
        let printed = Path::Root.key(&long).key("image").to_string();
        assert_eq!(printed, format!("a?{}.image", "x".repeat(62)));
    }
}
