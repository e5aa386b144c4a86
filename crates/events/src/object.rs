//! JSON objects are read as objects only.
//!
//! serde's derived code also reads a struct from an array of its fields in order. Two spellings of one statement would
//! be two verdicts in two languages, so [`object_only!`] takes the second away. Nothing here knows what is read.

use serde::de::{Deserializer, Visitor};

/// Gives whatever is read from it as a map, or refuses.
pub(crate) struct Object<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// Lets a struct that derives serde's traits with `#[serde(remote = "itself")]` be read from an object only.
macro_rules! object_only {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Self::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(crate::object::Object(deserializer))
            }
        }
    };
}
pub(crate) use object_only;
