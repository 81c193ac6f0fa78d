//! Start-up, in order; and the way down.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use store::announcement::Announcement;
use store::{Fault, Options, StatementHook, Store};
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::{App, Shared};
use crate::client_registry::ClientRegistry;
use crate::clock::Clock;
use crate::config::{Config, EX_CONFIG, ServeArgs};
use crate::entropy::EntropySource;
use crate::failure::Failure;
use crate::fresh_nonce::FreshNonce;
use crate::hardware::Hardware;
use crate::holding::Holds;
use crate::inbox::Inboxes;
use crate::issuer_keys::IssuerKeys;
use crate::keys::{DerivedKeys, MasterKey};
use crate::limits::SourceLimits;
use crate::listen::ConnectionSettings;
use crate::notices::{Mailer, Outbound, Vapid};
use crate::pending::PendingRequests;
use crate::place::Places;
use crate::policies::InForce;
use crate::seen::SeenOnce;
use crate::{
    check, failure, listen, local, log, metrics, notices, passkeys, policies, routes, signing_keys, unused, upstream,
};

/// How often what has ended is swept up, and what other nodes changed is read.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// How often permissions that nobody uses are looked for: they count in days.
const REVIEW: Duration = Duration::from_hours(1);

/// `waypass serve`: runs until SIGTERM or SIGINT, then drains.
pub fn serve(args: &ServeArgs) -> ExitCode {
    let config = match Config::load(args) {
        Ok(config) => config,
        Err(problems) => {
            eprint!("{}", check::told(&problems));
            return ExitCode::from(EX_CONFIG);
        }
    };
    log::init(config.log_format);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    runtime.block_on(async {
        match Box::pin(run(config)).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => failed(&chain(&fault)),
        }
    })
}

/// The signals are listened for first: one that comes during the start is not lost.
async fn run(config: Config) -> Result<(), Fault> {
    let signals =
        listen::StopSignals::new().map_err(|error| Fault::broken("cannot wait for signals").because(error))?;
    let running = start(config, Surroundings::real()).await?;
    signals.received().await;
    Box::pin(running.stop()).await;
    Ok(())
}

fn chain(fault: &Fault) -> String {
    let causes = std::iter::successors(Some(fault as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn failed(why: &str) -> ExitCode {
    eprintln!("waypass: cannot start: {why}");
    ExitCode::FAILURE
}

/// What a server takes from the world around it. Tests bring their own.
pub struct Surroundings {
    pub clock: Clock,
    pub entropy: EntropySource,
    /// For crash tests: see [`store::Options`].
    pub statement_hook: Option<StatementHook>,
}

impl Surroundings {
    pub fn real() -> Self {
        Self {
            clock: Clock::System,
            entropy: EntropySource::System,
            statement_hook: None,
        }
    }
}

/// A server at work. Dropped without [`Running::stop`], it is cut off.
pub struct Running {
    app: Shared,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Opens the store, the keys and the sockets, and serves. Tests come in here with another clock.
pub async fn start(config: Config, surroundings: Surroundings) -> Result<Running, Fault> {
    let app = Arc::new(Box::pin(open(config, surroundings)).await?);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();

    let public = bind(app.config.listen).await?;
    let router = routes::routes(&app);
    let asks = match app.config.mtls.listen {
        None => app.clients.asks_for_certificates(),
        Some(_) => Arc::default(),
    };
    let tls = encryption(&app.config, asks)?;
    let settings = ConnectionSettings {
        per_source: connections_per_source(&app.config),
        ..ConnectionSettings::new(app.config.limits.connections)
    };
    let local = listen::bind_local(&app.config.socket()).await;
    let local = local.map_err(|error| Fault::broken("cannot open the local socket").because(error))?;
    tasks.spawn(listen::serve_local(
        local,
        local::routes(app.clone()),
        ConnectionSettings::new(64),
        stopped.clone(),
    ));
    tasks.spawn(listen::serve_public(public, tls, router, settings, stopped.clone()));
    if let Some(address) = app.config.mtls.listen {
        let (listener, tls) = (bind(address).await?, encryption(&app.config, Arc::new(true.into()))?);
        let router = routes::for_certificates(&app);
        tasks.spawn(listen::serve_public(listener, tls, router, settings, stopped.clone()));
    }
    if let Some(address) = app.config.metrics_listen {
        let listener = bind(address).await?;
        let router = metrics::router(app.metrics.clone());
        tasks.spawn(listen::serve_public(
            listener,
            None,
            router,
            ConnectionSettings::new(64),
            stopped.clone(),
        ));
    }
    tasks.spawn(reload_on_hangup(app.clone(), stopped.clone()));
    tasks.spawn(hear(app.clone(), stopped.clone()));
    tasks.spawn(notices::work(app.clone(), stopped.clone()));
    tasks.spawn(keep_house(app.clone(), stopped));
    announce(&app).await?;
    Ok(Running { app, stop, tasks })
}

pub(crate) async fn open(config: Config, surroundings: Surroundings) -> Result<App, Fault> {
    let Surroundings {
        clock,
        entropy,
        statement_hook,
    } = surroundings;
    let options = Options {
        statement_hook,
        ..options(&config)
    };
    let store = Store::open(options).await?;
    let master = MasterKey::load_or_create(&config.key_file, &entropy.draw())?;
    let derived = DerivedKeys::new(&master)?;
    signing_keys::check_key_file(&store, &derived).await?;
    let now = clock.now();
    let keys = signing_keys::open(&store, &derived, &entropy, now).await?;
    let vapid = Vapid::open(&store, &derived, &entropy).await?;
    let mail = config.mail.as_ref();
    let mailer = mail.map(|mail| Mailer::open(mail, config.issuer.host())).transpose()?;
    Ok(App {
        keys: ArcSwap::from_pointee(keys),
        derived,
        fresh_nonce: FreshNonce::default(),
        clients: ClientRegistry::load(&store, now).await?,
        places: Arc::new(Places::open(&config.networks).map_err(|problem| Fault::broken(problem.to_string()))?),
        policies: InForce::new(&config.policies),
        pending: PendingRequests::new(store.is_shared()),
        holds: Holds::new(config.limits.held_requests, store.is_shared()),
        inboxes: Inboxes::default(),
        outbound: Outbound::new(config.issuer.is_loopback_http()),
        mailer,
        vapid,
        seen: SeenOnce::default(),
        limits: SourceLimits::new(config.limits.requests_per_source),
        issuer_keys: IssuerKeys::default(),
        metrics: Arc::default(),
        webauthn: passkeys::webauthn(&config.issuer)?,
        hardware: Hardware::open(&config.passkeys).map_err(|problem| Fault::broken(problem.to_string()))?,
        upstream: upstream::open(&config)?,
        token_endpoint: config.issuer.url("/token"),
        store,
        config,
        clock,
        entropy,
    })
}

/// `asks`: see [`listen::tls::load`].
fn encryption(config: &Config, asks: Arc<AtomicBool>) -> Result<Option<Arc<ServerConfig>>, Fault> {
    let files = config.tls.as_ref();
    let tls = files.map(|files| listen::tls::load(files, asks)).transpose();
    tls.map_err(|problem| Fault::broken(problem.to_string()))
}

/// Behind a proxy all connections are the proxy's, and on loopback all are ours.
fn connections_per_source(config: &Config) -> u32 {
    let is_shared = config.issuer.is_loopback_http() || !config.trusted_proxies.is_empty();
    if is_shared {
        u32::MAX
    } else {
        (config.limits.connections / 16).max(16)
    }
}

/// Where the configuration keeps its data.
pub(crate) fn options(config: &Config) -> Options {
    Options {
        directory: config.data.clone(),
        database: config.database.as_ref().map(|url| url.expose().to_owned()),
        ..Options::default()
    }
}

async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, Fault> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Fault::broken(format!("cannot listen on {address}")).because(error))
}

/// One line that says where; then what an administrator should know.
async fn announce(app: &App) -> Result<(), Fault> {
    tracing::info!(issuer = app.issuer(), listen = %app.config.listen, "serving");
    if app.config.trusted_proxies.is_empty() {
        tracing::info!("no trusted proxy: requests with forwarded headers have an unknown address");
    }
    for warning in check::warnings(&app.config) {
        tracing::warn!("{warning}");
    }
    for client in app
        .store
        .clients()
        .await?
        .iter()
        .filter(|client| client.disabled_at.is_none())
    {
        for warning in local::client_warnings(client) {
            tracing::warn!(client.id = client.client_id, "{warning}");
        }
    }
    Ok(())
}

async fn keep_house(app: Shared, mut stopped: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    let mut review = tokio::time::interval(REVIEW);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                if let Err(fault) = sweep(&app).await {
                    failure::log(&fault);
                }
            }
            _ = review.tick() => {
                if let Err(Failure::Fault(fault)) = unused::review(&app).await {
                    failure::log(&fault);
                }
            }
            _ = stopped.changed() => return,
        }
    }
}

/// What this process and others have written is told to whoever waits for it here.
async fn hear(app: Shared, mut stopped: watch::Receiver<bool>) {
    let mut announcements = app.store.announcements();
    loop {
        tokio::select! {
            heard = announcements.next() => match heard {
                Some(Announcement::Moved(code)) => app.pending.forget(&code),
                Some(Announcement::Missed) => {
                    app.pending.forget_all();
                    app.inboxes.tell(Announcement::Missed);
                }
                Some(changed) => app.inboxes.tell(changed),
                None => return,
            },
            _ = stopped.changed() => return,
        }
    }
}

/// SIGHUP: the policies are read again.
async fn reload_on_hangup(app: Shared, mut stopped: watch::Receiver<bool>) {
    let hangups = tokio::signal::unix::signal(SignalKind::hangup());
    let Ok(mut hangups) = hangups else {
        tracing::error!("cannot wait for SIGHUP: policies are read again by `waypass policy reload` only");
        return;
    };
    loop {
        tokio::select! {
            _ = hangups.recv() => match policies::reload(&app).await {
                Ok(_) => {}
                Err(Failure::Fault(fault)) => {
                    failure::log(&fault);
                }
                Err(_) => tracing::info!("SIGHUP: there are no policies to read again"),
            },
            _ = stopped.changed() => return,
        }
    }
}

async fn sweep(app: &App) -> Result<(), Fault> {
    let now = app.now();
    app.pending.sweep(now);
    app.seen.sweep(now);
    app.metrics
        .open_requests_counted(app.store.waiting_requests(now).await?);
    app.clients.reload(&app.store, now).await?;
    signing_keys::reload(app).await?;
    // As long as the files are large.
    let places = app.places.clone();
    tokio::task::spawn_blocking(move || places.reload());
    Ok(app.store.commit(store::Batch::default().sweep(now)).await?)
}

impl Running {
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        self.app.holds.let_go();
        while self.tasks.join_next().await.is_some() {}
        if let Ok(app) = Arc::try_unwrap(self.app) {
            app.store.close().await;
        }
        tracing::info!("stopped");
    }
}
