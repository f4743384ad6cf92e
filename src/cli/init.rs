//! `prembridge init`: writes a configuration with comments, from flags or, on a terminal, from answers.

use std::fs::OpenOptions;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use toml::Value;

use super::output::{complain, error, line, style};
use super::{USAGE, failed};
use crate::config::in_words;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
On a terminal it asks for what the flags leave open. It writes no secrets: they stay in variables.

Examples:
  prembridge init
  prembridge init --phone-number-id 106540352242922 --callback-url https://app.internal/callback
  prembridge init --phone-number-id 106540352242922 - | prembridge check -c -")]
pub struct Args {
    /// Where to write, or - for standard output
    #[arg(value_name = "FILE", default_value = "prembridge.toml")]
    file: PathBuf,
    /// The id of the number at Meta (not the number itself)
    #[arg(long, value_name = "DIGITS", value_parser = phone_number_id)]
    phone_number_id: Option<String>,
    /// What you call the number; also the beginning of its variables
    #[arg(long, value_name = "NAME", value_parser = name)]
    name: Option<String>,
    /// Where your program takes callbacks, unless it sets webhooks.url itself
    #[arg(long, value_name = "URL", value_parser = callback_url)]
    callback_url: Option<String>,
    /// A Host name by which your programs call this number; may be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Serves TLS with a certificate of its own, as the on-prem client did
    #[arg(long)]
    self_signed: bool,
    /// Replaces the file if it is there
    #[arg(long)]
    force: bool,
}

/// What the configuration says.
struct Answers {
    phone_number_id: String,
    name: String,
    callback_url: Option<String>,
    hosts: Vec<String>,
    is_self_signed: bool,
}

/// Runs it.
pub fn run(args: &Args) -> ExitCode {
    let is_printed = args.file == Path::new("-");
    if !is_printed && !args.force && args.file.exists() {
        return failed(format_args!("{} is there already; --force replaces it", args.file.display()));
    }
    let answers = match answers(args) {
        Ok(answers) => answers,
        Err(reason) => {
            error(reason);
            return ExitCode::from(USAGE);
        }
    };
    let text = answers.configuration();
    if is_printed {
        line(text.trim_end());
        return ExitCode::SUCCESS;
    }
    if let Err(error) = write(&args.file, &text, args.force) {
        return failed(format_args!("{}: {}", args.file.display(), in_words(&error)));
    }
    answers.say_what_next(&args.file);
    ExitCode::SUCCESS
}

/// Never over a file that somebody else has made in the meantime.
fn write(path: &Path, text: &str, is_forced: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).truncate(is_forced).create(is_forced).create_new(!is_forced);
    options.open(path)?.write_all(text.as_bytes())
}

/// The flags, and answers for what they leave open if there is somebody to ask.
fn answers(args: &Args) -> Result<Answers, String> {
    let is_asked = std::io::stdin().is_terminal() && args.phone_number_id.is_none();
    let phone_number_id = match &args.phone_number_id {
        Some(id) => id.clone(),
        None if is_asked => ask("Phone number id, as Meta shows it under API setup", None, phone_number_id)?,
        None => return Err("which number? Give --phone-number-id with the id that Meta shows".to_owned()),
    };
    let default = "support";
    let name = match &args.name {
        Some(name) => name.clone(),
        None if is_asked => ask("What you call it", Some(default), name)?,
        None => default.to_owned(),
    };
    let callback_url = match &args.callback_url {
        Some(url) => Some(url.clone()),
        None if is_asked => {
            let question = "Where your program takes callbacks (empty if it sets webhooks.url itself)";
            Some(ask(question, Some(""), |text| {
                if text.is_empty() { Ok(String::new()) } else { callback_url(text) }
            })?)
        }
        None => None,
    };
    Ok(Answers {
        phone_number_id,
        name,
        callback_url: callback_url.filter(|url| !url.is_empty()),
        hosts: args.hosts.clone(),
        is_self_signed: args.self_signed,
    })
}

/// Asks until the answer can be used.
fn ask(
    question: &str,
    default: Option<&str>,
    check: impl Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    let shown = default.filter(|text| !text.is_empty()).map(|text| format!(" [{text}]"));
    loop {
        complain(format_args!("{}{}:", style::title(question), shown.as_deref().unwrap_or_default()));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer).map_err(|error| in_words(&error))?;
        if read == 0 {
            return Err("no answer; nothing was written".to_owned());
        }
        let answer = match (answer.trim(), default) {
            ("", Some(default)) => default,
            (answer, _) => answer,
        };
        match check(answer) {
            Ok(answer) => return Ok(answer),
            Err(reason) => complain(format_args!("  {reason}")),
        }
    }
}

fn phone_number_id(text: &str) -> Result<String, String> {
    let is_id = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("give the id in digits, such as 106540352242922".to_owned()) }
}

fn name(text: &str) -> Result<String, String> {
    let is_name = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= 40
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("give a short name of letters, digits, - and _, such as support".to_owned())
    }
}

fn callback_url(text: &str) -> Result<String, String> {
    let is_url = url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_url {
        Ok(text.to_owned())
    } else {
        Err("give a URL such as https://app.internal/callback".to_owned())
    }
}

impl Answers {
    /// What the number's variables begin with.
    fn prefix(&self) -> String {
        self.name.to_ascii_uppercase().replace('-', "_")
    }

    fn configuration(&self) -> String {
        let prefix = self.prefix();
        let quoted = |text: &str| Value::from(text).to_string();
        let callback = match &self.callback_url {
            Some(url) => format!("callback_url    = {}\n", quoted(url)),
            None => "#callback_url   = \"https://app.internal/callback\"\n".to_owned(),
        };
        let hosts = match self.hosts.as_slice() {
            [] => format!("#hosts          = [\"{}.wa.internal\"]\n", self.name),
            hosts => format!("hosts           = {}\n", Value::from(hosts.to_vec())),
        };
        format!(
            r#"# Written by `prembridge init`; config.example.toml documents every key. Secrets are read from variables of the
# environment. `prembridge check FILE` reports every problem at once.

[listen]
api     = "127.0.0.1:9090"   # for your programs; 0.0.0.0:9090 if they run on other machines
admin   = "127.0.0.1:9091"   # /livez, /readyz and /metrics: keep it private
webhook = "127.0.0.1:9092"   # Meta's webhooks, behind your public TLS, at /webhooks/cloud
tls     = "{tls}"

[store]
url = "sqlite:prembridge.db"

[auth]
# The password of the user "admin", who makes the other users.
admin_password = {{ env = "PREMBRIDGE_ADMIN_PASSWORD" }}

[[number]]
name            = "{name}"
phone_number_id = "{id}"
# The token of a system user with whatsapp_business_messaging and whatsapp_business_management.
access_token    = {{ env = "{prefix}_TOKEN" }}
# Of the Meta app, under "App settings > Basic": Meta signs webhooks with it.
app_secret      = {{ env = "{prefix}_APP_SECRET" }}
# A word of your own, which you enter beside the URL of the webhook.
verify_token    = {{ env = "{prefix}_VERIFY_TOKEN" }}
# Where your program takes callbacks, unless it sets webhooks.url itself, as it did on-prem.
{callback}# The Host names that select this number; needed when there are several.
{hosts}"#,
            tls = if self.is_self_signed { "self-signed" } else { "off" },
            name = self.name,
            id = self.phone_number_id,
        )
    }

    fn say_what_next(&self, path: &Path) {
        let (prefix, path) = (self.prefix(), path.display());
        line(format_args!("wrote {path}"));
        line(style::title("\nNext: set these variables"));
        line("  PREMBRIDGE_ADMIN_PASSWORD   8 to 64 characters: A-Z, a-z, 0-9 and a special one");
        for (suffix, what) in [
            ("_TOKEN", "the access token from Meta"),
            ("_APP_SECRET", "the app's secret"),
            ("_VERIFY_TOKEN", "a word of your own"),
        ] {
            line(format_args!("  {:<27} {what}", format!("{prefix}{suffix}")));
        }
        line(style::title("Then"));
        line(format_args!("  prembridge check {path} --live   asks Graph whether the token works"));
        line(format_args!("  prembridge serve {path}"));
    }
}
