//! The story on one screen: a line for each exchange, and one exchange in full.

use super::scene::{Event, Row, Scene};
use crate::cli::output::{WIDTH, filled, line, style, wrapped};

/// How many columns the first column of a row has, after its number.
const WHAT: usize = 42;
/// How many the second has.
const CLOUD: usize = 23;
/// Ids that are longer are shortened.
const LONG_ID: usize = 24;

/// Prints the heads of the columns.
pub fn head() {
    let text = format!("    {:<WHAT$}{:<CLOUD$}{}", "WHAT HAPPENS", "CLOUD", "APP");
    line(style::title(text));
}

/// Prints the rows of a scene.
pub fn rows(scene: &Scene) {
    for (at, Row { what, cloud, app }) in scene.rows.iter().enumerate() {
        let number = if at == 0 { format!("{:>2}", scene.number) } else { "  ".to_owned() };
        let cloud = format!("{cloud:<CLOUD$}");
        line(format_args!("{number}  {what:<WHAT$}{}{}", style::label(cloud), style::outcome(app)));
    }
}

/// Prints the example.
pub fn example(scene: &Scene) {
    line(style::title(format_args!("Number {} in full: {}", scene.number, scene.title)));
    for Event { who, what, body, notes } in &scene.events {
        line(format_args!("{} {what}", style::label(format_args!("{who:<14}"))));
        for row in filled(&shortened(body.as_deref().unwrap_or_default()), WIDTH - 2).lines() {
            line(format_args!("  {row}"));
        }
        for note in notes {
            for (at, row) in wrapped(&format!("{}: {}", note.path, note.text), WIDTH - 4).iter().enumerate() {
                line(format_args!(
                    "  {}",
                    style::note(format_args!("{} {row}", if at == 0 { '*' } else { ' ' }))
                ));
            }
        }
    }
}

/// Message ids say nothing to a reader; their ends tell them apart.
fn shortened(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find("wamid.") {
        let (before, id) = rest.split_at(at);
        let end = id.find('"').unwrap_or(id.len());
        let (id, after) = id.split_at(end);
        out.push_str(before);
        match (id.get(..LONG_ID / 2), id.get(id.len().saturating_sub(4)..)) {
            (Some(start), Some(end)) if id.len() > LONG_ID => out.extend([start, "…", end]),
            _ => out.push_str(id),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn long_ids_lose_their_middle() {
        assert_eq!(
            shortened(r#"[{"id":"wamid.ABCDEFGHIJKLMNOPQRSTUVWXYZ"}]"#),
            r#"[{"id":"wamid.ABCDEF…WXYZ"}]"#
        );
        assert_eq!(shortened(r#"{"id":"wamid.A","b":"wamid."}"#), r#"{"id":"wamid.A","b":"wamid."}"#);
    }
}
