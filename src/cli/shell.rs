//! `prembridge completions` and `prembridge man`: what shells and `man` want to know of the command line.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::output::{counted, line};
use super::{Cli, failed};
use crate::config::in_words;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge completions bash > /etc/bash_completion.d/prembridge
  prembridge completions zsh > ~/.zfunc/_prembridge
  prembridge completions fish > ~/.config/fish/completions/prembridge.fish")]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  prembridge man /usr/local/share/man/man1
  prembridge man . && man ./prembridge-serve.1")]
pub struct ManArgs {
    /// The folder that the pages are written to; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions.
pub fn completions(args: &CompletionsArgs) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "prembridge", &mut script);
    line(String::from_utf8_lossy(&script).trim_end());
    ExitCode::SUCCESS
}

/// Writes the pages.
pub fn man(args: &ManArgs) -> ExitCode {
    match write(&args.folder) {
        Ok(count) => {
            line(format_args!("{}: {}", args.folder.display(), counted(count, "page")));
            ExitCode::SUCCESS
        }
        Err(error) => failed(format_args!("{}: {}", args.folder.display(), in_words(&error))),
    }
}

fn write(folder: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(folder)?;
    let mut root = Cli::command();
    root.build();
    // `help` is no page of its own.
    let commands = root.get_subcommands().filter(|command| command.get_name() != "help");
    let mut count = 0;
    for command in std::iter::once(&root).chain(commands) {
        clap_mangen::Man::new(command.clone()).generate_to(folder)?;
        count += 1;
    }
    Ok(count)
}
