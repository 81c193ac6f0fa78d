//! The pages in process, with a passkey of our own making: what a browser sends and gets.

mod account;
pub mod browser;
mod deciding;
mod devices;
mod forgery;
mod frame;
pub mod passkey;
mod signing_in;
mod upstream;
