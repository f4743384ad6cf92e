//! Who gets webhooks, and what about.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::target::Target;

/// An endpoint that is subscribed to the field `messages` of one account.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// Where webhooks are posted, `http` or `https`.
    pub url: String,
    /// What they are signed with.
    pub app_secret: String,
    /// What the endpoint wants to hear before it answers the challenge.
    #[serde(default)]
    pub verify_token: Option<String>,
    /// What is told of each accepted message, in this order.
    #[serde(default = "usual_statuses")]
    pub statuses: Vec<StatusWord>,
    /// The id of the account (WABA) that webhooks name.
    #[serde(default = "usual_waba_id")]
    pub waba_id: String,
    /// Certificates in PEM that are trusted beside the public roots.
    #[serde(default)]
    pub extra_roots: Option<String>,
    /// How often a webhook that was not taken is posted again.
    #[serde(skip)]
    pub retry: Retry,
}

impl Subscription {
    /// A subscription to the statuses of a message that is read, without a verify token.
    pub fn new(url: impl Into<String>, app_secret: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            app_secret: app_secret.into(),
            verify_token: None,
            statuses: usual_statuses(),
            waba_id: usual_waba_id(),
            extra_roots: None,
            retry: Retry::default(),
        }
    }

    /// What would make every post to it fail.
    pub fn check(&self) -> Result<(), String> {
        let uri: Uri = self.url.parse().map_err(|error| format!("the URL of the webhook: {error}"))?;
        if uri.host().is_none() || !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err("the URL of the webhook begins with neither http:// nor https://".to_owned());
        }
        Target::new(self.extra_roots.as_deref()).map(drop)
    }
}

fn usual_statuses() -> Vec<StatusWord> {
    vec![StatusWord::Sent, StatusWord::Delivered, StatusWord::Read]
}

/// The account of Meta's samples.
fn usual_waba_id() -> String {
    "102290129340398".to_owned()
}

/// What became of a message (Webhooks reference, "Status messages").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatusWord {
    /// It left for the user.
    Sent,
    /// It is on the user's device.
    Delivered,
    /// The user saw it.
    Read,
    /// The user listened to it.
    Played,
    /// It will never arrive.
    Failed,
}

impl StatusWord {
    const ALL: [Self; 5] = [Self::Sent, Self::Delivered, Self::Read, Self::Played, Self::Failed];

    /// As Cloud writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StatusWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|word| word.as_str() == text);
        known.ok_or_else(|| format!("{text:?} is not sent, delivered, read, played or failed"))
    }
}

/// When a webhook that was not taken is posted again. Graph does so "with decreasing frequency" for seven days
/// (Webhooks, "Webhook delivery failure"), the mock until it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How long one post may take.
    pub answer_within: Duration,
}

impl Retry {
    /// The pause after this many failures, of which there is at least one.
    pub(super) fn pause(self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(5),
            // Meta publishes no figure.
            answer_within: Duration::from_secs(10),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = (1..=8).map(|failures| Retry::default().pause(failures).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(Retry::default().pause(u32::MAX), Duration::from_secs(5));
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for word in StatusWord::ALL {
            assert_eq!(word.to_string().parse(), Ok(word));
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
        assert!("Sent".parse::<StatusWord>().is_err());
    }

    #[test]
    fn what_cannot_work_is_said() {
        assert_eq!(Subscription::new("http://127.0.0.1:1/hook", "s").check(), Ok(()));
        for url in ["", "/hook", "ftp://a/b", "127.0.0.1:80", "http://a b/"] {
            assert!(Subscription::new(url, "s").check().is_err(), "{url}");
        }
        let extra_roots = Some("no certificate".to_owned());
        let subscription = Subscription { extra_roots, ..Subscription::new("https://a/b", "s") };
        assert!(subscription.check().is_err());
    }
}
