//! Sets of addresses and of ports: sorted, disjoint, inclusive intervals.
//!
//! A crate was looked for. `iprange` holds prefixes in a trie and has no ports; `range-set-blaze` keeps a
//! `BTreeMap`, which costs a clone of ten thousand nodes wherever a tag is used. Here a set is one shared
//! slice: a clone is a counter, and a small set meets a large one by binary search.

use std::fmt::Debug;
use std::sync::Arc;

/// A value that intervals are made of.
pub(super) trait Point: Copy + Ord + Debug {
    /// The value after this one.
    fn after(self) -> Option<Self>;
    /// The value before this one.
    fn before(self) -> Option<Self>;
}

macro_rules! points {
    ($($number:ty),+) => {$(
        impl Point for $number {
            fn after(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )+};
}
points!(u8, u16, u128);

/// A set of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Intervals<T>(Arc<[(T, T)]>);

impl<T: Point> Intervals<T> {
    /// No value.
    pub(super) fn none() -> Self {
        Self(Arc::from(Vec::new()))
    }

    /// Every value from `first` to `last`; none if they are the wrong way round.
    pub(super) fn between(first: T, last: T) -> Self {
        if first <= last { Self(Arc::from(vec![(first, last)])) } else { Self::none() }
    }

    /// The union of intervals in any order.
    pub(super) fn of(intervals: impl IntoIterator<Item = (T, T)>) -> Self {
        let mut sorted: Vec<(T, T)> = intervals.into_iter().filter(|(first, last)| first <= last).collect();
        sorted.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match merged.last_mut() {
                // Neighbours are one interval, so that equal sets are equal slices.
                Some((_, end)) if end.after().is_none_or(|next| first <= next) => *end = (*end).max(last),
                _ => merged.push((first, last)),
            }
        }
        Self(merged.into())
    }

    /// The intervals, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (T, T)> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is no value.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least value.
    pub(super) fn first(&self) -> Option<T> {
        self.0.first().map(|(first, _)| *first)
    }

    /// Whether a value is in the set.
    pub(super) fn contains(&self, value: T) -> bool {
        self.0.get(self.at(value)).is_some_and(|(first, _)| *first <= value)
    }

    /// Whether every value of `other` is in this set.
    pub(super) fn covers(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || other.0.iter().all(|(first, last)| {
                self.0.get(self.at(*first)).is_some_and(|(from, to)| from <= first && last <= to)
            })
    }

    /// Whether the two share a value.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let (small, large) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        small
            .0
            .iter()
            .any(|(first, last)| large.0.get(large.at(*first)).is_some_and(|(from, _)| from <= last))
    }

    /// The values of either.
    pub(super) fn union(&self, other: &Self) -> Self {
        if self.covers(other) {
            return self.clone();
        }
        if other.covers(self) {
            return other.clone();
        }
        Self::of(self.iter().chain(other.iter()))
    }

    /// The values of both.
    pub(super) fn intersection(&self, other: &Self) -> Self {
        if other.covers(self) {
            return self.clone();
        }
        if self.covers(other) {
            return other.clone();
        }
        let (small, large) = if self.0.len() <= other.0.len() { (self, other) } else { (other, self) };
        let mut common = Vec::new();
        for (first, last) in small.iter() {
            for (from, to) in large.0.iter().skip(large.at(first)).take_while(|(from, _)| *from <= last) {
                common.push((first.max(*from), last.min(*to)));
            }
        }
        // Pieces of disjoint intervals that do not touch do not touch either.
        Self(common.into())
    }

    /// The values of this one that are not in `other`.
    pub(super) fn difference(&self, other: &Self) -> Self {
        if !self.meets(other) {
            return self.clone();
        }
        let mut left = Vec::new();
        for (first, last) in self.iter() {
            let mut from = Some(first);
            for (start, end) in other.0.iter().skip(other.at(first)).take_while(|(start, _)| *start <= last) {
                if let (Some(from), Some(until)) = (from, start.before())
                    && from <= until
                {
                    left.push((from, until));
                }
                from = end.after();
            }
            if let Some(from) = from
                && from <= last
            {
                left.push((from, last));
            }
        }
        Self(left.into())
    }

    /// The first interval that ends at or after `value`.
    fn at(&self, value: T) -> usize {
        self.0.partition_point(|(_, last)| *last < value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set() -> impl Strategy<Value = Intervals<u8>> {
        prop::collection::vec((any::<u8>(), any::<u8>()), 0..8).prop_map(Intervals::of)
    }

    fn values(set: &Intervals<u8>) -> BTreeSet<u8> {
        (0..=u8::MAX).filter(|value| set.contains(*value)).collect()
    }

    /// Sorted, disjoint, and not even neighbours.
    fn sound(set: &Intervals<u8>) -> bool {
        let pairs: Vec<(u8, u8)> = set.iter().collect();
        pairs.iter().all(|(first, last)| first <= last)
            && pairs.windows(2).all(|pair| pair[0].1 < u8::MAX && pair[0].1 + 1 < pair[1].0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn intervals_behave_like_sets(one in set(), other in set()) {
            let (a, b) = (values(&one), values(&other));
            for (made, expected) in [
                (one.union(&other), &a | &b),
                (one.intersection(&other), &a & &b),
                (one.difference(&other), &a - &b),
            ] {
                prop_assert!(sound(&made), "{made:?}");
                prop_assert_eq!(values(&made), expected);
            }
            prop_assert_eq!(one.covers(&other), b.is_subset(&a));
            prop_assert_eq!(one.meets(&other), !a.is_disjoint(&b));
            prop_assert_eq!(one == other, a == b);
            prop_assert_eq!(one.first(), a.first().copied());
            prop_assert_eq!(one.is_empty(), a.is_empty());
        }

        #[test]
        fn intervals_hold_what_they_were_made_of(pairs in prop::collection::vec((any::<u8>(), any::<u8>()), 0..8)) {
            let expected: BTreeSet<u8> = pairs.iter().flat_map(|(first, last)| *first..=*last).collect();
            prop_assert_eq!(values(&Intervals::of(pairs)), expected);
        }
    }
}
