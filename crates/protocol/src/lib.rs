//! The rules of Waypass: who may ask, what an approval binds, what a token carries, how all of it ends.
//!
//! In reading order: [`client`] and [`authorization_request`] (one transaction from request to
//! redemption), [`profile`] and [`eligibility`] (who may decide it, and what has to hold), [`instance`] (who
//! asks), [`initiator`] and [`binding_data`] (what a person does where it is asked),
//! [`decision`] and [`narrowing`] (what an approver signs, which may be less than was asked), [`grant`] and
//! [`refresh`] (what comes of it), [`dpop`], [`client_certificate`], [`client_auth`] and [`posture`] (who proves
//! what), [`refusal`] (every way to say no), [`wire`] (what
//! goes over the network).
//!
//! Deliberately absent: clocks, randomness, databases, HTTP, anything that can wait. `now` and
//! [`secret::Entropy`] are arguments; signing lives with the keys, in `server` and `cli`.

pub mod admission;
pub mod approval;
pub mod approver;
pub mod attestation;
pub mod authentication;
pub mod authorization_request;
pub mod backchannel;
pub mod base64url;
pub mod binding_data;
pub mod challenge;
pub mod client;
pub mod client_assertion;
pub mod client_auth;
pub mod client_certificate;
pub mod decision;
pub mod details;
pub mod digest;
pub mod dpop;
pub mod eligibility;
pub mod event;
pub mod fact;
pub mod grant;
pub mod guess;
pub mod initiator;
pub mod instance;
pub mod jwk;
pub mod jwt;
pub mod key_words;
pub mod narrowing;
pub mod network;
pub mod platform;
pub mod posture;
pub mod posture_demand;
pub mod profile;
pub mod refresh;
pub mod refusal;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod shown;
pub mod spiffe;
pub mod strict_json;
pub mod time;
pub mod user_code;
pub mod wire;
pub mod workload_token;
