//! Who takes part in the demo, made over the local API as an administrator would: two approvers, the
//! program that asks, and the API that it asks for.

use std::path::PathBuf;
use std::sync::Arc;

use protocol::base64url;
use protocol::dpop::NonceKey;
use protocol::wire::local::{AddApprover, AddClient, EnrollmentLink};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;
use zeroize::Zeroizing;

use crate::commands::approver::enroll::{EnrollArgs, enroll};
use crate::commands::demo::api::{self, Api, Introspection};
use crate::commands::demo::server::Server;
use crate::failure::Failure;
use crate::http::Http;
use crate::io::Io;
use crate::local::{Local, read};
use crate::metadata::{Metadata, discover};
use crate::settings::Profile;

/// What the page calls the program.
pub const NAME: &str = "Staging deployer";
/// What the machine is called on which the program runs.
pub const MACHINE: &str = "Build host 7";
const CLIENT_ID: &str = "demo";
/// Decides in a browser.
const PERSON: &str = "you";
/// Decides in this terminal, with a software key.
const TERMINAL: &str = "terminal";

pub struct Cast {
    pub local: Local,
    pub metadata: Metadata,
    /// What the program asks for, and where.
    pub profile: Profile,
    pub enrollment_link: String,
    /// Of the approver in this terminal.
    pub key_file: PathBuf,
    pub api: Arc<Api>,
    _serving: JoinSet<()>,
}

impl Cast {
    pub async fn gather(io: &mut Io, server: &Server) -> Result<Self, Failure> {
        let local = Local::open(server.data())?;
        let enrollment_link = add_approver(io, &local, PERSON).await?;
        let key_file = add_software_key(io, &local, server).await?;
        let scope = format!("openid offline_access profile {}", api::SCOPE);
        local.post(io, &["clients"], &program(&scope)).await?;
        let (api, serving) = open_api(io, &local, server).await?;
        Ok(Self {
            metadata: discover(io, &server.http, &server.issuer).await?,
            profile: Profile {
                authorization_details: None,
                server: server.issuer.as_str().to_owned(),
                client_id: CLIENT_ID.to_owned(),
                scope: Some(scope),
                resource: Vec::new(),
                ca_file: None,
                posture_jwt: None,
                certificate: None,
            },
            local,
            enrollment_link,
            key_file,
            api,
            _serving: serving,
        })
    }
}

async fn add_approver(io: &Io, local: &Local, name: &str) -> Result<String, Failure> {
    let body = AddApprover { name: name.to_owned() };
    let link: EnrollmentLink = read(local.post(io, &["approvers"], &body).await?)?;
    Ok(link.enrollment_link)
}

async fn add_software_key(io: &mut Io, local: &Local, server: &Server) -> Result<PathBuf, Failure> {
    let args = EnrollArgs {
        link: add_approver(io, local, TERMINAL).await?,
        key_file: server.data().join("approver.key"),
        ca_file: None,
        json: false,
    };
    enroll(&args, io).await?;
    Ok(args.key_file)
}

fn program(scope: &str) -> AddClient {
    AddClient {
        client_id: CLIENT_ID.to_owned(),
        name: Some(NAME.to_owned()),
        kind: Some("agent".to_owned()),
        environment: Some("staging".to_owned()),
        owner: Some("Platform team".to_owned()),
        purpose: Some("Brings the newest build to staging".to_owned()),
        verified: true,
        scope: scope.to_owned(),
        profile: Some("standard".to_owned()),
        public: true,
        require_dpop: true,
        ..AddClient::default()
    }
}

async fn open_api(io: &mut Io, local: &Local, server: &Server) -> Result<(Arc<Api>, JoinSet<()>), Failure> {
    let secret = Zeroizing::new(base64url::encode(&io.draw()?.0));
    let resource_server = AddClient {
        client_id: api::CLIENT_ID.to_owned(),
        scope: api::SCOPE.to_owned(),
        secret: Some(secret.to_string()),
        introspect: true,
        ..AddClient::default()
    };
    local.post(io, &["clients"], &resource_server).await?;

    let cannot = |error: std::io::Error| Failure::failed(format!("the demo's API cannot be opened: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let url = Url::parse(&format!("http://{address}/deploy")).map_err(|error| Failure::failed(error.to_string()))?;
    let introspection = Introspection {
        http: Http::for_server(io, server.issuer.url(), None)?,
        url: server.issuer.endpoint("introspect"),
        secret,
        clock: Arc::clone(&io.clock),
    };
    let api = Arc::new(Api::new(url, introspection, NonceKey::new(&io.draw()?.0)));
    let serving = Arc::clone(&api).serve(listener);
    Ok((api, serving))
}
