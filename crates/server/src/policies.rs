//! The policies of this server: one set in force, from the `.cedar` files of a folder. They are read at the start and
//! whenever an operator says so; a set with a mistake never takes the place of one without. What policies mean is in
//! the crate `policy`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use policy::{Mistake, Policies, Source};
use protocol::event::Action;
use protocol::wire::policies::PolicySetView;
use store::Batch;

use crate::app::App;
use crate::config::Problem;
use crate::failure::Failure;
use crate::folder;

/// What is read: policies, and beside them the cases they are tested with.
pub const POLICIES: &str = ".cedar";
pub const CASES: &str = ".test.json";

/// The longest file that is read.
const LONGEST_KIB: u64 = 256;

/// As configured: read once, before anything is served.
#[derive(Clone)]
pub struct Configured {
    /// None is a server without policies.
    pub folder: Option<PathBuf>,
    pub policies: Arc<Policies>,
}

/// The set in force, and what was wrong with the one that was to follow it.
pub struct InForce {
    folder: Option<PathBuf>,
    policies: ArcSwap<Policies>,
    refused: ArcSwap<Vec<Mistake>>,
    /// One reads at a time: the files as they are last come into force last.
    reading: tokio::sync::Mutex<()>,
}

impl Configured {
    pub fn load(folder: Option<PathBuf>) -> Result<Self, Vec<Problem>> {
        let policies = match &folder {
            Some(folder) => load(folder).map_err(|mistakes| mistakes.iter().map(problem).collect::<Vec<_>>())?,
            None => Policies::none(),
        };
        Ok(Self {
            folder,
            policies: Arc::new(policies),
        })
    }
}

impl InForce {
    pub fn new(configured: &Configured) -> Self {
        Self {
            folder: configured.folder.clone(),
            policies: ArcSwap::new(configured.policies.clone()),
            refused: ArcSwap::default(),
            reading: tokio::sync::Mutex::default(),
        }
    }

    pub fn now(&self) -> Arc<Policies> {
        self.policies.load_full()
    }

    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Why the files as they are do not load, where the last try failed.
    pub fn refused(&self) -> Arc<Vec<Mistake>> {
        self.refused.load_full()
    }
}

/// Takes what stands in the folder now, or keeps the set in force and says why. On the record either way.
pub async fn reload(app: &App) -> Result<PolicySetView, Failure> {
    let Some(folder) = app.policies.folder().map(Path::to_owned) else {
        return Err(Failure::Invalid(
            "this server has no policies: start it with --policies DIR".to_owned(),
        ));
    };
    let _reading = app.policies.reading.lock().await;
    let had_some = !app.policies.now().is_empty();
    let loaded = tokio::task::spawn_blocking(move || some(load(&folder)?, had_some, &folder)).await;
    let event = app.event(Action::PolicyLoaded);
    let loaded = loaded.map_err(|_| Failure::Invalid("the policies could not be read".to_owned()))?;
    app.metrics.policies_loaded(loaded.is_ok());
    let event = match loaded {
        Ok(policies) => {
            tracing::info!(
                version = policies.version().as_str(),
                policies = policies.rules().len(),
                "policies loaded"
            );
            app.policies.policies.store(Arc::new(policies));
            app.policies.refused.store(Arc::default());
            event
        }
        Err(mistakes) => {
            for mistake in &mistakes {
                tracing::error!(%mistake, "policies not loaded, the old ones stay in force");
            }
            let event = event.with("policy.mistakes", mistakes.len()).failed("invalid");
            app.policies.refused.store(Arc::new(mistakes));
            event
        }
    };
    let event = event.with("policy.version", app.policies.now().version().as_str());
    app.commit(Batch::default().record(&event)?).await?;
    Ok(view(&app.policies))
}

/// What is in force, for administrators.
pub fn view(in_force: &InForce) -> PolicySetView {
    let policies = in_force.now();
    PolicySetView {
        folder: in_force.folder().map(|folder| folder.display().to_string()),
        version: policies.version().as_str().to_owned(),
        policies: policies.rules().iter().map(crate::local::policies::rule).collect(),
        closed: policies.closed().map(|step| step.as_str().to_owned()).collect(),
        mistakes: in_force.refused().iter().map(ToString::to_string).collect(),
    }
}

/// A folder that is emptied, or is just being written, forbids nothing any more: that is never what a reload means.
fn some(policies: Policies, had_some: bool, folder: &Path) -> Result<Policies, Vec<Mistake>> {
    if had_some && policies.is_empty() {
        let text = "no policy is left: to go on without any, start the server without --policies".to_owned();
        return Err(vec![mistake(folder.display().to_string(), text)]);
    }
    Ok(policies)
}

/// Every policy of a folder, or every mistake in it.
pub fn load(folder: &Path) -> Result<Policies, Vec<Mistake>> {
    Policies::parse(&sources(folder, POLICIES)?)
}

/// All files whose names end so, or every mistake.
pub fn sources(folder: &Path, ending: &str) -> Result<Vec<Source>, Vec<Mistake>> {
    let files = folder::files(folder, ending, LONGEST_KIB);
    let files = files.map_err(|text| vec![mistake(folder.display().to_string(), text)])?;
    let (mut sources, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        let name = file.name();
        match file.text {
            Ok(text) => sources.push(Source { name, text }),
            Err(text) => mistakes.push(mistake(name, text)),
        }
    }
    if mistakes.is_empty() {
        Ok(sources)
    } else {
        Err(mistakes)
    }
}

fn mistake(file: String, text: String) -> Mistake {
    Mistake { file, line: 0, text }
}

fn problem(mistake: &Mistake) -> Problem {
    Problem {
        place: match mistake.line {
            0 => mistake.file.clone(),
            line => format!("{}:{line}", mistake.file),
        },
        text: mistake.text.clone(),
    }
}
