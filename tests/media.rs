//! Files: links fetched, uploaded and remembered; uploads kept. The numbers of cases are those of the acceptance
//! list, for both profiles of `media.cache_profile`.
//!
//! `counts(G, C, U, S)`: unconditional and conditional GETs at the provider, uploads to Cloud, sends to Cloud.

mod budget;
mod credentials;
mod crowds;
mod dead;
mod doubts;
mod downloads;
mod entries;
mod failures;
mod hits;
mod kinds;
mod links;
mod margins;
mod prefetch;
mod process;
mod redirects;
mod rows;
mod scene;
mod slow;
mod stale;
mod uploads;
