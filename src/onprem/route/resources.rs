//! What the endpoints are about: the table's rows in groups that a reader can take in.

use super::Endpoint;

/// A group of endpoints.
#[derive(Debug)]
pub struct Resource {
    /// Its name.
    pub name: &'static str,
    /// The path under which its endpoints stand.
    pub path: &'static str,
    /// What they do, in one sentence.
    pub summary: &'static str,
}

const fn resource(name: &'static str, path: &'static str, summary: &'static str) -> Resource {
    Resource { name, path, summary }
}

/// Every resource. One whose path stands inside another's comes before it.
#[rustfmt::skip]
pub const RESOURCES: &[Resource] = &[
    resource("messages", "/v1/messages", "Text, image, audio, video, document, sticker, location, contacts, hsm, template, interactive and reaction messages, and read receipts."),
    resource("media", "/v1/media", "Files up to 100 MiB, streamed; ids from webhooks can be downloaded too."),
    resource("contacts", "/v1/contacts", "Every number is valid, as on-prem since v2.43, and every identity acknowledged."),
    resource("users", "/v1/users", "Basic login, first-login password change, seven-day bearer tokens; users with roles."),
    resource("media providers", "/v1/settings/application/media/providers", "Credentials for the places that links lead to; shown masked."),
    resource("settings", "/v1/settings/application", "The application's settings, kept per number: `webhooks.url`, which statuses to send, pauses, `media.auto_download` and the rest."),
    resource("business profile", "/v1/settings/business/profile", "Cloud's business profile; `vertical` in on-prem's words or Cloud's."),
    resource("profile", "/v1/settings/profile", "The about text and the photo, a JPEG or PNG of up to 5 MiB, raw or as a form; Cloud cannot delete a photo."),
    resource("two-step verification", "/v1/settings/account/two-step", "Sets the PIN, which is never kept; Cloud removes one by hand only."),
    resource("backup", "/v1/settings/backup", "A Cloud number has no registration to export."),
    resource("restore", "/v1/settings/restore", "Cloud's own register call takes an on-prem backup."),
    resource("account", "/v1/account", "Registration: 201 when the number is connected, else Cloud's code, verification, and registration when `pin` is given; shards are stored and given back."),
    resource("health", "/v1/health", "Whether the number's calls reach Cloud and are welcome there, always with HTTP 200; `compat.health` has the form."),
    resource("metrics", "/v1/metrics", "This number's counters of requests under on-prem's names, or with `format=prometheus`."),
    resource("stats", "/v1/stats", "This number's counters of the application and the database, likewise."),
    resource("support", "/v1/support", "Local facts."),
    resource("services", "/v1/services", "Nothing is kept, so garbage collection ends at once, with its callback."),
    resource("certificates", "/v1/certificates", "Roots that callbacks may be signed by; the server's own certificate is shown, and set in the configuration only."),
    resource("sticker packs", "/v1/stickerpacks", "Kept and given back; a sticker's id is the media id of its image."),
    resource("groups", "/v1/groups", "On-prem groups have no counterpart."),
    resource("360dialog", "/v1/configs", "The URL of callbacks, the templates of the account in `number[].waba_id`, and the about text, under 360dialog's paths."),
    resource("root", "/", "200, for balancers."),
];

impl Endpoint {
    /// What it is about.
    pub fn resource(&self) -> Option<&'static Resource> {
        RESOURCES.iter().find(|resource| {
            let rest = self.path.strip_prefix(resource.path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENDPOINTS;
    use super::*;

    #[test]
    fn every_endpoint_has_a_resource_and_every_resource_an_endpoint() {
        for endpoint in ENDPOINTS {
            assert!(endpoint.resource().is_some(), "{}", endpoint.path);
        }
        for resource in RESOURCES {
            let name = resource.name;
            let mine = |endpoint: &Endpoint| endpoint.resource().is_some_and(|found| found.name == name);
            assert!(ENDPOINTS.iter().any(mine), "{name}");
        }
    }
}
