//! The templates of a number's WhatsApp Business Account.

use bytes::Bytes;
use http::uri::InvalidUri;
use serde::Serialize;
use url::form_urlencoded::Serializer;

use super::call::{CREATE_TEMPLATE, DELETE_TEMPLATE, LIST_TEMPLATES, Operation};
use super::{Failure, Relay, Source};
use crate::cloud::template::{Created, Page, is_done, namespace};
use crate::number::{Number, Waba};
use crate::onprem::ErrorCode;
use crate::onprem::templates::{NewTemplate, Query, TemplatesReply};
use crate::translate::{created_to_onprem, template_to_onprem};

const EDGE: &str = "/message_templates";
/// What clients read of a template.
const FIELDS: &str = "id,name,status,category,language,components,quality_score,rejected_reason";
/// Templates that Cloud is asked for at once, and how often for one list.
const PAGE: usize = 200;
const MAX_PAGES: usize = 5;

impl Relay {
    /// The templates that `query` asks for, as the on-prem reply. All pages are read, as far as the limit of calls goes,
    /// because only then the order and the total are right.
    pub async fn templates(&self, number: &Number, query: &Query) -> Result<Vec<u8>, Failure> {
        let waba = waba(number)?;
        let namespace = self.namespace_of(number, waba).await?;
        let mut bodies: Vec<Bytes> = Vec::new();
        let mut after = None;
        while bodies.len() < MAX_PAGES {
            let edge = page_edge(query.name(), after.as_deref());
            let body = self.call_waba(number, waba, &LIST_TEMPLATES, &edge, Bytes::new()).await?;
            let page = Page::read(&body)
                .ok_or_else(|| self.in_doubt(&LIST_TEMPLATES, false, "a page is not one"))?;
            after = page.after.map(|after| after.to_string());
            bodies.push(body);
            if after.is_none() {
                break;
            }
        }
        if after.is_some() {
            tracing::warn!(
                number = number.name,
                templates = PAGE * MAX_PAGES,
                "the account has more templates than are listed"
            );
        }
        let pages = bodies.iter().filter_map(|body| Page::read(body));
        let templates = pages.flat_map(|page| page.templates);
        let all = templates.map(|template| template_to_onprem(template, namespace)).collect();
        json(&TemplatesReply::new(query, all))
    }

    /// Makes a template, and gives the on-prem reply.
    pub async fn create_template(&self, number: &Number, new: NewTemplate<'_>) -> Result<Vec<u8>, Failure> {
        let waba = waba(number)?;
        // Asked for first: when it fails, nothing was made.
        let namespace = self.namespace_of(number, waba).await?;
        let body = json(&new.members)?.into();
        let answer = self.call_waba(number, waba, &CREATE_TEMPLATE, EDGE, body).await?;
        let created = Created::read(&answer)
            .ok_or_else(|| self.in_doubt(&CREATE_TEMPLATE, false, "a new template without an id"))?;
        json(&created_to_onprem(new, created, namespace))
    }

    /// Deletes the template `name` in all its languages.
    pub async fn delete_template(&self, number: &Number, name: &str) -> Result<(), Failure> {
        let waba = waba(number)?;
        let query = Serializer::new(String::new()).append_pair("name", name).finish();
        let edge = format!("{EDGE}?{query}");
        let answer = self.call_waba(number, waba, &DELETE_TEMPLATE, &edge, Bytes::new()).await?;
        if !is_done(&answer) {
            return Err(self.in_doubt(&DELETE_TEMPLATE, false, "a deletion without success"));
        }
        Ok(())
    }

    /// The configured namespace, which messages are compared with, or else the account's own.
    async fn namespace_of<'a>(&self, number: &'a Number, waba: &'a Waba) -> Result<&'a str, Failure> {
        if let Some(configured) = &number.namespace {
            return Ok(configured);
        }
        let read = async || {
            let edge = "?fields=message_template_namespace";
            let answer = self.call_waba(number, waba, &LIST_TEMPLATES, edge, Bytes::new()).await?;
            namespace(&answer)
                .ok_or_else(|| self.in_doubt(&LIST_TEMPLATES, false, "an account without a namespace"))
        };
        waba.namespace.get_or_try_init(read).await.map(String::as_str)
    }

    async fn call_waba(
        &self,
        number: &Number,
        waba: &Waba,
        operation: &Operation,
        edge: &str,
        body: Bytes,
    ) -> Result<Bytes, Failure> {
        let uri = format!("{}{edge}", waba.node.uri);
        let uri = uri
            .parse()
            .map_err(|error: InvalidUri| Failure::internal(format!("the address of a template: {error}")))?;
        let answer = self.ask(operation, &waba.node.at(uri), body).await?;
        self.accepted(number, operation, answer)
    }
}

fn waba(number: &Number) -> Result<&Waba, Failure> {
    number.waba.as_ref().ok_or_else(|| {
        Failure::new(
            Source::Internal,
            ErrorCode::ServiceNotReady,
            "templates belong to the WhatsApp Business Account, which the proxy does not know: set waba_id of this \
             [[number]] in its configuration",
        )
        .log("number[].waba_id is not set")
    })
}

fn page_edge(name: Option<&str>, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("fields", FIELDS).append_pair("limit", &PAGE.to_string());
    // Cloud finds them faster than we do; what it finds is looked through all the same.
    query.extend_pairs(name.map(|name| ("name", name)));
    query.extend_pairs(after.map(|after| ("after", after)));
    format!("{EDGE}?{}", query.finish())
}

fn json(body: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(body).map_err(|error| Failure::internal(error.to_string()))
}
