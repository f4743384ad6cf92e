//! `check --live`: asks Graph about each number with its token.

use serde_json::Value;

use super::upstream::upstream;
use crate::config::Config;
use crate::number;
use crate::translate::errors::{CloudFailure, Endpoint};
use crate::translate::{Options, error_to_onprem};
use crate::upstream::{Target, Upstream};

/// What Graph knows of a number and what we want to see.
const FIELDS: &str = "display_phone_number,verified_name,platform_type,status,quality_rating";

/// What Graph said about one number.
#[derive(Debug)]
pub struct Probe {
    /// The number's name in the configuration.
    pub name: String,
    /// What it is, or what is wrong.
    pub outcome: Result<String, String>,
}

/// Asks about every number, one after the other.
pub async fn probe_numbers(config: &Config) -> Vec<Probe> {
    let upstream = match upstream(config) {
        Ok(upstream) => upstream,
        Err(error) => {
            return vec![Probe { name: "*".to_owned(), outcome: Err(error.to_string()) }];
        }
    };
    let options = Options { hidden: config.compat.options.hidden.clone(), ..Options::default() };
    let mut probes = Vec::with_capacity(config.numbers.len());
    for number in &config.numbers {
        let target = number::target(config, number, &format!("?fields={FIELDS}"));
        let outcome = match target {
            Ok(target) => probe(&upstream, &target, &number.phone_number_id, &options).await,
            Err(error) => Err(error.to_string()),
        };
        probes.push(Probe { name: number.name.clone(), outcome });
    }
    probes
}

async fn probe(
    upstream: &Upstream,
    target: &Target,
    phone_number_id: &str,
    options: &Options,
) -> Result<String, String> {
    let answer =
        upstream.get(target).await.map_err(|error| format!("no answer from the Cloud API: {error}"))?;
    if !answer.status.is_success() {
        let failure = CloudFailure {
            http: answer.status.as_u16(),
            body: &answer.body,
            retry_after: None,
            endpoint: Endpoint::Other,
            phone_number_id,
        };
        return Err(error_to_onprem(&failure, options).details);
    }
    let body: Value = serde_json::from_slice(&answer.body).map_err(|error| format!("not JSON: {error}"))?;
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or("unknown").to_owned();
    if text("platform_type") == "ON_PREMISE" {
        return Err("is still registered with the On-Premises API: register it with Cloud first".to_owned());
    }
    let shown = format!(
        "{} ({}), platform {}, status {}, quality {}",
        text("display_phone_number"),
        text("verified_name"),
        text("platform_type"),
        text("status"),
        text("quality_rating")
    );
    Ok(options.hidden.strike(&shown))
}
