//! The numbers, by the Host name that selects them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Number;
use crate::config::{Compat, host_key};

/// All numbers of a configuration.
#[derive(Debug)]
pub struct Registry {
    /// What clients see whose number is not known.
    pub compat: Arc<Compat>,
    only: Option<Arc<Number>>,
    by_host: HashMap<String, Arc<Number>>,
    by_id: HashMap<String, Arc<Number>>,
    all: Vec<Arc<Number>>,
}

impl Registry {
    /// A registry without a number.
    pub fn new(compat: Arc<Compat>) -> Self {
        Self { compat, only: None, by_host: HashMap::new(), by_id: HashMap::new(), all: Vec::new() }
    }

    /// Adds `number`, selected by `hosts` in the form of [`host_key`]. A number that is the only one needs none.
    pub fn insert(&mut self, number: Number, hosts: impl IntoIterator<Item = String>) {
        let number = Arc::new(number);
        self.only = self.all.is_empty().then(|| Arc::clone(&number));
        self.by_host.extend(hosts.into_iter().map(|host| (host, Arc::clone(&number))));
        self.by_id.insert(number.phone_number_id.clone(), Arc::clone(&number));
        self.all.push(number);
    }

    /// The number that the Host field of a request selects.
    pub fn select(&self, host: Option<&str>) -> Option<&Arc<Number>> {
        if let Some(only) = &self.only {
            return Some(only);
        }
        let host = host?;
        self.by_host.get(host).or_else(|| self.by_host.get(&host_key(host)?))
    }

    /// The number with this Cloud id.
    pub fn by_id(&self, phone_number_id: &str) -> Option<&Arc<Number>> {
        self.by_id.get(phone_number_id)
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Number>] {
        &self.all
    }
}
