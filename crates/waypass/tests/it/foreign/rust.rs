//! The crates `oauth2` 5 and `openidconnect` 4, with an HTTP function of ours over the project's reqwest.

use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{
    ClientId, ClientSecret, DeviceAuthorizationUrl, RevocationUrl, Scope, StandardDeviceAuthorizationResponse,
};
use oauth2::{StandardRevocableToken, TokenResponse as _, TokenUrl};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreDeviceAuthorizationResponse,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType, CoreUserInfoClaims,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, Nonce, ProviderMetadata, TokenResponse as _};
use serde::{Deserialize, Serialize};

use super::javascript::approve_by_command;
use crate::http::CLIENT;
use crate::world::{SCOPES, World};

on_both!(
    the_oauth2_crate_walks_plain,
    the_oauth2_crate_walks_with_a_secret,
    the_openidconnect_crate_walks
);

/// The crates' HTTP over the project's reqwest. `oauth2` revokes over https only (RFC 7009 §2): here, where
/// the loopback server has no TLS, https becomes http.
async fn send(request: oauth2::HttpRequest) -> Result<oauth2::HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let url = parts
        .uri
        .to_string()
        .replacen("https://localhost", "http://localhost", 1);
    let response = CLIENT
        .request(parts.method, url)
        .headers(parts.headers)
        .body(body)
        .send()
        .await?;
    let mut answer = oauth2::HttpResponse::new(Vec::new());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = response.headers().clone();
    *answer.body_mut() = response.bytes().await?.to_vec();
    Ok(answer)
}

async fn the_oauth2_crate_walks_plain(world: &World) {
    oauth2_walk(world, world.stock_client().await, None).await;
}

async fn the_oauth2_crate_walks_with_a_secret(world: &World) {
    let (client, secret) = world.secret_client(&["--profile", "open", "--scope", SCOPES]).await;
    oauth2_walk(world, client, Some(secret)).await;
}

async fn oauth2_walk(world: &World, client: String, secret: Option<String>) {
    let revocation = world.htu("/revoke").replacen("http://", "https://", 1);
    let mut client = BasicClient::new(ClientId::new(client))
        .set_device_authorization_url(DeviceAuthorizationUrl::new(world.htu("/device_authorization")).unwrap())
        .set_token_uri(TokenUrl::new(world.htu("/token")).unwrap())
        .set_revocation_url(RevocationUrl::new(revocation).unwrap());
    if let Some(secret) = secret {
        client = client.set_client_secret(ClientSecret::new(secret));
    }
    let scopes = SCOPES.split(' ').map(|scope| Scope::new(scope.to_owned()));
    let started: StandardDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scopes(scopes)
        .request_async(&send)
        .await
        .unwrap();
    assert_eq!(started.interval(), Duration::from_secs(5));
    approve_by_command(world, started.user_code().secret()).await;
    let tokens = client
        .exchange_device_access_token(&started)
        .request_async(&send, tokio::time::sleep, None)
        .await
        .unwrap();
    let refreshed = client
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .request_async(&send)
        .await
        .unwrap();
    let token = refreshed.access_token().secret();
    assert_eq!(world.introspect(token).await["active"], true);
    let end = StandardRevocableToken::RefreshToken(refreshed.refresh_token().unwrap().clone());
    client.revoke_token(end).unwrap().request_async(&send).await.unwrap();
    assert_eq!(world.introspect(token).await["active"], false);
}

/// The crate's discovery document has no device endpoint of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct DeviceEndpoint {
    device_authorization_endpoint: DeviceAuthorizationUrl,
}

impl AdditionalProviderMetadata for DeviceEndpoint {}

type Provider = ProviderMetadata<
    DeviceEndpoint,
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

/// The issuer is compared as text, the ID token's signature by the keys of the JWKS document. The crate
/// knows RS256 by default.
async fn the_openidconnect_crate_walks(world: &World) {
    let flags = [
        "--public",
        "--profile",
        "open",
        "--scope",
        SCOPES,
        "--signing-alg",
        "RS256",
    ];
    let client_id = world.client(&flags).await;
    let issuer = IssuerUrl::new(world.server.issuer.clone()).unwrap();
    let provider = Provider::discover_async(issuer, &send).await.unwrap();
    let device_endpoint = provider.additional_metadata().device_authorization_endpoint.clone();
    let client = CoreClient::from_provider_metadata(provider, ClientId::new(client_id), None)
        .set_device_authorization_url(device_endpoint);
    let scope = Scope::new("profile".to_owned());
    let started: CoreDeviceAuthorizationResponse = client
        .exchange_device_code()
        .add_scope(scope)
        .request_async(&send)
        .await
        .unwrap();
    approve_by_command(world, started.user_code().secret()).await;
    let tokens = client.exchange_device_access_token(&started).unwrap();
    let tokens = tokens.request_async(&send, tokio::time::sleep, None).await.unwrap();
    let any_nonce = |_: Option<&Nonce>| Ok(());
    let claims = tokens
        .id_token()
        .unwrap()
        .claims(&client.id_token_verifier(), any_nonce)
        .unwrap();
    let person: CoreUserInfoClaims = client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request_async(&send)
        .await
        .unwrap();
    assert_eq!(person.subject(), claims.subject());
}
