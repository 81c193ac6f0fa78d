//! The pages in a real headless Chromium with its virtual authenticator: what a person does, may not do,
//! and sees.

mod account;
mod deciding;
pub mod driver;
mod forbidden;
mod governed;
mod inbox;
pub mod looks;
mod mishaps;
mod notices;
pub mod person;
mod upstream;
