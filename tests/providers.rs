//! Media providers over the API and from the configuration.

mod registry;
