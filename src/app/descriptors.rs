//! Open files: for how many connections there is room.
//!
//! Clients that take all of them leave none for the call to Cloud that a message needs, for the store, or for the
//! operator who wants to know what is wrong.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::callbacks;
use crate::config::{Config, Warning};

/// What is neither a client's connection nor caused by one: the admin listener's connections, the store, the log, files
/// on their way. Half of very few.
const OWN: usize = 128;

/// Connections that listeners may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) api: usize,
    pub(super) webhook: usize,
    pub(super) admin: usize,
}

/// Raises the limit of open files as far as this process may.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        // Where the system has a lower limit of its own, the present one stays, and is what counts.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

/// What to tell the operator if there is not room for all connections that `config` allows.
pub fn too_few_open_files(config: &Config) -> Option<Warning> {
    let (limit, wanted) = (limit(), config.limits.max_connections);
    let Room { api, .. } = room(limit, has_webhook_listener(config));
    (api < wanted).then(|| Warning {
        path: "limits.max_connections".to_owned(),
        message: format!(
            "{wanted} is more than the limit of open files ({limit}) has room for; {api} will be taken at once, so \
             raise that limit (`ulimit -Hn`, LimitNOFILE=), or lower max_connections"
        ),
    })
}

/// The connections for which there is room.
pub(super) fn connections(config: &Config) -> Room {
    room(limit(), has_webhook_listener(config))
}

fn limit() -> usize {
    getrlimit(Resource::Nofile).current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

fn has_webhook_listener(config: &Config) -> bool {
    callbacks::takes_webhooks(config) && !callbacks::is_on_api(config)
}

/// A quarter is left for calls to Cloud and for callbacks, and Cloud itself needs few connections.
fn room(limit: usize, has_webhook_listener: bool) -> Room {
    let own = OWN.min(limit / 2);
    let eighth = (limit - own) / 8;
    let api = if has_webhook_listener { 5 * eighth } else { 6 * eighth };
    Room { api: api.max(1), webhook: eighth.max(1), admin: (own / 2).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_always_left() {
        for (limit, has_webhook_listener, api, webhook, admin) in [
            (64, false, 24, 4, 16),
            (1024, false, 672, 112, 64),
            (1024, true, 560, 112, 64),
            (20_000, true, 12_420, 2_484, 64),
            (0, true, 1, 1, 1),
        ] {
            assert_eq!(room(limit, has_webhook_listener), Room { api, webhook, admin }, "{limit}");
        }
        assert!(room(usize::MAX, true).api > 1_000_000, "no limit");
    }
}
