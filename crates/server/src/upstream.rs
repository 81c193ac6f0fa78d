//! An upstream OpenID provider, which says who somebody is and decides nothing. OpenID Connect Core §3.1,
//! Discovery §4, RFC 7636, RFC 9207. Who that is here, and what it opens, is in `pages/upstream.rs`.

mod exchange;
mod fetch;

use std::sync::Arc;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGenderClaim, CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreSubjectIdentifierType, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AdditionalProviderMetadata, AuthType, ClientId, CsrfToken, EmptyExtraTokenFields,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RedirectUrl, Scope, StandardErrorResponse, StandardTokenResponse,
};
use protocol::digest::Digest;
use protocol::secret::{ClientSecret, SessionToken};
use protocol::time::{Lifetime, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use store::Fault;
use tokio::sync::Mutex;
use url::Url;

use crate::app::App;
use crate::config::{Config, UpstreamConfig, is_protected};
use crate::upstream::fetch::Http;

pub use exchange::{Identified, Returned};

/// Where the provider sends the browser back to.
pub const CALLBACK: &str = "/sign-in/upstream/callback";
/// How long what the provider says of itself, and its keys, are believed without asking again.
const KEPT: Lifetime = Lifetime::from_seconds(3600);
/// How soon after asking the provider is asked again: for a key that is not there yet, or after silence.
/// Anybody can begin a sign-in, so this is what bounds what strangers make this server send.
const ASKED_AGAIN: Lifetime = Lifetime::from_seconds(10);

/// RFC 9207 §3.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NamesItself {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for NamesItself {}

/// The claims beside those of OpenID Connect Core §2 and §5.1: groups among them.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(flatten)]
    all: Map<String, Value>,
}

impl AdditionalClaims for Claims {}

type Metadata = ProviderMetadata<
    NamesItself,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Tokens = StandardTokenResponse<
    IdTokenFields<
        Claims,
        EmptyExtraTokenFields,
        CoreGenderClaim,
        CoreJweContentEncryptionAlgorithm,
        CoreJwsSigningAlgorithm,
    >,
    CoreTokenType,
>;

type Client = openidconnect::Client<
    Claims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Tokens,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

pub struct Upstream {
    pub config: UpstreamConfig,
    secret: ClientSecret,
    redirect_uri: String,
    http: Http,
    known: Mutex<Known>,
}

/// What is known of the provider, and when it was last asked.
#[derive(Default)]
struct Known {
    asked_at: Option<Timestamp>,
    provider: Option<Arc<Provider>>,
}

struct Provider {
    client: Client,
    names_itself: bool,
}

/// What one sign-in sends along and must find again. It is made of the browser's own cookie: none of it is
/// stored, and in another browser none of it fits.
pub struct Attempt {
    pub state: Digest,
    nonce: Digest,
    verifier: Digest,
}

impl Attempt {
    pub fn of(app: &App, cookie: &SessionToken) -> Self {
        let part = |name| app.derived.page_token(&["upstream", name, cookie.reveal()]);
        Self {
            state: part("state"),
            nonce: part("nonce"),
            verifier: part("verifier"),
        }
    }

    fn nonce(&self) -> Nonce {
        Nonce::new(self.nonce.as_str().to_owned())
    }

    fn verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.verifier.as_str().to_owned())
    }
}

/// The provider itself is not asked here: a server starts without it.
pub fn open(config: &Config) -> Result<Option<Upstream>, Fault> {
    let Some(upstream) = &config.upstream else {
        return Ok(None);
    };
    let file = &upstream.client_secret_file;
    let broken = |what| Fault::broken(format!("{} (client_secret_file of [upstream]) {what}", file.display()));
    let secret = std::fs::read_to_string(file).map_err(|error| broken("cannot be read").because(error))?;
    if secret.trim().is_empty() {
        return Err(broken("is empty"));
    }
    Ok(Some(Upstream {
        secret: ClientSecret::presented(secret.trim()),
        redirect_uri: config.issuer.url(CALLBACK),
        http: Http::new(upstream.issuer.starts_with("http:"))?,
        known: Mutex::default(),
        config: upstream.clone(),
    }))
}

impl Upstream {
    /// The page of the provider to sign in on. `anew`: the person shows there who they are, whoever that
    /// browser is signed in as.
    pub async fn authorization_url(&self, attempt: &Attempt, anew: bool, now: Timestamp) -> Result<Url, Fault> {
        let provider = self.provider(now, KEPT).await?;
        let (state, nonce) = (CsrfToken::new(attempt.state.as_str().to_owned()), attempt.nonce());
        let mut request = provider
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&attempt.verifier()))
            .add_scopes(self.config.scopes.iter().cloned().map(Scope::new));
        if anew {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        Ok(request.url().0)
    }

    /// What the provider says of itself, no older than `max_age`; asked for by one at a time.
    async fn provider(&self, now: Timestamp, max_age: Lifetime) -> Result<Arc<Provider>, Fault> {
        let mut known = self.known.lock().await;
        let age = known.asked_at.map(|asked_at| now - asked_at);
        let is_recent = age.is_some_and(|age| age < max_age);
        match &known.provider {
            Some(provider) if is_recent => return Ok(provider.clone()),
            None if age.is_some_and(|age| age < ASKED_AGAIN) => {
                return Err(Fault::busy("the upstream provider did not answer a moment ago"));
            }
            _ => {}
        }
        *known = Known {
            asked_at: Some(now),
            provider: None,
        };
        let provider = Arc::new(self.discover().await?);
        known.provider = Some(provider.clone());
        Ok(provider)
    }

    async fn discover(&self) -> Result<Provider, Fault> {
        let unusable = |why: &str| Fault::broken(format!("the upstream provider cannot be used: {why}"));
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|_| unusable("its issuer"))?;
        let metadata = Metadata::discover_async(issuer, &self.http)
            .await
            .map_err(|error| fetch::undiscovered(&error))?;
        if metadata.issuer().as_str() != self.config.issuer {
            return Err(unusable("it names another issuer"));
        }
        if metadata.token_endpoint().is_none() {
            return Err(unusable("it has no token endpoint"));
        }
        // Where this server itself goes is looked at in `fetch`.
        if !is_protected(metadata.authorization_endpoint().url()) {
            return Err(unusable("its authorization endpoint is not https"));
        }
        let methods = metadata.token_endpoint_auth_methods_supported();
        let only_posts = methods.is_some_and(|methods| !methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let names_itself = metadata
            .additional_metadata()
            .authorization_response_iss_parameter_supported;
        let redirect_uri = RedirectUrl::new(self.redirect_uri.clone()).map_err(|_| unusable("our own address"))?;
        let secret = openidconnect::ClientSecret::new(self.secret.reveal().to_owned());
        let client =
            Client::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), Some(secret))
                .set_redirect_uri(redirect_uri)
                .set_auth_type(if only_posts {
                    AuthType::RequestBody
                } else {
                    AuthType::BasicAuth
                });
        Ok(Provider { client, names_itself })
    }
}
