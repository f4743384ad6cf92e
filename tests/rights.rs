//! Who may call what: every row of the table of endpoints, with no token, a user's and an administrator's.

use prembridge::onprem::route::{Access, Action, Body, ENDPOINTS, Endpoint, Means};

use crate::support::{ADMIN_KEY, KEY, Proxy, Reply};

/// An instance of a template, of things that are not there.
fn path(endpoint: &Endpoint) -> String {
    let mut path = endpoint.path.to_owned();
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, "16315551234");
    }
    path
}

async fn ask(proxy: &Proxy, endpoint: &Endpoint, key: Option<&str>) -> Reply {
    let key = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<_> = key.iter().map(|key| ("Authorization", key.as_str())).collect();
    let body = if endpoint.body == Body::Nothing { "" } else { "{}" };
    let mut client = proxy.connect().await;
    client.call(endpoint.verb, &path(endpoint), &headers, body.as_bytes()).await
}

#[tokio::test]
async fn the_table_is_the_whole_matrix() {
    let proxy = Proxy::start().await;
    for endpoint in ENDPOINTS {
        let what = format!("{} {}", endpoint.verb, endpoint.path);
        let nobody = ask(&proxy, endpoint, None).await.status;
        let stranger = ask(&proxy, endpoint, Some("no-such-key-012345")).await.status;
        match endpoint.access {
            // A login is about its own credentials.
            Access::Everybody => {
                assert!(nobody == 200 || endpoint.path.ends_with("login"), "{what}: {nobody}")
            }
            Access::User | Access::Admin => assert_eq!((nobody, stranger), (401, 401), "{what}"),
        }
        let user = ask(&proxy, endpoint, Some(KEY)).await.status;
        // A user may see the own account and no other.
        let is_refused = endpoint.access == Access::Admin || endpoint.action == Action::ShowUser;
        assert_eq!(user == 403, is_refused, "{what}: {user}");
        let admin = ask(&proxy, endpoint, Some(ADMIN_KEY)).await.status;
        assert!(!matches!(admin, 403 | 405), "{what}: {admin}");
        assert_eq!(admin == 501, endpoint.means == Means::Refused, "{what}: {admin}");
        assert!(admin != 500, "{what}: {admin}");
    }
}

/// 360dialog's base URL may come without the version.
#[tokio::test]
async fn the_version_may_be_left_out() {
    let proxy = Proxy::start().await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.verb == "GET" && endpoint.path != "/") {
        let path = path(endpoint);
        let with = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "GET", &path, "").await.status;
        let bare = path.strip_prefix("/v1").unwrap();
        let without = proxy.call_as(&format!("Bearer {ADMIN_KEY}"), "GET", bare, "").await.status;
        assert_eq!(with, without, "{path}");
    }
}
