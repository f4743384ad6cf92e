//! Message ids in both forms: whatever fits comes back as it was, whatever does not stays as it is.

use prembridge::translate::message_id::{to_cloud, to_onprem};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::support::ids::wamid;
use crate::support::{Proxy, TO, text};

proptest! {
    #![proptest_config(crate::support::seeded::config(1024))]

    #[test]
    fn a_wamid_comes_back(is_ours: bool, user in "[0-9]{1,127}", id in "([0-9A-F]{2}){1,63}") {
        let cloud = wamid(is_ours, &user, &id);
        let onprem = to_onprem(&cloud).into_owned();
        prop_assert!(!onprem.starts_with("wamid."), "{cloud} was not converted");
        prop_assert!(onprem.starts_with(if is_ours { 'g' } else { 'A' }), "{onprem}");
        prop_assert_eq!(to_cloud(&onprem), cloud.as_str());
        prop_assert_eq!(to_onprem(&onprem), onprem.as_str(), "an on-prem id is in its form already");
        prop_assert_eq!(to_cloud(&cloud), cloud.as_str(), "a wamid is in its form already");
    }

    #[test]
    fn an_onprem_id_of_a_usual_message_has_27_characters(user in "[0-9]{11,12}", id in "([0-9A-F]{2}){9}") {
        prop_assert_eq!(to_onprem(&wamid(true, &user, &id)).len(), 27);
    }

    #[test]
    fn an_onprem_id_comes_back(is_ours: bool, user in "[0-9]{1,127}", id in vec(any::<u8>(), 1..64)) {
        let hex: String = id.iter().map(|byte| format!("{byte:02X}")).collect();
        let onprem = to_onprem(&wamid(is_ours, &user, &hex)).into_owned();
        let cloud = to_cloud(&onprem).into_owned();
        prop_assert!(cloud.starts_with("wamid."), "{onprem} was not converted");
        prop_assert_eq!(to_onprem(&cloud), onprem);
    }

    #[test]
    fn what_does_not_fit_stays_as_it_is(
        is_ours: bool,
        (user, id) in prop_oneof![
            ("[A-Z]{2}\\.[0-9]{1,100}", "([0-9A-F]{2}){1,20}"),
            ("[0-9]{1,15}", "([0-9A-F]{2}){0,9}[0-9A-F]"),
            ("[0-9]{1,15}", "([0-9A-F]{2}){0,9}[a-f][0-9]"),
            ("[0-9]{1,15}", "[G-Z]{2}"),
        ],
    ) {
        let cloud = wamid(is_ours, &user, &id);
        prop_assert_eq!(to_onprem(&cloud), cloud.as_str());
        prop_assert_eq!(to_cloud(&cloud), cloud.as_str());
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,60}|(wamid\\.)?[A-Za-z0-9+/_=-]{0,80}") {
        let (onprem, cloud) = (to_onprem(&text), to_cloud(&text));
        if onprem != text.as_str() {
            prop_assert_eq!(to_cloud(&onprem), text.as_str());
        }
        if cloud != text.as_str() {
            prop_assert_eq!(to_onprem(&cloud), text.as_str());
        }
    }
}

#[tokio::test]
async fn clients_see_one_form_and_may_send_back_either() {
    for (form, length) in [("onprem", 27), ("cloud", 58)] {
        let proxy = Proxy::with(&format!("[compat]\nmessage_ids = \"{form}\"\n")).await;
        let reply = proxy.send(&text(TO)).await.json();
        let wamid = proxy.mock.accepted_messages()[0].wamid.clone();
        let id = reply["messages"][0]["id"].as_str().unwrap();
        assert_eq!((id.len(), to_cloud(id).into_owned()), (length, wamid.clone()), "{id}");
        for id in [to_onprem(&wamid).into_owned(), wamid.clone()] {
            let path = id.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
            let read = proxy.call("PUT", &format!("/v1/messages/{path}"), r#"{"status":"read"}"#).await;
            assert_eq!((read.status, &proxy.last_body()["message_id"]), (200, &json!(wamid)), "{id}");
            let mut answer = text(TO);
            answer["context"] = json!({"message_id": id});
            assert_eq!(proxy.send(&answer).await.status, 201);
            assert_eq!(proxy.last_body()["context"], json!({"message_id": wamid}), "{id}");
            let reaction =
                json!({"to": TO, "type": "reaction", "reaction": {"message_id": id, "emoji": "x"}});
            proxy.send(&reaction).await;
            assert_eq!(proxy.last_body()["reaction"]["message_id"], json!(wamid), "{id}");
        }
    }
}
