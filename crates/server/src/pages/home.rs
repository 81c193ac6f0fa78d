//! The root of the issuer, for a person who types its address.

use askama::Template;
use axum::extract::State;
use axum::response::Html;

use super::waiting::{self, WaitingList};
use super::{Frame, PageFailure, html};
use crate::app::Shared;
use crate::extract::session::SignedIn;

#[derive(Template)]
#[template(path = "home.html")]
pub struct HomePage {
    pub frame: Frame,
    pub waiting: WaitingList,
}

pub async fn show(State(app): State<Shared>, signed_in: Option<SignedIn>) -> Result<Html<String>, PageFailure> {
    let waiting = match &signed_in {
        Some(by) => waiting::list(&app, by).await?,
        None => WaitingList::default(),
    };
    Ok(html(&HomePage {
        frame: Frame::new(&app, signed_in.as_ref()),
        waiting,
    })?)
}
