//! The configuration file that `check` and `serve` read.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::output::{complain, counted, error, warn};
use super::{BAD_CONFIG, USAGE};
use crate::app;
use crate::config::{Config, Env, Loaded, Problem, Problems, in_words};

/// The variable that names the file.
const VARIABLE: &str = "PREMBRIDGE_CONFIG";
/// No configuration has more bytes; what has is something else.
const LARGEST: u64 = 16 << 20;

/// Which file it is.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// The configuration file, or - for standard input
    #[arg(short, long, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,
    /// The same, without -c; PREMBRIDGE_CONFIG where neither is given
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl ConfigFile {
    /// The path; none after it was said that there is none.
    pub fn path(&self) -> Result<PathBuf, u8> {
        let named = self.config.clone().or_else(|| self.file.clone());
        let variable = || std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        named.or_else(variable).ok_or_else(|| {
            error(format_args!(
                "which configuration? Name the file, or set {VARIABLE}; 'prembridge init' writes one"
            ));
            USAGE
        })
    }

    /// Reads it, printing each warning and each problem.
    pub fn load(&self) -> Result<Config, u8> {
        let path = self.path()?;
        match read(&path) {
            Ok(Loaded { config, warnings }) => {
                warnings.iter().for_each(warn);
                Ok(config)
            }
            Err(problems) => {
                problems.0.iter().for_each(error);
                complain(format_args!("{}: {}", path.display(), counted(problems.0.len(), "problem")));
                Err(BAD_CONFIG)
            }
        }
    }
}

/// Reads a configuration file, or standard input, and warns also of what this machine has too little of.
pub fn read(path: &Path) -> Result<Loaded, Problems> {
    let mut loaded = read_only(path)?;
    loaded.warnings.extend(app::too_few_open_files(&loaded.config));
    Ok(loaded)
}

fn read_only(path: &Path) -> Result<Loaded, Problems> {
    if path != Path::new("-") {
        return Config::load(path, &Env::process());
    }
    let mut text = String::new();
    match std::io::stdin().lock().take(LARGEST).read_to_string(&mut text) {
        Ok(_) => Config::parse(&text, &Env::process()),
        Err(error) => {
            let message = format!("standard input: {}", in_words(&error));
            Err(Problems(vec![Problem { path: String::new(), message }]))
        }
    }
}
