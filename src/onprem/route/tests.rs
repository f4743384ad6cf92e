use std::collections::HashSet;

use super::*;

fn found(verb: &str, path: &str) -> Option<(Action, String, String)> {
    let route = Route::parse(verb, path).ok()?;
    Some((route.endpoint.action, route.id().to_owned(), route.second().to_owned()))
}

fn plain(action: Action) -> Option<(Action, String, String)> {
    Some((action, String::new(), String::new()))
}

fn with(action: Action, id: &str) -> Option<(Action, String, String)> {
    Some((action, id.to_owned(), String::new()))
}

#[test]
fn finds_each_endpoint_with_or_without_a_version() {
    for path in ["/v1/messages", "/messages"] {
        assert_eq!(found("POST", path), plain(Action::SendMessage), "{path}");
    }
    assert_eq!(found("GET", "/v1/users/app"), with(Action::ShowUser, "app"));
    assert_eq!(found("POST", "/v1/users/login"), plain(Action::Login));
    assert_eq!(found("GET", "/"), plain(Action::Root));
    assert_eq!(found("HEAD", "/"), plain(Action::Root));
    assert_eq!(found("HEAD", "/v1/health"), plain(Action::Health));
    assert_eq!(found("GET", "/metrics"), plain(Action::ShowMetrics));
    assert_eq!(
        found("PUT", "/v1/messages/wamid.HBgL%2FQ%3D%3D"),
        with(Action::UpdateMessage, "wamid.HBgL/Q==")
    );
    assert_eq!(found("PUT", "/v1/messages/wamid.HBgL/Q=="), with(Action::UpdateMessage, "wamid.HBgL/Q=="));
    assert_eq!(
        found("PATCH", "/v1/stickerpacks/abc/stickers/7"),
        Some((Action::UpdateSticker, "abc".to_owned(), "7".to_owned()))
    );
    assert_eq!(
        found("PUT", "/v1/contacts/16315551234/identity"),
        with(Action::AcknowledgeIdentity, "16315551234")
    );
    assert_eq!(
        found("DELETE", "/v1/settings/application/media/providers/cdn-1"),
        with(Action::DeleteProvider, "cdn-1")
    );
}

#[test]
fn the_table_agrees_with_itself() {
    let mut seen = HashSet::new();
    for endpoint in ENDPOINTS {
        assert!(seen.insert((endpoint.verb, endpoint.path)), "{} {} twice", endpoint.verb, endpoint.path);
        let (mut example, mut parts) = (endpoint.path.to_owned(), 0);
        while let (Some(start), Some(end)) = (example.find('{'), example.find('}')) {
            example.replace_range(start..=end, "12");
            parts += 1;
        }
        let route = Route::parse(endpoint.verb, &example).unwrap_or_else(|_| panic!("{example}"));
        assert_eq!((route.endpoint.verb, route.endpoint.path), (endpoint.verb, endpoint.path));
        assert_eq!([route.id(), route.second()].iter().filter(|part| !part.is_empty()).count(), parts);
    }
}

#[test]
fn a_wrong_verb_learns_the_right_ones() {
    for (verb, path, verbs) in [
        ("GET", "/v1/messages", "POST"),
        ("PUT", "/v1/settings/application/media/providers", "GET, HEAD, POST"),
        ("PUT", "/v1/settings/application", "GET, HEAD, PATCH, DELETE"),
        ("POST", "/", "GET, HEAD"),
        ("GET", "/v1/users/login", "POST"),
        ("HEAD", "/v1/users/login", "POST"),
        ("get", "/v1/health", "GET, HEAD"),
        ("head", "/v1/health", "GET, HEAD"),
    ] {
        let found = Route::parse(verb, path).err();
        assert!(
            matches!(&found, Some(NoRoute::WrongVerb { verbs: found, .. }) if found == verbs),
            "{found:?}"
        );
    }
}

#[test]
fn what_is_no_id_has_no_route() {
    for path in [
        "/v1/users/..",
        "/v1/users/%2e%2e",
        "/v1/users/a%00b",
        "/v1/users/a/b",
        "/v1/users/%zz",
        "/v1/messages/../users/login",
        "/v1/messages/%2e%2e/x",
        "//v1/messages",
        "/v1",
        "/v1/v1/messages",
        "/v2/messages",
        "/v1messages",
        "/v1/users/ä",
        "/v1/settings/application/media/providers/a.b",
        "/v1/settings/application/media/providers/a/b",
        "/v1/settings/application/media",
        "/v1/contacts//identity",
        "/v1/stickerpacks/a/stickers/b/c",
        "",
    ] {
        assert_eq!(Route::parse("PUT", path).err(), Some(NoRoute::UnknownPath), "{path}");
    }
}
