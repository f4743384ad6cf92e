//! The business profile, on-prem <-> cloud. Only the industry has other words.

use crate::cloud::profile as cloud;
use crate::onprem::profile as onprem;
use crate::onprem::{ErrorCode, Invalid};

/// Cloud's word of an industry, and on-prem's where it had one ("Business Profile Settings" and "Business Profiles").
const VERTICALS: &[(&str, Option<&str>)] = &[
    ("AUTO", Some("Automotive")),
    ("BEAUTY", Some("Beauty, Spa and Salon")),
    ("APPAREL", Some("Clothing and Apparel")),
    ("EDU", Some("Education")),
    ("ENTERTAIN", Some("Entertainment")),
    ("EVENT_PLAN", Some("Event Planning and Service")),
    ("FINANCE", Some("Finance and Banking")),
    ("GROCERY", Some("Food and Grocery")),
    ("GOVT", Some("Public Service")),
    ("HOTEL", Some("Hotel and Lodging")),
    ("HEALTH", Some("Medical and Health")),
    ("NONPROFIT", Some("Non-profit")),
    ("PROF_SERVICES", Some("Professional Services")),
    ("RETAIL", Some("Shopping and Retail")),
    ("TRAVEL", Some("Travel and Transportation")),
    ("RESTAURANT", Some("Restaurant")),
    ("NOT_A_BIZ", Some("Not a business")),
    ("OTHER", Some("Other")),
    ("ALCOHOL", None),
    ("ONLINE_GAMBLING", None),
    ("PHYSICAL_GAMBLING", None),
    ("OTC_DRUGS", None),
];

/// Cloud's word for no industry, which on-prem left empty.
const UNDEFINED: &str = "UNDEFINED";

/// What Cloud is to change.
pub fn profile_to_cloud<'a>(
    update: &'a onprem::ProfileUpdate<'_>,
) -> Result<cloud::ProfileUpdate<'a>, Invalid> {
    let websites = update.websites.as_ref().map(|sites| sites.iter().map(|site| &**site).collect());
    Ok(cloud::ProfileUpdate {
        address: update.address.as_deref(),
        description: update.description.as_deref(),
        email: update.email.as_deref(),
        vertical: update.vertical.as_deref().map(vertical_to_cloud).transpose()?.flatten(),
        websites,
        ..cloud::ProfileUpdate::default()
    })
}

/// What clients see of the profile.
pub fn profile_to_onprem(profile: cloud::Profile) -> onprem::Profile {
    onprem::Profile {
        address: profile.address.unwrap_or_default(),
        description: profile.description.unwrap_or_default(),
        email: profile.email.unwrap_or_default(),
        vertical: profile.vertical.as_deref().map(vertical_to_onprem).unwrap_or_default().to_owned(),
        websites: profile.websites,
    }
}

/// Cloud gives a word for no industry and does not take it, so what a client read and sends back is left out.
fn vertical_to_cloud(word: &str) -> Result<Option<&'static str>, Invalid> {
    if word.is_empty() || word.eq_ignore_ascii_case(UNDEFINED) {
        return Ok(None);
    }
    let is_meant = |name: &&str| name.eq_ignore_ascii_case(word);
    let row =
        VERTICALS.iter().find(|(cloud, onprem)| is_meant(cloud) || onprem.as_ref().is_some_and(is_meant));
    row.map(|(cloud, _)| Some(*cloud)).ok_or_else(|| {
        let words: Vec<_> =
            VERTICALS.iter().map(|(cloud, onprem)| format!("\"{}\"", onprem.unwrap_or(cloud))).collect();
        Invalid::new(ErrorCode::ParameterInvalid, format!("vertical must be one of {}", words.join(", ")))
    })
}

/// A word that is newer than this table stays Cloud's.
fn vertical_to_onprem(word: &str) -> &str {
    if word == UNDEFINED {
        return "";
    }
    VERTICALS.iter().find(|(cloud, _)| *cloud == word).and_then(|(_, onprem)| *onprem).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_go_both_ways() {
        for (word, cloud) in [
            ("Automotive", "AUTO"),
            ("AUTO", "AUTO"),
            ("auto", "AUTO"),
            ("BEAUTY, SPA AND SALON", "BEAUTY"),
            ("otc_drugs", "OTC_DRUGS"),
        ] {
            assert_eq!(vertical_to_cloud(word), Ok(Some(cloud)), "{word}");
        }
        assert_eq!((vertical_to_cloud(""), vertical_to_cloud("undefined")), (Ok(None), Ok(None)));
        for (cloud, onprem) in VERTICALS {
            assert_eq!(vertical_to_cloud(vertical_to_onprem(cloud)), Ok(Some(*cloud)));
            assert_eq!(vertical_to_onprem(cloud), onprem.unwrap_or(cloud));
        }
        assert_eq!((vertical_to_onprem("UNDEFINED"), vertical_to_onprem("LATER")), ("", "LATER"));
        let refused = vertical_to_cloud("Cars").unwrap_err();
        assert_eq!(refused.code.code(), 1009);
        assert!(refused.details.contains("\"Automotive\"") && refused.details.contains("\"OTC_DRUGS\""));
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        #[test]
        fn a_word_is_known_or_refused(word in "\\PC{0,30}") {
            if let Ok(Some(cloud)) = vertical_to_cloud(&word) {
                let shown = vertical_to_onprem(cloud);
                prop_assert!(shown.eq_ignore_ascii_case(&word) || cloud.eq_ignore_ascii_case(&word));
            }
        }
    }
}
