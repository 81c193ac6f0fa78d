//! Something broke below the rules: the disk, the database, the network. Opaque to callers but for one
//! question, whether waiting may help. No text of a fault carries an argument of a statement.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Cloned, because one failed COMMIT is the fault of every batch in its group.
#[derive(Clone, Debug)]
pub struct Fault {
    kind: FaultKind,
    what: Cow<'static, str>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Too much at once: the same call may succeed a little later.
    Busy,
    Broken,
}

impl Fault {
    pub fn busy(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: FaultKind::Busy,
            what: what.into(),
            source: None,
        }
    }

    pub fn broken(what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: FaultKind::Broken,
            what: what.into(),
            source: None,
        }
    }

    pub fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
