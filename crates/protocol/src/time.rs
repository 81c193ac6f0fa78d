//! Instants and durations as plain numbers. Nothing here reads a clock: `now` is always an argument.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since the Unix epoch. Stored and sent between our own parts as such;
/// what an RFC puts on the wire is in seconds, see [`Timestamp::seconds`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

/// A length of time in milliseconds; may be negative when two instants are subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lifetime(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From a JWT `NumericDate` or any other whole number of seconds; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down: a JWT `NumericDate` (RFC 7519 §2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

impl Lifetime {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down and never negative: an `expires_in`.
    pub const fn seconds(self) -> i64 {
        if self.0 < 0 { 0 } else { self.0 / 1000 }
    }
}

impl Add<Lifetime> for Timestamp {
    type Output = Self;

    fn add(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_add(lifetime.0))
    }
}

impl Sub<Lifetime> for Timestamp {
    type Output = Self;

    fn sub(self, lifetime: Lifetime) -> Self {
        Self(self.0.saturating_sub(lifetime.0))
    }
}

impl Sub for Timestamp {
    type Output = Lifetime;

    fn sub(self, earlier: Self) -> Lifetime {
        Lifetime(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Lifetime {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
