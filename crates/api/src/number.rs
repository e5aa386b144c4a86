//! Parts per million as clients of other services read them: a share of 1, or of 100. For drawing and for their clients;
//! nothing is computed with them.

use events::unit::Ppm;
use serde::{Serialize, Serializer};

/// A number of 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(pub Ppm);

impl Share {
    /// The number, to three places as the peer has it.
    pub fn rounded(self) -> f64 {
        f64::from((self.0.0 + 500) / 1_000) / 1_000.0
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0.0) / 1_000_000.0)
    }
}

/// A number of 100, to four places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub Ppm);

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0.0) / 10_000.0)
    }
}
