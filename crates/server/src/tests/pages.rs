//! The pages in process, with a passkey of our own making: what a browser sends and gets.

mod account;
mod browser;
mod deciding;
mod forgery;
mod frame;
mod passkey;
mod signing_in;
