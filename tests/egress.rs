//! Where links may lead: the acceptance list for requests to places that a client must not reach.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Uri;
use prembridge::net::egress::{
    Allow, Denial, Guard, Network, Ports, Resolve, Resolving, Rules, SystemResolver,
};
use prembridge::net::{ConnectError, Connector, Deadlines, client_config};
use tower_service::Service;

use crate::support::needs::not_run;

#[path = "egress/addresses.rs"]
mod addresses;
#[path = "egress/configured.rs"]
mod configured;
#[path = "egress/forms.rs"]
mod forms;
#[path = "egress/links.rs"]
mod links;
#[path = "egress/names.rs"]
mod names;
#[path = "egress/own.rs"]
mod own;

/// Counts the connections that it was sent. The system takes them before `connect` returns, so that none is
/// missed and nothing has to be waited for.
pub struct Door(TcpListener);

impl Door {
    pub fn at(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind(address.into())?;
        listener.set_nonblocking(true)?;
        Ok(Self(listener))
    }

    /// At `ip` and any port.
    pub fn on(ip: &str) -> Self {
        Self::at((ip.parse::<IpAddr>().unwrap(), 0)).unwrap()
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// How many came since the last count; they are hung up on.
    pub fn count(&self) -> usize {
        std::iter::from_fn(|| match self.0.accept() {
            Ok(_) => Some(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        })
        .count()
    }
}

/// Whether this machine has IPv6; says so when not.
pub fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        not_run("this machine has no IPv6 loopback");
    }
    has
}

/// Gives the answers of a script, the last one for ever.
pub struct Script {
    answers: Mutex<VecDeque<Vec<SocketAddr>>>,
    calls: AtomicUsize,
}

impl Script {
    pub fn new<const COUNT: usize>(answers: [&[SocketAddr]; COUNT]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect());
        Arc::new(Self { answers, calls: AtomicUsize::new(0) })
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        Box::pin(async move { Ok(answer.unwrap()) })
    }
}

/// Permits these networks and hosts, and the usual ports.
pub fn rules<const COUNT: usize>(allow: [&str; COUNT]) -> Rules {
    let allow = allow.map(|entry| match entry.split_once('/') {
        Some((first, prefix)) => {
            Allow::Network(Network::new(first.parse().unwrap(), prefix.parse().unwrap()))
        }
        None => Allow::Host(entry.to_owned()),
    });
    Rules { allow: allow.into(), ports: Ports::Only(vec![80, 443, 8080, 8443]), encrypted: false }
}

pub fn by_system(rules: Rules) -> Guard {
    Guard::new(rules, Vec::new(), Arc::new(SystemResolver::default()))
}

pub fn connector(guard: &Arc<Guard>) -> Connector {
    let deadlines = Deadlines { connect: Duration::from_secs(10), tls: Duration::from_secs(10) };
    Connector::guarded(client_config(None).unwrap(), deadlines, Arc::clone(guard))
}

/// Opens the connection that a request for `url` needs.
pub async fn connect(guard: &Arc<Guard>, url: &str) -> Result<(), ConnectError> {
    let uri: Uri = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
    connector(guard).call(uri).await.map(drop)
}

/// Why the guard lets none of these addresses through.
#[track_caller]
pub fn reason<T: std::fmt::Debug>(result: Result<T, ConnectError>) -> Denial {
    match result {
        Err(ConnectError::Denied { reason, .. }) => reason,
        other => panic!("not denied: {other:?}"),
    }
}
