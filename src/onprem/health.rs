//! The body of `/v1/health`.

use serde::{Serialize, Serializer};

use super::error::Meta;

/// What clients are told of the way to WhatsApp ("Health").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayStatus {
    /// It is open.
    Connected,
    /// It was open, or may be soon.
    Connecting,
    /// It is not open, or the number's token is not good.
    Disconnected,
    /// Nobody has tried it.
    Uninitialized,
    /// WhatsApp does not know the number.
    Unregistered,
}

impl GatewayStatus {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Disconnected => "disconnected",
            Self::Uninitialized => "uninitialized",
            Self::Unregistered => "unregistered",
        }
    }
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct HealthReply<'a> {
    /// `health`
    pub health: Health<'a>,
    /// `meta`
    pub meta: Meta<'a>,
}

/// One of its two forms.
#[derive(Debug)]
pub enum Health<'a> {
    /// Of an installation that is one node.
    Single(GatewayStatus),
    /// Of one that could be several (multiconnect): the only node is the primary one.
    Multi {
        /// Host and container, with a colon between them.
        node: &'a str,
        /// Its status.
        status: GatewayStatus,
    },
}

impl Serialize for Health<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Node {
            gateway_status: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            role: Option<&'static str>,
        }
        match self {
            Self::Single(status) => Node { gateway_status: status.name(), role: None }.serialize(serializer),
            Self::Multi { node, status } => {
                let inner = Node { gateway_status: status.name(), role: Some("primary_master") };
                serializer.collect_map([(node, inner)])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_samples_of_the_documentation() {
        let json = |health| serde_json::to_value(HealthReply { health, meta: Meta::stable("v1") }).unwrap();
        let meta = json!({"api_status": "stable", "version": "v1"});
        assert_eq!(
            json(Health::Single(GatewayStatus::Connected)),
            json!({"health": {"gateway_status": "connected"}, "meta": meta})
        );
        let multi = Health::Multi { node: "host1:container1", status: GatewayStatus::Disconnected };
        let node = json!({"gateway_status": "disconnected", "role": "primary_master"});
        assert_eq!(json(multi), json!({"health": {"host1:container1": node}, "meta": meta}));
    }
}
