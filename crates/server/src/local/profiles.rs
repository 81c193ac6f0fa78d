//! `profile list|show`.

use axum::Json;
use axum::extract::{Path, State};
use protocol::client::Client;
use protocol::profile::Profile;
use protocol::wire::local::{MitigationView, ProfileView};

use crate::app::{App, Shared};
use crate::failure::Failure;

pub async fn list(State(app): State<Shared>) -> Result<Json<Vec<ProfileView>>, Failure> {
    Ok(Json(all(&app, &app.store.clients().await?)))
}

pub async fn show(State(app): State<Shared>, Path(name): Path<String>) -> Result<Json<ProfileView>, Failure> {
    let unknown = Failure::NotFound("There is no profile of this name.");
    let profile = app.profiles().named(&name).ok_or(unknown)?;
    let clients = app.store.clients().await?;
    Ok(Json(ProfileView {
        toml: app.config.profiles.texts.get(&name).cloned(),
        ..view(profile, &clients)
    }))
}

pub fn all(app: &App, clients: &[Client]) -> Vec<ProfileView> {
    app.profiles().iter().map(|profile| view(profile, clients)).collect()
}

pub fn mitigations(profile: &Profile) -> Vec<MitigationView> {
    let held = profile.mitigations().into_iter();
    held.map(|held| MitigationView {
        id: held.id.to_owned(),
        how: held.how,
    })
    .collect()
}

fn view(profile: &Profile, clients: &[Client]) -> ProfileView {
    let governed = clients
        .iter()
        .filter(|client| client.registration.profile.as_deref() == Some(&profile.name));
    ProfileView {
        name: profile.name.clone(),
        version: profile.version.as_str().to_owned(),
        purpose: profile.purpose.clone(),
        warning: profile.warning.clone(),
        risk: profile.assessment.risk.clone(),
        residual: profile.assessment.residual.clone(),
        mitigations: mitigations(profile),
        clients: governed.map(|client| client.client_id.clone()).collect(),
        toml: None,
    }
}
