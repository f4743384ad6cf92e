//! `/v1/health` and `/v1/support`: HTTP 200 whatever they tell, as monitors of the on-prem client expect.

use std::env::consts::{ARCH, OS};

use http::StatusCode;

use super::Call;
use crate::onprem::health::{GatewayStatus, Health, HealthReply};
use crate::onprem::support::{Support, SupportReply};
use crate::server::respond::{self, Reply};
use crate::telemetry::UpstreamLabels;
use crate::upstream::Standing;

/// `GET /v1/health`
pub(super) async fn show(call: &Call<'_>) -> Reply {
    let (state, number) = (call.state, call.number);
    if let Some(outcome) = number.health.refresh(&state.relay.upstream, &number.node).await {
        state.metrics.requests.called(UpstreamLabels { op: "health", outcome });
    }
    let status = gateway_status(number.health.standing());
    let node = format!("{}:prembridge", state.installation.host);
    let health = if number.compat.health_by_node {
        Health::Multi { node: &node, status }
    } else {
        Health::Single(status)
    };
    respond::json(StatusCode::OK, &HealthReply { health, meta: call.meta() })
}

fn gateway_status(standing: Standing) -> GatewayStatus {
    match standing {
        Standing::Unknown => GatewayStatus::Uninitialized,
        Standing::Good => GatewayStatus::Connected,
        Standing::Failing => GatewayStatus::Connecting,
        Standing::Lost | Standing::Refused => GatewayStatus::Disconnected,
        Standing::Unregistered => GatewayStatus::Unregistered,
    }
}

/// `GET /v1/support`: nothing that Cloud would have to be asked for, no path and no secret.
pub(super) fn support(call: &Call<'_>) -> Reply {
    let state = call.state;
    let now = jiff::Timestamp::from_second(state.clock.now()).unwrap_or_default().to_string();
    let support = Support {
        context: "healthcheck",
        db_engine: state.installation.db_engine,
        db_info: [],
        debug_info: &call.number.phone_number_id,
        description: concat!("prembridge ", env!("CARGO_PKG_VERSION")),
        device_iso8601: &now,
        env: [],
        lc: "ZZ",
        lg: "ZZ",
        multi_connect: call.number.compat.health_by_node,
        os_name: &format!("{OS}-{ARCH}"),
        os_version: &state.installation.os_version,
    };
    respond::json(StatusCode::OK, &SupportReply { support, meta: call.meta() })
}
