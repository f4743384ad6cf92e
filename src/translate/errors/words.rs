//! Reasons that Cloud tells in words alone, under a code for whatever is wrong with a parameter, and for which on-prem
//! has codes of their own.

use crate::onprem::ErrorCode;
use ErrorCode::{HeaderStructure, NoProductsFound, RowCount, SectionCount, TemplateWhiteSpace};

/// The codes whose words are looked at.
pub const WORDED: &[i64] = &[100, 131_009, 132_000, 132_008, 132_012, 132_018];

/// Phrases between blanks, and what they become. From reports of Graph's answers: "Param text cannot have new-line/tab
/// characters or more than 4 consecutive spaces" (with 100 and 132018), "Total row count exceed max allowed count: 10",
/// "Products not found in FB Catalog", "The parameter interactive['header'] is not allows for catalog messages" (with
/// 131009); the one about sections by analogy.
pub const BY_WORDS: &[(ErrorCode, &[&str])] = &[
    (
        TemplateWhiteSpace,
        &[
            "new line",
            "newline",
            "line break",
            "tab",
            "tabs",
            "consecutive space",
            "white space",
            "whitespace",
        ],
    ),
    (RowCount, &["row count exceed"]),
    (SectionCount, &["section count exceed"]),
    (NoProductsFound, &["products not found"]),
    (HeaderStructure, &["interactive header is not allow"]),
];

/// What the words of `code` say, if they say more than it.
pub(super) fn code_of(code: i64, text: &str) -> Option<ErrorCode> {
    if !WORDED.contains(&code) {
        return None;
    }
    let words = words(text);
    let says = |phrase: &&str| {
        words.match_indices(*phrase).any(|(at, _)| {
            let is_start = words.get(..at).is_some_and(|before| before.ends_with(' '));
            let rest = words.get(at + phrase.len()..).unwrap_or_default();
            // A phrase may go on with the end of its last word, but a word of three letters is a word.
            is_start && (rest.starts_with(' ') || phrase.len() > 3)
        })
    };
    let fits = |onprem: ErrorCode| {
        onprem != TemplateWhiteSpace || !matches!(code, 100 | 131_009) || is_about_template(text, &words)
    };
    let mut said = BY_WORDS.iter().filter(|(_, phrases)| phrases.iter().any(says)).map(|(onprem, _)| *onprem);
    said.find(|onprem| fits(*onprem))
}

/// Whether `text`, under a code for every kind of message, is about a parameter of a template: it says so, or speaks of
/// a parameter without the brackets in which Graph names the members of other messages. Titles that Graph gives every
/// error of its kind say nothing.
fn is_about_template(text: &str, words: &str) -> bool {
    let own = words.replace(" invalid parameter ", " ").replace(" parameter value is not valid ", " ");
    own.contains(" template") || own.contains(" param") && !text.contains('[')
}

/// The words of `text` in lower case, with one blank around each. What has an underscore is a name.
fn words(text: &str) -> String {
    let is_apart = |c: char| !c.is_alphanumeric() && c != '_';
    let mut words = String::with_capacity(text.len() + 2);
    for word in text.split(is_apart).filter(|word| !word.is_empty()) {
        words.push(' ');
        words.push_str(&word.to_lowercase());
    }
    words.push(' ');
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_codes_of_their_own() {
        for (text, expected) in [
            (
                "Param text cannot have new-line/tab characters or more than 4 consecutive spaces",
                TemplateWhiteSpace,
            ),
            ("Parameters cannot contain new lines", TemplateWhiteSpace),
            ("a parameter must not have a NEWLINE", TemplateWhiteSpace),
            ("parameter 1 has a tab", TemplateWhiteSpace),
            (
                "(#100) Invalid parameter: Param text has more than four consecutive spaces",
                TemplateWhiteSpace,
            ),
            ("Line breaks are not allowed in template['components'][0]", TemplateWhiteSpace),
            ("Total row count exceed max allowed count: 10", RowCount),
            ("Total section count exceeds max allowed count: 10", SectionCount),
            ("Products not found in FB Catalog", NoProductsFound),
            ("The parameter interactive['header'] is not allows for catalog messages.", HeaderStructure),
        ] {
            for code in WORDED {
                assert_eq!(code_of(*code, text), Some(expected), "{code} {text}");
            }
            assert_eq!(code_of(131_008, text), None, "{text}");
        }
    }

    /// Other messages have rules about white space, too.
    #[test]
    fn white_space_is_a_template_s_where_the_code_or_the_text_says_so() {
        for text in [
            "(#100) Invalid parameter: Button title must not be only whitespace",
            "(#131009) Parameter value is not valid. The text cannot have a newline",
            "The parameter interactive['action']['buttons'][0]['reply']['title'] must not be only white space",
            "Row titles cannot have tabs",
        ] {
            for code in [100, 131_009] {
                assert_eq!(code_of(code, text), None, "{code} {text}");
            }
            for code in [132_000, 132_008, 132_012, 132_018] {
                assert_eq!(code_of(code, text), Some(TemplateWhiteSpace), "{code} {text}");
            }
        }
    }

    #[test]
    fn other_words_say_nothing() {
        for text in [
            "",
            "Invalid parameter",
            "Template name (new_line_tab) is wrong",
            "the table is stable",
            "renewline",
            "Parameter format does not match format in the created template",
            "header: Format mismatch, expected IMAGE, received UNKNOWN",
        ] {
            for code in WORDED {
                assert_eq!(code_of(*code, text), None, "{code} {text}");
            }
        }
    }
}
