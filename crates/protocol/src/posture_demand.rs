//! What a profile demands of the machine that asks, and what a [`Posture`] lacks of it. Asked at every request,
//! redemption and refresh, so that a machine that falls out of it gets no further token.

use std::collections::BTreeMap;

use crate::fact::Source;
use crate::posture::Posture;
use crate::refusal::Refusal;
use crate::time::{Lifetime, Timestamp};

/// The `[posture]` table of a profile. What is absent is not demanded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent demands of one table")]
pub struct PostureDemand {
    /// Whether an attester has to sign it.
    pub must_be_proven: bool,
    pub max_age: Lifetime,
    /// Those that may ask, each from this version on. Empty is any.
    pub os: BTreeMap<String, Version>,
    pub disk_encrypted: bool,
    pub screen_lock: bool,
    pub not_root: bool,
    /// So that a machine is started again now and then: updates of a kernel hold only then.
    pub max_uptime: Option<Lifetime>,
    /// The programs that may ask. Empty is any.
    pub binary_sha256: Vec<String>,
}

/// `14.6.1`, compared number by number; what is left out is zero.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(Vec<u64>);

impl Version {
    pub fn parse(text: &str) -> Option<Self> {
        const MOST: usize = 8;
        let number = |part: &str| {
            let is_plain = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_plain)
        };
        let mut numbers = text.split('.').map(number).collect::<Option<Vec<u64>>>()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        (numbers.len() <= MOST).then_some(Self(numbers))
    }

    /// `0` is any version, one that cannot be read too.
    fn demands(&self) -> bool {
        !self.0.is_empty()
    }
}

/// One thing that a machine lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    Proof,
    Os,
    OsVersion,
    DiskEncrypted,
    ScreenLock,
    Root,
    Uptime,
    Binary,
}

/// All that it lacks, so that whoever mends it mends it in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lacks(u8);

impl Lack {
    pub const ALL: [Self; 8] = [
        Self::Proof,
        Self::Os,
        Self::OsVersion,
        Self::DiskEncrypted,
        Self::ScreenLock,
        Self::Root,
        Self::Uptime,
        Self::Binary,
    ];

    /// In the characters RFC 6749 §5.2 allows.
    pub fn words(self) -> &'static str {
        match self {
            Self::Proof => "an attester that this server knows has to sign its posture",
            Self::Os => "its operating system is not one of those that may ask",
            Self::OsVersion => "its operating system is too old, or of no version that can be compared",
            Self::DiskEncrypted => "its disk has to be encrypted",
            Self::ScreenLock => "its screen has to lock by itself",
            Self::Root => "the program has to run without the rights of root",
            Self::Uptime => "it has run too long and has to be started again",
            Self::Binary => "the program is not one of those that may ask",
        }
    }

    /// For rules: the fact that is not as it has to be, or `proof`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proof => "proof",
            Self::Os => "os",
            Self::OsVersion => "os_version",
            Self::DiskEncrypted => "disk_encrypted",
            Self::ScreenLock => "screen_lock",
            Self::Root => "root",
            Self::Uptime => "uptime_s",
            Self::Binary => "binary_sha256",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Lacks {
    pub const ALL: Self = Self(u8::MAX);

    fn of(lacks: impl IntoIterator<Item = Lack>) -> Self {
        Self(lacks.into_iter().fold(0, |bits, lack| bits | lack.bit()))
    }

    pub fn iter(self) -> impl Iterator<Item = Lack> {
        Lack::ALL.into_iter().filter(move |lack| self.0 & lack.bit() != 0)
    }

    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(Lack::as_str).collect()
    }

    /// For people: all of it, in one sentence.
    pub fn sentence(self) -> String {
        let words: Vec<&str> = self.iter().map(Lack::words).collect();
        format!(
            "This machine is not as the profile of this client demands: {}. Mend that and try again.",
            words.join("; ")
        )
    }
}

impl PostureDemand {
    /// What is not stated is not met.
    pub fn must_be_met_by(&self, posture: &Posture, now: Timestamp) -> Result<(), Refusal> {
        posture.must_be_younger_than(self.max_age, now)?;
        let lacks = self.lacks(posture);
        if lacks == Lacks::of([]) {
            Ok(())
        } else {
            Err(Refusal::PostureUnmet(lacks))
        }
    }

    fn lacks(&self, posture: &Posture) -> Lacks {
        let stated = &posture.stated;
        let least = stated.os.as_ref().and_then(|os| self.os.get(os));
        let version = stated.os_version.as_deref().and_then(Version::parse);
        let uptime = stated.uptime_s.and_then(|seconds| i64::try_from(seconds).ok());
        let binary = stated.binary_sha256.as_ref();
        let is_too_old = |least: &Version| least.demands() && version.is_none_or(|version| version < *least);
        let has_run_too_long = |most: Lifetime| uptime.is_none_or(|seconds| Lifetime::from_seconds(seconds) > most);
        let is_listed = |binary: &String| self.binary_sha256.contains(binary);
        let found = [
            (self.must_be_proven && posture.source != Source::Proven, Lack::Proof),
            (!self.os.is_empty() && least.is_none(), Lack::Os),
            (least.is_some_and(is_too_old), Lack::OsVersion),
            (
                self.disk_encrypted && stated.disk_encrypted != Some(true),
                Lack::DiskEncrypted,
            ),
            (self.screen_lock && stated.screen_lock != Some(true), Lack::ScreenLock),
            (self.not_root && stated.root != Some(false), Lack::Root),
            (self.max_uptime.is_some_and(has_run_too_long), Lack::Uptime),
            (
                !self.binary_sha256.is_empty() && !binary.is_some_and(is_listed),
                Lack::Binary,
            ),
        ];
        Lacks::of(
            found
                .into_iter()
                .filter_map(|(is_lacking, lack)| is_lacking.then_some(lack)),
        )
    }

    /// For `waypass profile show` and `waypass posture`.
    pub fn told(&self) -> String {
        let by = if self.must_be_proven {
            "an attester"
        } else {
            "the machine's own key"
        };
        let mut told = vec![format!(
            "signed by {by} not longer than {} s before",
            self.max_age.seconds()
        )];
        if !self.os.is_empty() {
            let each: Vec<String> = self
                .os
                .iter()
                .map(|(os, least)| format!("{os} {}", least.told()))
                .collect();
            told.push(format!("at least {}", each.join(" or ")));
        }
        for (words, is_demanded) in [
            ("its disk encrypted", self.disk_encrypted),
            ("its screen locking by itself", self.screen_lock),
            ("not run by root", self.not_root),
        ] {
            told.extend(is_demanded.then(|| words.to_owned()));
        }
        told.extend(
            self.max_uptime
                .map(|most| format!("started at most {} s ago", most.seconds())),
        );
        if !self.binary_sha256.is_empty() {
            told.push(format!("one of {} programs", self.binary_sha256.len()));
        }
        told.join("; ")
    }
}

impl Version {
    fn told(&self) -> String {
        if !self.demands() {
            return "of any version".to_owned();
        }
        let numbers: Vec<String> = self.0.iter().map(u64::to_string).collect();
        numbers.join(".")
    }
}

#[cfg(test)]
mod tests;
