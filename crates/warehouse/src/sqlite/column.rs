//! How our values stand in columns, and how SQLite's errors become ours. It reads nothing that it would not write.

use std::str::FromStr;

use events::event::Network;
use events::identity::{Address, Digest, JobId, PublisherKey};
use events::refusal::Defect;
use events::unit::UnixMillis;
use rusqlite::ErrorCode;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use sla::tally::cell::WorkClass;
use sla::window::Hour;

use crate::Error;
use crate::page::Party;

/// Turns what SQLite said during `action` into an error of ours.
pub fn sql(action: &'static str) -> impl FnOnce(rusqlite::Error) -> Error {
    move |source| match source.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full { action, source },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Busy { action, source },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::Corrupt { action, what: source.to_string() }
        }
        Some(ErrorCode::SystemIoFailure) if is_refused_write(&source) => {
            Error::Full { action, source }
        }
        Some(_) => Error::Sql { action, source },
        // A row that does not read as we wrote it.
        None => Error::Corrupt { action, what: source.to_string() },
    }
}

/// Whether the system took no more bytes, as at a quota or a limit on the size of files.
fn is_refused_write(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE};
    error.sqlite_extended_error_code().is_some_and(|code| {
        [SQLITE_IOERR_WRITE, SQLITE_IOERR_SHMSIZE, SQLITE_IOERR_TRUNCATE].contains(&code)
    })
}

/// A number as SQLite holds it.
pub fn int(action: &'static str, number: u64) -> Result<i64, Error> {
    i64::try_from(number).map_err(|_| Error::TooLarge { action, number })
}

/// A moment or hour to compare with: what no column holds is as good as the most that it can.
pub fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows are asked for.
pub fn rows(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The number of a network. Numbers are never given twice.
pub fn network(network: Network) -> i64 {
    match network {
        Network::Livepeer => 1,
        Network::Simulation => 2,
    }
}

/// The bytes of a party, in the order of [`Party`].
pub fn party(party: Party) -> Vec<u8> {
    let (kind, address) = match party {
        Party::Operator(Address(address)) => (1, Some(address)),
        Party::Signer(Address(address)) => (2, Some(address)),
        Party::Nameless => (3, None),
    };
    std::iter::once(kind).chain(address.into_iter().flatten()).collect()
}

/// The one who is named, by operator where known.
pub fn named(operator: Option<Address>, signer: Option<Address>) -> Party {
    operator.map(Party::Operator).or(signer.map(Party::Signer)).unwrap_or(Party::Nameless)
}

/// The parts of a class: workload, pipeline, model; what is not known is empty, which no name is.
pub fn class_parts(class: &WorkClass) -> [&str; 3] {
    let pipeline = class.pipeline.as_ref().map_or("", |name| name.as_str());
    let model = class.model.as_ref().map_or("", |name| name.as_str());
    [class.workload.as_str(), pipeline, model]
}

/// The text of a class that results are keyed by. Names hold no control characters, so no two classes read alike.
pub fn class_text(class: Option<&WorkClass>) -> String {
    class.map_or_else(String::new, |class| class_parts(class).join("\u{1f}"))
}

/// A number read as unsigned.
pub struct Unsigned(pub u64);

impl FromSql for Unsigned {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Self).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

/// Bytes or text read as one of our types.
pub struct Read<T>(pub T);

/// What [`Read`] reads.
pub trait Column: Sized {
    /// Reads a value, if it is one that we write.
    fn of(value: ValueRef<'_>) -> FromSqlResult<Self>;
}

impl<T: Column> FromSql for Read<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of(value).map(Self)
    }
}

/// A value in text.
pub struct Text<T>(pub T);

impl<T: FromStr> FromSql for Text<T>
where
    T::Err: std::error::Error + Send + Sync + 'static,
{
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

macro_rules! bytes_column {
    ($($name:ident)*) => {$(
        impl Column for $name {
            fn of(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let bytes = value.as_blob()?;
                bytes.try_into().map(Self).map_err(FromSqlError::other)
            }
        }
    )*};
}

macro_rules! number_column {
    ($($name:ident)*) => {$(
        impl Column for $name {
            fn of(value: ValueRef<'_>) -> FromSqlResult<Self> {
                Unsigned::column_result(value).map(|Unsigned(number)| Self(number))
            }
        }
    )*};
}

bytes_column!(Address Digest JobId PublisherKey);
number_column!(Hour UnixMillis);

impl Column for Network {
    fn of(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = value.as_i64()?;
        let found = Self::ALL.iter().copied().find(|known| network(*known) == number);
        found.ok_or(FromSqlError::OutOfRange(number))
    }
}

impl Column for Defect {
    fn of(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::from_code(value.as_str()?).ok_or(FromSqlError::InvalidType)
    }
}

impl Column for Party {
    fn of(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let address = |rest: &[u8]| rest.try_into().map(Address).map_err(FromSqlError::other);
        match bytes {
            [1, rest @ ..] => address(rest).map(Self::Operator),
            [2, rest @ ..] => address(rest).map(Self::Signer),
            [3] => Ok(Self::Nameless),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}
