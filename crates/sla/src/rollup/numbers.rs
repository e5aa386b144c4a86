//! Lists of whole numbers in as little memory as the largest of them needs. What they count is not known here.
//!
//! Stored as a plain list of numbers, so that what is kept does not depend on how it is held.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers(Width);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Width {
    /// All are the same.
    Same {
        length: usize,
        number: u64,
    },
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self(Width::Same { length: 0, number: 0 })
    }
}

impl From<Vec<u64>> for Numbers {
    fn from(numbers: Vec<u64>) -> Self {
        let first = numbers.first().copied().unwrap_or_default();
        if numbers.iter().all(|number| *number == first) {
            return Self(Width::Same { length: numbers.len(), number: first });
        }
        Self(
            narrow(&numbers, Width::U8)
                .or_else(|| narrow(&numbers, Width::U16))
                .or_else(|| narrow(&numbers, Width::U32))
                .unwrap_or(Width::U64(numbers)),
        )
    }
}

/// The numbers in a narrower type, where all fit.
fn narrow<T: TryFrom<u64>>(numbers: &[u64], width: fn(Vec<T>) -> Width) -> Option<Width> {
    let narrow: Option<Vec<T>> = numbers.iter().map(|number| T::try_from(*number).ok()).collect();
    narrow.map(width)
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.0 {
            Width::Same { length, .. } => *length,
            Width::U8(list) => list.len(),
            Width::U16(list) => list.len(),
            Width::U32(list) => list.len(),
            Width::U64(list) => list.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at a place, if there is one.
    pub fn get(&self, at: usize) -> Option<u64> {
        match &self.0 {
            Width::Same { length, number } => (at < *length).then_some(*number),
            Width::U8(list) => list.get(at).map(|number| u64::from(*number)),
            Width::U16(list) => list.get(at).map(|number| u64::from(*number)),
            Width::U32(list) => list.get(at).map(|number| u64::from(*number)),
            Width::U64(list) => list.get(at).copied(),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    /// The places whose number passes, ascending.
    pub fn places(&self, passes: impl Fn(u64) -> bool) -> Vec<usize> {
        // One loop for each width, so that none asks for the width again and again.
        fn among<T: Copy + Into<u64>>(list: &[T], passes: impl Fn(u64) -> bool) -> Vec<usize> {
            let numbered = list.iter().enumerate();
            numbered.filter(|(_, number)| passes((**number).into())).map(|(at, _)| at).collect()
        }
        match &self.0 {
            Width::Same { length, number } if passes(*number) => (0..*length).collect(),
            Width::Same { .. } => Vec::new(),
            Width::U8(list) => among(list, passes),
            Width::U16(list) => among(list, passes),
            Width::U32(list) => among(list, passes),
            Width::U64(list) => among(list, passes),
        }
    }

    /// The place of a number in an ascending list, if it is in it.
    pub fn find(&self, wanted: u64) -> Option<usize> {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from + (to - from) / 2;
            match self.get(middle)?.cmp(&wanted) {
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// Whether each is above the one before it.
    pub fn is_ascending(&self) -> bool {
        self.iter().zip(self.iter().skip(1)).all(|(one, next)| one < next)
    }

    /// How many bytes it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let width = match &self.0 {
            Width::Same { .. } => 0,
            Width::U8(_) => 1,
            Width::U16(_) => 2,
            Width::U32(_) => 4,
            Width::U64(_) => 8,
        };
        size_of::<Self>() + self.len() * width
    }
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_width_are_what_they_were() {
        for top in [0, 7, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let list = vec![0, top / 2, top];
            let numbers = Numbers::from(list.clone());
            assert_eq!(numbers.iter().collect::<Vec<_>>(), list, "{top}");
            assert_eq!((numbers.len(), numbers.get(2), numbers.get(3)), (3, Some(top), None));
            assert_eq!(numbers.places(|number| number == top).last(), Some(&2));
            assert_eq!(numbers.is_ascending(), top > 1);
            let stored = serde_json::to_string(&numbers).unwrap();
            assert_eq!(stored, serde_json::to_string(&list).unwrap());
            assert_eq!(serde_json::from_str::<Numbers>(&stored).unwrap(), numbers);
        }
        let same = Numbers::from(vec![9; 1_000]);
        assert!(same.bytes() < 100 && same.places(|number| number == 9).len() == 1_000);
        assert!(same.places(|number| number != 9).is_empty());
        assert!(Numbers::default().is_empty() && Numbers::default().is_ascending());
    }

    #[test]
    fn a_number_is_found_where_it_is() {
        let numbers = Numbers::from(vec![1, 4, 9, 300]);
        assert_eq!([1, 4, 9, 300].map(|number| numbers.find(number)), [0, 1, 2, 3].map(Some));
        assert_eq!([0, 5, 301].map(|number| numbers.find(number)), [None; 3]);
    }
}
