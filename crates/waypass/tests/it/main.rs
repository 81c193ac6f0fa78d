//! The product as outsiders meet it: the built binary as server and as command line, on both databases,
//! with raw HTTP, a real browser and other people's clients. Rules and storage have tests of their own
//! beside their code; nothing here looks inside the server.
//!
//! Each module stands in `cfg(test)` so that clippy knows helpers for what they are.

#[cfg(test)]
#[macro_use]
mod world;

#[cfg(test)]
mod approver;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod database;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod document;
#[cfg(test)]
mod flows;
#[cfg(test)]
mod foreign;
#[cfg(test)]
mod http;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod phishing;
#[cfg(test)]
mod process;
#[cfg(test)]
mod resource_server;
#[cfg(test)]
mod rfc;
#[cfg(test)]
mod running;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod tools;
