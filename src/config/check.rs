//! What every section needs: take a raw value, check it, fall back to the default when it is absent.
//!
//! A bad value is reported and replaced by the default too, so that checking goes on and all
//! problems are found. The configuration built from such values is thrown away.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::env::Env;
use super::raw;
use super::report::Report;
use super::secret::{self, Secret};
use super::values;
use super::words::in_words;

/// The words that a key accepts, and what they mean.
pub(super) type Words<T> = [(&'static str, T)];

/// The environment that secrets come from and the report that problems go to.
pub(super) struct Check<'a> {
    pub(super) env: &'a Env,
    pub(super) report: &'a mut Report,
}

impl Check<'_> {
    /// `raw` as read by `parse`, or `default`.
    pub(super) fn parsed<R, T>(
        &mut self,
        path: &str,
        raw: Option<R>,
        default: T,
        parse: impl FnOnce(R) -> Result<T, String>,
    ) -> T {
        match raw.map(parse) {
            Some(Ok(value)) => value,
            Some(Err(message)) => {
                self.report.problem(path, message);
                default
            }
            None => default,
        }
    }

    /// One of `words`.
    pub(super) fn word<T: Copy>(
        &mut self,
        path: &str,
        raw: Option<String>,
        default: T,
        words: &Words<T>,
    ) -> T {
        self.parsed(path, raw, default, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
                format!("{text:?} is not known; use {}", words.join(" or "))
            })
        })
    }

    /// A duration that may be zero.
    pub(super) fn duration(&mut self, path: &str, raw: Option<String>, default: Duration) -> Duration {
        self.parsed(path, raw, default, |text| values::duration(&text))
    }

    /// A duration after which something is given up; zero would give it up before it began.
    pub(super) fn timeout(&mut self, path: &str, raw: Option<String>, default: Duration) -> Duration {
        self.parsed(path, raw, default, |text| match values::duration(&text)? {
            Duration::ZERO => Err("must be longer than 0; write such as \"30s\"".to_owned()),
            duration => Ok(duration),
        })
    }

    /// How many of something.
    pub(super) fn count(
        &mut self,
        path: &str,
        raw: Option<i64>,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        self.parsed(path, raw, default, |count| {
            let fits = usize::try_from(count).ok().filter(|count| range.contains(count));
            fits.ok_or_else(|| out_of_range(count, range.start(), range.end()))
        })
    }

    /// A port that can be dialled.
    pub(super) fn port(&mut self, path: &str, raw: i64) -> u16 {
        self.parsed(path, Some(raw), 0, |port| match u16::try_from(port) {
            Ok(port @ 1..) => Ok(port),
            Ok(0) | Err(_) => Err(out_of_range(port, 1, u16::MAX)),
        })
    }

    /// A size in bytes of at least `min`.
    pub(super) fn size(&mut self, path: &str, raw: Option<raw::Size>, default: usize, min: usize) -> usize {
        self.parsed(path, raw, default, |raw::Size(text)| match values::size(&text)? {
            size if size < min => Err(format!("{text:?} is too small; the smallest is {min} bytes")),
            size => Ok(size),
        })
    }

    /// A file that has to be there, and what `read` makes of it.
    pub(super) fn file<T>(
        &mut self,
        path: &str,
        raw: Option<String>,
        read: impl FnOnce(&Path) -> Result<T, String>,
    ) -> Option<(PathBuf, T)> {
        self.parsed(path, raw, None, |text| {
            let file = PathBuf::from(&text);
            let found = std::fs::metadata(&file)
                .map_err(|error| format!("cannot use the file {text:?}: {}", in_words(&error)))?;
            if !found.is_file() {
                return Err(format!("{text:?} is not a file"));
            }
            let content = read(&file)?;
            Ok(Some((file, content)))
        })
    }

    /// A secret that `rule` accepts; the rule's error must not quote it.
    pub(super) fn secret(
        &mut self,
        path: &str,
        raw: Option<raw::Secret>,
        rule: fn(&str) -> Result<(), String>,
    ) -> Option<Secret> {
        let raw = raw?;
        if matches!(raw, raw::Secret::Literal(_)) {
            self.report.warn(
                path,
                "the secret itself is in this file; { env = \"NAME\" } or { file = \"PATH\" } keeps it out of backups and version control",
            );
        }
        let env = self.env;
        self.parsed(path, Some(raw), None, |raw| {
            let secret = secret::resolve(raw, env)?;
            rule(secret.expose())?;
            Ok(Some(secret))
        })
    }

    /// A secret without which the table it belongs to has no meaning.
    pub(super) fn required_secret(
        &mut self,
        path: &str,
        raw: Option<raw::Secret>,
        rule: fn(&str) -> Result<(), String>,
    ) -> Secret {
        if raw.is_none() {
            self.report.problem(path, "is missing; add it as { env = \"NAME\" } or { file = \"PATH\" }");
        }
        self.secret(path, raw, rule).unwrap_or_else(|| Secret::new(""))
    }

    /// Text without which the table it belongs to has no meaning.
    pub(super) fn required(
        &mut self,
        path: &str,
        raw: Option<String>,
        parse: impl FnOnce(&str) -> Result<(), String>,
    ) -> String {
        let Some(text) = raw else {
            self.report.problem(path, "is missing; add it");
            return String::new();
        };
        if let Err(message) = parse(&text) {
            self.report.problem(path, message);
        }
        text
    }

    /// Host names as they are compared.
    pub(super) fn hosts(&mut self, path: &str, raw: Option<Vec<String>>) -> Vec<String> {
        let hosts = raw.unwrap_or_default().into_iter().enumerate().map(|(i, text)| {
            self.parsed(&format!("{path}[{i}]"), Some(text), String::new(), |text| {
                values::host_key(&text).ok_or_else(|| format!("{text:?} is not a host name"))
            })
        });
        hosts.collect()
    }
}

/// Accepts any secret.
pub(super) fn any_secret(_: &str) -> Result<(), String> {
    Ok(())
}

/// Accepts what can be sent in a header.
pub(super) fn header_secret(text: &str) -> Result<(), String> {
    if values::is_visible_ascii(text) {
        return Ok(());
    }
    Err("has characters that cannot be sent in an HTTP header; look for spaces, line ends and quotes around it".to_owned())
}

fn out_of_range(found: impl Display, min: impl Display, max: impl Display) -> String {
    format!("{found} is out of range; use {min} to {max}")
}
