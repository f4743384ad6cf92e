//! How much of the story is printed, and as what.

use serde::Serialize;

use super::scene::Scene;
use super::{Args, Stage, digest};
use crate::app::Addresses;
use crate::cli::output::{line, style};

/// The scene that the digest shows in full: the hsm.
const EXAMPLE: usize = 3;

/// Prints the scenes as they end.
pub struct Teller {
    view: View,
    scenes: Vec<Scene>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// A line for each exchange.
    Digest,
    /// All of it.
    Full,
    /// One scene.
    Step(u8),
    /// One JSON object, at the end.
    Json,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Told<'a> {
    scenes: &'a [Scene],
    accepted: u64,
    callbacks: usize,
}

impl Teller {
    /// As the command line asks for it.
    pub fn new(args: &Args) -> Self {
        let view = match args.step {
            _ if args.json => View::Json,
            _ if args.full => View::Full,
            Some(number) => View::Step(number),
            None => View::Digest,
        };
        Self { view, scenes: Vec::new() }
    }

    /// Says who is there.
    pub fn begin(&self, stage: &Stage, addresses: Addresses) {
        match self.view {
            View::Digest => {
                line("An app written for the On-Premises API sends and receives through prembridge,");
                line("which talks to a mock Cloud API. Everything runs on this machine.\n");
                digest::head();
            }
            View::Full => {
                line(format_args!("mock Cloud API  {}", stage.mock.base_url()));
                line(format_args!("media provider  {}", stage.provider.url()));
                line(format_args!("app's webhook   {}", stage.sink.url()));
                line(format_args!("proxy           http://{}", addresses.api));
                line(format_args!("Cloud's webhook {}\n", stage.webhook));
            }
            View::Step(_) | View::Json => {}
        }
    }

    /// Prints a scene that has ended; one that did not meet its expectations in full, so that one sees why.
    pub fn told<T>(&mut self, scene: Scene, outcome: Result<T, String>) -> Result<(), String> {
        match self.view {
            View::Json => {}
            View::Digest if outcome.is_ok() => digest::rows(&scene),
            View::Step(number) if outcome.is_ok() && usize::from(number) != scene.number => {}
            View::Digest | View::Full | View::Step(_) => scene.print(),
        }
        self.scenes.push(scene);
        outcome.map(|_| ())
    }

    /// Says how it ended, and what to do next.
    pub fn end(&self, accepted: u64, callbacks: usize) -> Result<(), String> {
        match self.view {
            View::Json => {
                let told = Told { scenes: &self.scenes, accepted, callbacks };
                line(serde_json::to_string(&told).map_err(|error| error.to_string())?);
                return Ok(());
            }
            View::Step(_) => return Ok(()),
            View::Full => {}
            View::Digest => {
                line("");
                self.scenes.iter().filter(|scene| scene.number == EXAMPLE).for_each(digest::example);
                line("");
            }
        }
        let end = format!(
            "Cloud accepted {accepted} messages, the app took {callbacks} callbacks; all as expected."
        );
        line(style::good(end));
        if self.view == View::Digest {
            line(style::title("\nNext"));
            line("  prembridge demo --step 9   one exchange in full; --full shows all of them");
            line("  prembridge demo --keep     stays up for your own requests");
            line("  prembridge init            writes a configuration for your number");
        }
        Ok(())
    }
}
