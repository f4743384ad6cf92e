//! Counters as `/metrics` and `/v1/stats` give them: as JSON, or in the Prometheus text form.

use std::fmt::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};
use url::form_urlencoded;

use super::error::Meta;
use super::{ErrorCode, Invalid};

/// The form that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Without `format`, or with `json`.
    Json,
    /// `format=prometheus`: the text form, version 0.0.4.
    Prometheus,
}

impl Format {
    /// Reads the query; what else is in it is ignored.
    pub fn parse(query: &str) -> Result<Self, Invalid> {
        match form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "format") {
            None => Ok(Self::Json),
            Some((_, format)) => match &*format {
                "" | "json" => Ok(Self::Json),
                "prometheus" => Ok(Self::Prometheus),
                _ => Err(Invalid::new(
                    ErrorCode::ParameterInvalid,
                    "format must be \"json\" or \"prometheus\"",
                )),
            },
        }
    }
}

/// Whether a value only rises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It rises, and begins anew with each start.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
        }
    }
}

/// One metric with its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// On-prem's name: letters, digits and underscores.
    pub name: &'static str,
    /// What it counts, on one line.
    pub help: &'static str,
    /// Whether it only rises.
    pub kind: Kind,
    /// One for each set of labels.
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Names and values; each name once.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: u64,
}

impl Sample {
    /// A value without labels.
    pub fn plain(value: u64) -> Self {
        Self { labels: Vec::new(), value }
    }
}

/// Where the metrics stand in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `{"metrics":{…}}`
    Metrics,
    /// `{"stats":{"app":{…}}}`
    App,
    /// `{"stats":{"db":{…}}}`
    Db,
}

/// The answer in JSON.
#[derive(Debug)]
pub struct MetricsReply<'a> {
    /// Where they stand.
    pub scope: Scope,
    /// The metrics, each name once.
    pub metrics: &'a [Metric],
    /// `meta`
    pub meta: Meta<'a>,
}

impl Serialize for MetricsReply<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let metrics = Metrics(self.metrics);
        let mut map = serializer.serialize_map(Some(2))?;
        match self.scope {
            Scope::Metrics => map.serialize_entry("metrics", &metrics)?,
            Scope::App => map.serialize_entry("stats", &One("app", metrics))?,
            Scope::Db => map.serialize_entry("stats", &One("db", metrics))?,
        }
        map.serialize_entry("meta", &self.meta)?;
        map.end()
    }
}

/// An object with one member.
struct One<'a>(&'static str, Metrics<'a>);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, &self.1)])
    }
}

struct Metrics<'a>(&'a [Metric]);

impl Serialize for Metrics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|metric| (metric.name, metric)))
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("data", &self.samples)?;
        map.serialize_entry("help", self.help)?;
        map.serialize_entry("type", self.kind.name())?;
        map.end()
    }
}

impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.labels.is_empty() {
            map.serialize_entry("labels", &Labels(&self.labels))?;
        }
        map.serialize_entry("value", &self.value)?;
        map.end()
    }
}

struct Labels<'a>(&'a [(&'static str, String)]);

impl Serialize for Labels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The Prometheus text form, version 0.0.4 ("Exposition formats").
pub fn to_prometheus(metrics: &[Metric]) -> String {
    let mut text = String::new();
    for Metric { name, help, kind, samples } in metrics {
        let kind = kind.name();
        // A `String` never refuses to be written to.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for Sample { labels, value } in samples {
            text.push_str(name);
            let mut before = '{';
            for (label, value) in labels {
                let _ = write!(text, "{before}{label}=\"{}\"", escaped(value));
                before = ',';
            }
            let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
        }
    }
    text
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// `POST /v1/messages` as on-prem's label `method` has it: `POST_v1_messages`. Of the name of a variable part only
/// letters, digits and underscores are left.
pub fn method_label(verb: &str, path: &str) -> String {
    let path = path.chars().filter(|c| !matches!(c, '{' | '}'));
    verb.chars().chain(path.map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::onprem::route::ENDPOINTS;

    fn sample() -> Vec<Metric> {
        vec![
            Metric {
                name: "callback_queue_size",
                help: "Current size",
                kind: Kind::Gauge,
                samples: vec![Sample::plain(450)],
            },
            Metric {
                name: "callback_requests",
                help: "Total number",
                kind: Kind::Counter,
                samples: vec![Sample {
                    labels: vec![("result", "success".to_owned()), ("type", "a\\b\"c\nd".to_owned())],
                    value: 1,
                }],
            },
        ]
    }

    #[test]
    fn both_forms() {
        let metrics = sample();
        let reply = |scope| {
            serde_json::to_value(MetricsReply { scope, metrics: &metrics, meta: Meta::stable("v1") }).unwrap()
        };
        let app = json!({
            "callback_queue_size": {"data": [{"value": 450}], "help": "Current size", "type": "gauge"},
            "callback_requests": {
                "data": [{"labels": {"result": "success", "type": "a\\b\"c\nd"}, "value": 1}],
                "help": "Total number", "type": "counter",
            },
        });
        let meta = json!({"api_status": "stable", "version": "v1"});
        assert_eq!(reply(Scope::App), json!({"stats": {"app": app}, "meta": meta}));
        assert_eq!(reply(Scope::Db), json!({"stats": {"db": app}, "meta": meta}));
        assert_eq!(reply(Scope::Metrics), json!({"metrics": app, "meta": meta}));
        assert_eq!(
            to_prometheus(&metrics),
            "# HELP callback_queue_size Current size\n# TYPE callback_queue_size gauge\ncallback_queue_size 450\n\
             # HELP callback_requests Total number\n# TYPE callback_requests counter\n\
             callback_requests{result=\"success\",type=\"a\\\\b\\\"c\\nd\"} 1\n"
        );
    }

    #[test]
    fn formats_that_clients_ask_for() {
        for (query, expected) in [
            ("", Ok(Format::Json)),
            ("retry=1&format", Ok(Format::Json)),
            ("format=json", Ok(Format::Json)),
            ("a=b&format=prometheus", Ok(Format::Prometheus)),
            ("format=prom%65theus", Ok(Format::Prometheus)),
            ("format=Prometheus", Err(1009)),
            ("format=xml&format=json", Err(1009)),
        ] {
            let found = Format::parse(query).map_err(|invalid| invalid.code.code());
            assert_eq!(found, expected, "{query}");
        }
    }

    #[test]
    fn each_endpoint_has_a_label_of_its_own() {
        assert_eq!(method_label("POST", "/v1/messages"), "POST_v1_messages");
        assert_eq!(method_label("PUT", "/v1/contacts/{wa-id}/identity"), "PUT_v1_contacts_wa_id_identity");
        let labels: HashSet<_> =
            ENDPOINTS.iter().map(|endpoint| method_label(endpoint.verb, endpoint.path)).collect();
        assert_eq!(labels.len(), ENDPOINTS.len());
    }

    proptest! {
        #![proptest_config(crate::seeded::config(256))]

        /// Whatever a label holds, it stays one line, and the quotes that end it are the only bare ones.
        #[test]
        fn no_label_breaks_a_line(value in r#"[ -~\n"\\]{0,20}"#) {
            let labels = vec![("a", value.clone())];
            let samples = vec![Sample { labels, value: 7 }];
            let text = to_prometheus(&[Metric { name: "m", help: "h", kind: Kind::Gauge, samples }]);
            prop_assert_eq!(text.lines().count(), 3);
            let inner = text.lines().last().unwrap().strip_prefix("m{a=\"").unwrap();
            let inner = inner.strip_suffix("\"} 7").unwrap();
            let (mut chars, mut read) = (inner.chars(), String::new());
            while let Some(c) = chars.next() {
                match (c, if c == '\\' { chars.next() } else { None }) {
                    ('\\', Some('n')) => read.push('\n'),
                    ('\\', Some(c @ ('\\' | '"'))) => read.push(c),
                    (c, None) if c != '\\' && c != '"' => read.push(c),
                    other => prop_assert!(false, "{:?} in {}", other, text),
                }
            }
            prop_assert_eq!(read, value);
        }
    }
}
