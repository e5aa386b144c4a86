//! The layers of the configuration, and where each value comes from.
//!
//! A key is known if `default.toml` has it, and has the type it has there; anything else is an error that names the
//! key and the place. Nothing here knows what a key means.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, DEFAULTS};

/// How variables of the environment begin that are settings. One without `__` behind it is something else.
const PREFIX: &str = "NAAP_";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `default.toml`.
    Default,
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{} is no TOML: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A key that does not exist.
    #[error("{key}, set by {origin}, is no setting; {known}")]
    Unknown {
        /// The key.
        key: String,
        /// Where it stands.
        origin: Origin,
        /// What there is instead.
        known: String,
    },
    /// A value that does not fit its key.
    #[error("{key} = {value}, set by {origin}, cannot be used: {why}")]
    Unusable {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// Where it stands.
        origin: Origin,
        /// Why.
        why: String,
    },
    /// Values that do not go together.
    #[error("the configuration cannot be used: {0}")]
    Contradictory(String),
}

/// A flag's value for a key.
#[derive(Debug, Clone)]
pub struct Flag {
    name: &'static str,
    section: &'static str,
    key: &'static str,
    value: Value,
}

impl Flag {
    /// A flag that sets a text.
    pub fn text(
        name: &'static str,
        section: &'static str,
        key: &'static str,
        value: impl ToString,
    ) -> Self {
        Self { name, section, key, value: Value::String(value.to_string()) }
    }

    /// A flag that sets something else.
    pub fn value(
        name: &'static str,
        section: &'static str,
        key: &'static str,
        value: impl Into<Value>,
    ) -> Self {
        Self { name, section, key, value: value.into() }
    }
}

/// The values of all layers so far, with their origins.
#[derive(Debug, Clone)]
pub struct Layers {
    origins: BTreeMap<(String, String), Origin>,
    table: Table,
}

impl Layers {
    /// The defaults alone.
    pub fn defaults() -> Self {
        let table = DEFAULTS.parse().expect("default.toml is TOML: a test reads it");
        Self { origins: BTreeMap::new(), table }
    }

    /// Lays a file over what is there.
    pub fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        self.add_text(&std::fs::read_to_string(path).map_err(unreadable)?, path)
    }

    /// As [`Self::add_file`], from the file's text.
    pub fn add_text(&mut self, text: &str, path: &Path) -> Result<(), Error> {
        let table: Table =
            text.parse().map_err(|source| Error::Toml { path: path.to_owned(), source })?;
        let origin = Origin::File(path.to_owned());
        for (section, keys) in table {
            let Value::Table(keys) = keys else { return Err(self.unknown(&section, None, origin)) };
            if !self.table.contains_key(&section) {
                return Err(self.unknown(&section, None, origin));
            }
            for (key, value) in keys {
                self.set(&section, &key, value, origin.clone())?;
            }
        }
        Ok(())
    }

    /// Lays those variables over what is there that name a section and a key: `NAAP_API__LISTEN`.
    pub fn add_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, text) in variables {
            let Some((section, key)) =
                name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__"))
            else {
                continue;
            };
            let (section, key) = (section.to_ascii_lowercase(), key.to_ascii_lowercase());
            // A text needs no quotes; anything else is written as in the file.
            let is_text = matches!(self.value(&section, &key), Some(Value::String(_)));
            let value = if is_text { None } else { toml_value(&text) };
            let value = value.unwrap_or(Value::String(text));
            self.set(&section, &key, value, Origin::Variable(name))?;
        }
        Ok(())
    }

    /// Lays a flag over what is there.
    pub fn add_flag(&mut self, flag: Flag) -> Result<(), Error> {
        self.set(flag.section, flag.key, flag.value, Origin::Flag(flag.name))
    }

    /// Lets the HTTP door, where nobody said where it is, take any port if the API was told to: whoever asks for that runs
    /// more than one of us.
    pub fn free_intake(&mut self) -> Result<(), Error> {
        let address = |section| match self.value(section, "listen") {
            Some(Value::String(text)) => text.parse::<SocketAddr>().ok(),
            _ => None,
        };
        // What is no address is refused when the configuration is read as a whole.
        let (Some(api), Some(mut intake)) = (address("api"), address("intake")) else {
            return Ok(());
        };
        if api.port() != 0 || self.origin("intake", "listen") != Origin::Default {
            return Ok(());
        }
        intake.set_port(0);
        let origin = self.origin("api", "listen");
        self.set("intake", "listen", Value::String(intake.to_string()), origin)
    }

    /// The configuration that all layers give.
    pub fn config(&self) -> Result<Config, Error> {
        let config: Config = serde_path_to_error::deserialize(Value::Table(self.table.clone()))
            .map_err(|error| {
                let path = error.path().to_string();
                let mut parts = path.split(['.', '[']);
                let (section, key) =
                    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                let value = self.value(section, key).map(Value::to_string).unwrap_or_default();
                let why = error.into_inner().to_string().trim_end().to_owned();
                Error::Unusable {
                    key: format!("{section}.{key}"),
                    value,
                    origin: self.origin(section, key),
                    why,
                }
            })?;
        config.check().map_err(Error::Contradictory)?;
        Ok(config)
    }

    fn value(&self, section: &str, key: &str) -> Option<&Value> {
        self.table.get(section)?.get(key)
    }

    fn origin(&self, section: &str, key: &str) -> Origin {
        let place = (section.to_owned(), key.to_owned());
        self.origins.get(&place).cloned().unwrap_or(Origin::Default)
    }

    fn set(&mut self, section: &str, key: &str, value: Value, origin: Origin) -> Result<(), Error> {
        let known = self
            .table
            .get_mut(section)
            .and_then(Value::as_table_mut)
            .and_then(|keys| keys.get_mut(key));
        let Some(known) = known else { return Err(self.unknown(section, Some(key), origin)) };
        if !known.same_type(&value) {
            let why = format!("it is of type {}, not {}", known.type_str(), value.type_str());
            return Err(Error::Unusable {
                key: format!("{section}.{key}"),
                value: value.to_string(),
                origin,
                why,
            });
        }
        *known = value;
        self.origins.insert((section.to_owned(), key.to_owned()), origin);
        Ok(())
    }

    fn unknown(&self, section: &str, key: Option<&str>, origin: Origin) -> Error {
        let names = |table: &Table| table.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let (key, known) = match (key, self.table.get(section).and_then(Value::as_table)) {
            (Some(key), Some(keys)) => {
                (format!("{section}.{key}"), format!("[{section}] has {}", names(keys)))
            }
            (Some(key), None) => {
                (format!("{section}.{key}"), format!("sections are {}", names(&self.table)))
            }
            (None, _) => (section.to_owned(), format!("sections are {}", names(&self.table))),
        };
        Error::Unknown { key, origin, known }
    }
}

/// A value as it stands in TOML.
fn toml_value(text: &str) -> Option<Value> {
    format!("value = {text}").parse::<Table>().ok()?.remove("value")
}

impl fmt::Display for Layers {
    /// TOML in which a comment behind each value says where it comes from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (section, keys)) in self.table.iter().enumerate() {
            let gap = if number > 0 { "\n" } else { "" };
            writeln!(f, "{gap}[{section}]")?;
            for (key, value) in keys.as_table().into_iter().flatten() {
                writeln!(f, "{key} = {value}  # {}", self.origin(section, key))?;
            }
        }
        Ok(())
    }
}
