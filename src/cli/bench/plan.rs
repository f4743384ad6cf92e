//! From the command line to what is done.

use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use super::children::Children;
use super::process::Process;
use super::request::Template;
use super::run::Site;
use super::schedule::Rate;
use super::target::Target;
use super::{Args, Error};
use crate::cli::output::warn;

/// How long an answer may take; the proxy itself gives up on Cloud after as much.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Where the token is unless somebody says otherwise. Not on the command line, which others on the machine can read.
const TOKEN: &str = "PREMBRIDGE_BENCH_TOKEN";

/// Rates that the documents quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// 70/s: the on-prem client on a single shard
    SingleShard,
    /// 250/s: the on-prem client on 32 shards
    MultiShard,
    /// 350/s: the best load test published for it
    LoadTest,
    /// 1,000/s: a Cloud number after its upgrade
    CloudMax,
    /// As many as possible, each connection sending its next message when the last is answered
    Max,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Self::SingleShard => "single-shard",
            Self::MultiShard => "multi-shard",
            Self::LoadTest => "load-test",
            Self::CloudMax => "cloud-max",
            Self::Max => "max",
        }
    }

    fn rate(self) -> Option<Rate> {
        match self {
            Self::SingleShard => Some(Rate::new(70)),
            Self::MultiShard => Some(Rate::new(250)),
            Self::LoadTest => Some(Rate::new(350)),
            Self::CloudMax => Some(Rate::new(1000)),
            Self::Max => None,
        }
    }
}

/// What is done.
pub struct Plan {
    /// The name of the profile; none for a rate of one's own.
    pub profile: Option<&'static str>,
    /// Messages per second; none for as many as possible.
    pub rate: Option<Rate>,
    /// Where messages go, and what they are.
    pub site: Arc<Site>,
    /// Who is looked at.
    pub processes: Vec<Process>,
    /// What was started, and ends with this.
    _children: Option<Children>,
}

impl Plan {
    /// Checks the command line and starts what it takes.
    pub fn new(args: &Args) -> Result<Self, Error> {
        let (profile, rate) = match args.rate {
            Some(rate) => (None, Some(rate)),
            None => (Some(args.profile.name()), args.profile.rate()),
        };
        if args.duration.is_zero() {
            return Err(Error::Usage("--duration: nothing can be counted in no time".to_owned()));
        }
        check_recipients(&args.recipients).map_err(Error::Usage)?;
        let others = args.pids.iter().map(|pid| {
            let missing = || Error::Usage(format!("--pid {pid}: there is no such process, or no /proc"));
            Process::find(*pid).ok_or_else(missing)
        });
        let others: Vec<_> = others.collect::<Result<_, _>>()?;
        let (target, token, children) = match &args.url {
            Some(url) => {
                let target = Target::find(url, args.ca_file.as_deref()).map_err(Error::Usage)?;
                check_reach(&target, &args.recipients, args.made_up).map_err(Error::Usage)?;
                (target, token(args.token_env.as_deref()).map_err(Error::Usage)?, None)
            }
            None => {
                let children = Children::start(args.pacing).map_err(Error::Failed)?;
                let target = Target::find(&children.url, None).map_err(Error::Failed)?;
                (target, Some(children.key.clone()), Some(children))
            }
        };
        let mut processes: Vec<_> = children.iter().flat_map(Children::processes).collect();
        processes.extend(others);
        processes.push(Process { name: "bench".to_owned(), pid: std::process::id() });
        let host = args.host.as_deref().unwrap_or(&target.host);
        let template = Template::new(host, &target.path, token.as_deref(), &args.recipients);
        let site = Arc::new(Site { target, template, timeout: TIMEOUT });
        Ok(Self { profile, rate, site, processes, _children: children })
    }
}

/// E.164 ends at fifteen digits.
fn check_recipients(recipients: &[String]) -> Result<(), String> {
    let is_number =
        |to: &String| (5..=15).contains(&to.len()) && to.bytes().all(|byte| byte.is_ascii_digit());
    match recipients.iter().find(|to| !is_number(to)) {
        Some(to) => Err(format!("--to {to}: give a phone number as 5 to 15 digits with its country code")),
        None => Ok(()),
    }
}

/// Nobody is messaged by accident: a proxy on this machine may lead to the real Cloud, too.
fn check_reach(target: &Target, recipients: &[String], made_up: bool) -> Result<(), String> {
    let url = &target.url;
    match (recipients.is_empty(), target.is_here()) {
        (false, _) => Ok(()),
        (true, true) if made_up => Ok(()),
        (true, true) => Err(format!(
            "{url} may lead to the real Cloud, where its messages reach people: name who shall get them with --to \
             DIGITS, once for each, or have them sent to numbers of fiction with --made-up"
        )),
        (true, false) => Err(format!(
            "{url} is not on this machine, so its messages may reach people: name who shall get them with --to DIGITS, \
             once for each; --made-up is only for a URL on this machine"
        )),
    }
}

/// The token in the variable that was named, or else in the usual one, which may be unset.
fn token(named: Option<&str>) -> Result<Option<String>, String> {
    let name = named.unwrap_or(TOKEN);
    match std::env::var(name) {
        Ok(token) if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) => Err(format!(
            "{name} does not hold a token: it is empty, or has characters that no header can hold"
        )),
        Ok(token) => Ok(Some(token)),
        Err(_) if named.is_some() => Err(format!("{name} is not set; it should hold the token for --url")),
        Err(_) => {
            warn(format_args!("{name} is not set, so messages are sent without a token"));
            Ok(None)
        }
    }
}
