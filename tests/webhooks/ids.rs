//! Ids and addresses are the same in answers, statuses, replies, receipts and reactions.

use prembridge::mock::InboundMessage;
use serde_json::{Value, json};

use super::scene::{Scene, webhook};
use crate::support::{PHONE_NUMBER_ID, TO, text as message};

fn status_of(id: &str, recipient: &str) -> Value {
    webhook(
        PHONE_NUMBER_ID,
        json!({"statuses": [{"id": id, "status": "delivered", "timestamp": "1", "recipient_id": recipient}]}),
    )
}

async fn sent(scene: &Scene, to: &str) -> (String, String) {
    let reply = scene.proxy.send(&message(to)).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.json()["messages"][0]["id"].as_str().unwrap().to_owned();
    let wamid = scene.proxy.mock.accepted_messages().last().unwrap().wamid.clone();
    (id, wamid)
}

#[tokio::test]
async fn in_both_forms_the_client_sees_one_id_everywhere() {
    for (form, length) in [("cloud", None), ("onprem", Some(27))] {
        let scene = Scene::with(&format!("[compat]\nmessage_ids = \"{form}\"\n")).await;
        let (id, wamid) = sent(&scene, TO).await;
        assert_eq!(id == wamid, form == "cloud");
        assert!(length.is_none_or(|length| id.len() == length), "{id}");
        scene.tell(&status_of(&wamid, TO)).await;
        let callback = scene.sink.take(1).await.remove(0);
        assert_eq!(callback["statuses"][0]["id"], json!(id));

        let inbound = scene.proxy.mock.inbound(PHONE_NUMBER_ID, InboundMessage::text(TO, "hi"));
        let answer = json!({
            "from": TO, "id": inbound, "timestamp": "1", "type": "text", "text": {"body": "yes"},
            "context": {"from": "15550783881", "id": wamid},
        });
        scene.tell(&webhook(PHONE_NUMBER_ID, json!({"messages": [answer]}))).await;
        let callback = scene.sink.take(2).await.remove(1);
        assert_eq!(callback["messages"][0]["context"]["id"], json!(id), "what it answers");
        let theirs = callback["messages"][0]["id"].as_str().unwrap().to_owned();

        let reply = scene.proxy.call("PUT", &format!("/v1/messages/{theirs}"), r#"{"status":"read"}"#).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(scene.proxy.last_body()["message_id"], json!(inbound));
        let reaction =
            json!({"to": TO, "type": "reaction", "reaction": {"message_id": theirs, "emoji": "👍"}});
        assert_eq!(scene.proxy.send(&reaction).await.status, 201);
        assert_eq!(scene.proxy.last_body()["reaction"]["message_id"], json!(inbound));
        let mut quote = message(TO);
        quote["context"] = json!({"message_id": theirs});
        assert_eq!(scene.proxy.send(&quote).await.status, 201);
        assert_eq!(scene.proxy.last_body()["context"]["message_id"], json!(inbound));
    }
}
