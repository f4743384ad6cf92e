//! Every endpoint of the on-prem API, and of 360dialog's, as data.
//!
//! The router, the labels of metrics, the rights, the OpenAPI file and the compatibility matrix are read off this
//! one table.

use super::Access::{Admin, Everybody, User};
use super::Action::*;
use super::Body::{Json, Nothing, OptionalJson, Pem, Photo, Upload};
use super::Means::{Emulated, Refused, Translated};
use super::{Access, Action, Body, Endpoint, Means};

#[expect(clippy::too_many_arguments, reason = "a table row: its columns have fixed places")]
const fn row(
    verb: &'static str,
    path: &'static str,
    action: Action,
    access: Access,
    body: Body,
    means: Means,
    summary: &'static str,
    note: &'static str,
) -> Endpoint {
    Endpoint { verb, path, action, access, body, means, summary, note }
}

/// Verb, path, action, who may, what is sent, how it is answered, what it does, what else there is to know. What is
/// called most stands first.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    row("POST", "/v1/messages", SendMessage, User, Json, Translated, "sends a message", "Cloud messages"),
    row("PUT", "/v1/messages/{message-id}", UpdateMessage, User, Json, Translated, "marks a message as read", "Cloud messages with status read"),
    row("POST", "/v1/media", UploadMedia, User, Upload, Translated, "uploads a file of up to 100 MiB", "kept here and uploaded to Cloud"),
    row("GET", "/v1/media/{media-id}", GetMedia, User, Nothing, Translated, "gives a file in one step", "ours, or Cloud's with the number's token"),
    row("DELETE", "/v1/media/{media-id}", DeleteMedia, User, Nothing, Translated, "deletes a file", "Cloud's copy of an uploaded one lapses by itself"),
    row("POST", "/v1/contacts", CheckContacts, User, Json, Emulated, "says that numbers are valid", "as on-prem since v2.43; Cloud has no check"),
    row("GET", "/v1/contacts/{wa-id}/identity", ShowIdentity, User, Nothing, Emulated, "gives a user's identity", "always acknowledged; Cloud has none to ask for"),
    row("PUT", "/v1/contacts/{wa-id}/identity", AcknowledgeIdentity, User, Json, Emulated, "acknowledges a user's identity", "any hash will do, since Cloud knows its own alone; nothing waits for it"),

    row("GET", "/", Root, Everybody, Nothing, Emulated, "200 for balancers", "official deployment templates probe it"),
    row("POST", "/v1/users/login", Login, Everybody, OptionalJson, Emulated, "gives a bearer token for seven days", "users are the proxy's own"),
    row("POST", "/v1/users/logout", Logout, User, Nothing, Emulated, "ends a token", ""),
    row("POST", "/v1/users", CreateUser, Admin, Json, Emulated, "makes a user", ""),
    row("GET", "/v1/users/{username}", ShowUser, User, Nothing, Emulated, "gives a user and the role", ""),
    row("PUT", "/v1/users/{username}", UpdateUser, Admin, Json, Emulated, "sets a user's password", ""),
    row("DELETE", "/v1/users/{username}", DeleteUser, Admin, Nothing, Emulated, "deletes a user", ""),

    row("GET", "/v1/settings/application", ShowSettings, Admin, Nothing, Emulated, "gives the application's settings", ""),
    row("PATCH", "/v1/settings/application", UpdateSettings, Admin, Json, Emulated, "changes the application's settings", "those without a meaning here are stored and given back"),
    row("DELETE", "/v1/settings/application", ResetSettings, Admin, Nothing, Emulated, "resets the application's settings", ""),
    row("GET", "/v1/settings/application/media/providers", ListProviders, Admin, Nothing, Emulated, "lists media providers", "secrets are masked unless compat.show_provider_secrets"),
    row("POST", "/v1/settings/application/media/providers", SetProviders, Admin, Json, Emulated, "sets media providers", ""),
    row("DELETE", "/v1/settings/application/media/providers/{name}", DeleteProvider, Admin, Nothing, Emulated, "deletes a media provider", ""),
    row("GET", "/v1/settings/business/profile", ShowBusinessProfile, User, Nothing, Translated, "gives the business profile", "Cloud whatsapp_business_profile"),
    row("POST", "/v1/settings/business/profile", UpdateBusinessProfile, User, Json, Translated, "changes the business profile", "Cloud whatsapp_business_profile; the vertical in on-prem's or Cloud's words"),
    row("GET", "/v1/settings/profile/about", ShowAbout, User, Nothing, Translated, "gives the about text", "Cloud whatsapp_business_profile"),
    row("PATCH", "/v1/settings/profile/about", UpdateAbout, User, Json, Translated, "changes the about text", "Cloud whatsapp_business_profile"),
    row("GET", "/v1/settings/profile/photo", ShowPhoto, User, Nothing, Translated, "gives the profile photo, or with format=link where it is", "Cloud's profile_picture_url"),
    row("POST", "/v1/settings/profile/photo", SetPhoto, User, Photo, Translated, "sets the profile photo, a JPEG or PNG file of up to 5 MiB", "Cloud's resumable upload, under number[].app_id"),
    row("DELETE", "/v1/settings/profile/photo", DeletePhoto, User, Nothing, Refused, "deletes the profile photo", "Cloud has no call for it"),
    row("POST", "/v1/settings/account/two-step", SetPin, Admin, Json, Translated, "sets the two-step PIN", "pin of Cloud's phone number; the number has to be registered"),
    row("DELETE", "/v1/settings/account/two-step", RemovePin, Admin, Nothing, Refused, "removes the two-step PIN", "Cloud allows it by hand only, in WhatsApp Manager"),
    row("POST", "/v1/settings/backup", Backup, Admin, Json, Refused, "exports the registration", "a Cloud number has none to export"),
    row("POST", "/v1/settings/restore", Restore, Admin, Json, Refused, "imports a registration", "give the backup to Cloud's register call instead"),

    row("POST", "/v1/account", Register, Admin, Json, Translated, "registers the number", "201 when it is connected; 202 and Cloud's request_code while it is not verified; Cloud's register, with the PIN, between the two"),
    row("POST", "/v1/account/verify", Verify, Admin, Json, Translated, "verifies the number", "Cloud's verify_code; with pin, Cloud's register after it"),
    row("GET", "/v1/account/shards", ShowShards, Admin, Nothing, Emulated, "gives the number of shards", "what was set; Cloud has no shards"),
    row("POST", "/v1/account/shards", SetShards, Admin, Json, Emulated, "sets the number of shards", "stored and given back; Cloud has no shards"),

    row("GET", "/v1/health", Health, User, Nothing, Emulated, "says whether messages can be sent", "from our own calls to Cloud, or a question to it when there are none; compat.health"),
    row("GET", "/v1/metrics", ShowMetrics, User, Nothing, Emulated, "gives counters", "on-prem's names over our counters; format=prometheus"),
    row("GET", "/v1/stats/app", ShowAppStats, User, Nothing, Emulated, "gives counters of the application", "on-prem's names over our counters; format=prometheus"),
    row("GET", "/v1/stats/app/internal", ShowAppStats, User, Nothing, Emulated, "gives counters of the application", "the same as without internal"),
    row("GET", "/v1/stats/db", ShowDbStats, User, Nothing, Emulated, "gives counters of the database", "callbacks that wait; contacts and messages are not kept and count as 0; format=prometheus"),
    row("GET", "/v1/stats/db/internal", ShowDbStats, User, Nothing, Emulated, "gives counters of the database", "the same as without internal"),
    row("GET", "/v1/support", Support, Admin, Nothing, Emulated, "gives facts for support", "local ones only"),
    row("PUT", "/v1/services/message/gc", CollectMessages, Admin, Nothing, Emulated, "begins to delete old messages", "none are kept: it ends at once, and a callback says so"),

    row("POST", "/v1/certificates/external", SetExternalCertificate, Admin, Pem, Refused, "sets the server's certificate", "set listen.tls in the configuration of the proxy instead"),
    row("GET", "/v1/certificates/external/ca", ShowExternalCa, Admin, Nothing, Emulated, "gives the authority of the server's certificate", "the self-signed certificate, which is its own; 404 for others"),
    row("GET", "/v1/certificates/webhooks/ca", ShowWebhooksCa, Admin, Nothing, Emulated, "gives the roots that callbacks may be signed by", ""),
    row("POST", "/v1/certificates/webhooks/ca", SetWebhooksCa, Admin, Pem, Emulated, "sets the roots that callbacks may be signed by", ""),
    row("DELETE", "/v1/certificates/webhooks/ca", DeleteWebhooksCa, Admin, Nothing, Emulated, "deletes the roots that callbacks may be signed by", ""),

    row("GET", "/v1/stickerpacks", ListStickerpacks, User, Nothing, Emulated, "lists sticker packs", "stored here; Cloud has none"),
    row("POST", "/v1/stickerpacks", CreateStickerpack, User, Json, Emulated, "makes a sticker pack", "stored here; Cloud has none"),
    row("GET", "/v1/stickerpacks/{pack-id}", ShowStickerpack, User, Nothing, Emulated, "gives a sticker pack", "stored here; Cloud has none"),
    row("PATCH", "/v1/stickerpacks/{pack-id}", UpdateStickerpack, User, Json, Emulated, "changes a sticker pack", "stored here; Cloud has none"),
    row("DELETE", "/v1/stickerpacks/{pack-id}", DeleteStickerpack, User, Nothing, Emulated, "deletes a sticker pack", "stored here; Cloud has none"),
    row("GET", "/v1/stickerpacks/{pack-id}/stickers", ListStickers, User, Nothing, Emulated, "lists the stickers of a pack", "stored here; Cloud has none"),
    row("POST", "/v1/stickerpacks/{pack-id}/stickers", CreateSticker, User, Json, Emulated, "adds a sticker to a pack", "stored here; Cloud has none"),
    row("GET", "/v1/stickerpacks/{pack-id}/stickers/{index}", ShowSticker, User, Nothing, Emulated, "gives a sticker of a pack", "stored here; Cloud has none"),
    row("PATCH", "/v1/stickerpacks/{pack-id}/stickers/{index}", UpdateSticker, User, Json, Emulated, "changes a sticker of a pack", "stored here; Cloud has none"),
    row("DELETE", "/v1/stickerpacks/{pack-id}/stickers/{index}", DeleteSticker, User, Nothing, Emulated, "removes a sticker from a pack", "stored here; Cloud has none"),

    row("GET", "/v1/groups", Groups, User, Nothing, Refused, "lists groups", "on-prem groups have no counterpart"),
    row("POST", "/v1/groups", Groups, User, Json, Refused, "makes a group", "on-prem groups have no counterpart"),
    row("GET", "/v1/groups/{group-id}", Groups, User, Nothing, Refused, "gives a group", "on-prem groups have no counterpart"),
    row("PUT", "/v1/groups/{group-id}", Groups, User, Json, Refused, "changes a group", "on-prem groups have no counterpart"),
    row("PATCH", "/v1/groups/{group-id}/admins", Groups, User, Json, Refused, "makes administrators of a group", "on-prem groups have no counterpart"),
    row("DELETE", "/v1/groups/{group-id}/admins", Groups, User, OptionalJson, Refused, "unmakes administrators of a group", "on-prem groups have no counterpart"),
    row("DELETE", "/v1/groups/{group-id}/participants", Groups, User, OptionalJson, Refused, "removes participants of a group", "on-prem groups have no counterpart"),
    row("GET", "/v1/groups/{group-id}/invite", Groups, User, Nothing, Refused, "gives a group's invitation", "on-prem groups have no counterpart"),
    row("DELETE", "/v1/groups/{group-id}/invite", Groups, User, Nothing, Refused, "revokes a group's invitation", "on-prem groups have no counterpart"),
    row("POST", "/v1/groups/{group-id}/leave", Groups, User, OptionalJson, Refused, "leaves a group", "on-prem groups have no counterpart"),
    row("GET", "/v1/groups/{group-id}/icon", Groups, User, Nothing, Refused, "gives a group's icon", "on-prem groups have no counterpart"),
    row("POST", "/v1/groups/{group-id}/icon", Groups, User, Photo, Refused, "sets a group's icon", "on-prem groups have no counterpart"),
    row("DELETE", "/v1/groups/{group-id}/icon", Groups, User, Nothing, Refused, "deletes a group's icon", "on-prem groups have no counterpart"),

    row("GET", "/v1/configs/webhook", ShowWebhookUrl, Admin, Nothing, Emulated, "gives the URL for callbacks", "360dialog; webhooks.url of the settings"),
    row("POST", "/v1/configs/webhook", SetWebhookUrl, Admin, Json, Emulated, "sets the URL for callbacks", "360dialog; webhooks.url of the settings; headers for callbacks are ignored"),
    row("GET", "/v1/configs/templates", ListTemplates, User, Nothing, Translated, "lists templates", "360dialog; the account's message_templates, the first 1000; needs number[].waba_id"),
    row("POST", "/v1/configs/templates", CreateTemplate, Admin, Json, Translated, "makes a template", "360dialog; the account's message_templates; needs number[].waba_id"),
    row("DELETE", "/v1/configs/templates/{template-name}", DeleteTemplate, Admin, Nothing, Translated, "deletes a template in all its languages", "360dialog; the account's message_templates; needs number[].waba_id"),
    row("GET", "/v1/configs/about", ShowAbout, User, Nothing, Translated, "gives the about text", "360dialog; as /v1/settings/profile/about"),
    row("PATCH", "/v1/configs/about", UpdateAbout, User, Json, Translated, "changes the about text", "360dialog; as /v1/settings/profile/about"),
];
