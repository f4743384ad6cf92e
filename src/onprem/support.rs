//! The body of `/v1/support`.

use serde::Serialize;

use super::error::Meta;

/// The answer.
#[derive(Debug, Serialize)]
pub struct SupportReply<'a> {
    /// `support`
    pub support: Support<'a>,
    /// `meta`
    pub meta: Meta<'a>,
}

/// Facts about this installation. Of on-prem's, `e2e`, `expire_timestamp`, `schema` and the free space of disks have
/// no counterpart and are left out.
#[derive(Debug, Serialize)]
pub struct Support<'a> {
    /// What the facts are for.
    pub context: &'static str,
    /// The engine of the store, as on-prem wrote them: `SQLITE`, or `MEMORY`.
    pub db_engine: &'static str,
    /// Versions of drivers; none.
    pub db_info: [&'static str; 0],
    /// Which number it is. On-prem had the phone number, which is not known here.
    pub debug_info: &'a str,
    /// Which program it is.
    pub description: &'static str,
    /// The time.
    pub device_iso8601: &'a str,
    /// Variables of the environment, which may hold secrets; none.
    pub env: [&'static str; 0],
    /// The language; `ZZ` is one that nobody knows.
    pub lc: &'static str,
    /// The country; `ZZ` is one that nobody knows.
    pub lg: &'static str,
    /// Whether health is shown in the form of several nodes.
    pub multi_connect: bool,
    /// The operating system and the machine.
    pub os_name: &'a str,
    /// The version of the system.
    pub os_version: &'a str,
}
