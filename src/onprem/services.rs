//! Bodies of `/v1/services`.

use serde::Serialize;

use super::error::Meta;

/// The answer of `PUT /v1/services/message/gc`.
#[derive(Debug, Serialize)]
pub struct GcReply<'a> {
    services: Services<Status>,
    meta: Meta<'a>,
}

impl<'a> GcReply<'a> {
    /// It has begun.
    pub fn begun(meta: Meta<'a>) -> Self {
        Self { services: Services::of(Status { status: "processing" }), meta }
    }
}

/// The callback at its end: nothing was deleted, since nothing is kept.
pub fn gc_callback() -> Vec<u8> {
    #[derive(Serialize)]
    struct Callback {
        services: [Services<Done>; 1],
    }
    let done = Services::of(Done { messages_deleted: 0, status: "complete" });
    serde_json::to_vec(&Callback { services: [done] }).unwrap_or_default()
}

#[derive(Debug, Serialize)]
struct Services<T> {
    message: Message<T>,
}

#[derive(Debug, Serialize)]
struct Message<T> {
    gc: T,
}

#[derive(Debug, Serialize)]
struct Status {
    status: &'static str,
}

#[derive(Debug, Serialize)]
struct Done {
    messages_deleted: u64,
    status: &'static str,
}

impl<T> Services<T> {
    fn of(gc: T) -> Self {
        Self { message: Message { gc } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_samples_of_the_documentation() {
        let reply = serde_json::to_value(GcReply::begun(Meta::stable("v1"))).unwrap();
        assert_eq!(reply["services"], json!({"message": {"gc": {"status": "processing"}}}));
        assert_eq!(
            serde_json::from_slice::<Value>(&gc_callback()).unwrap(),
            json!({"services": [{"message": {"gc": {"messages_deleted": 0, "status": "complete"}}}]})
        );
    }
}
