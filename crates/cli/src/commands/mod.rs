//! One file per command: what is typed on top, what it does below.

pub mod admission;
pub mod approver;
pub mod call;
pub mod client;
pub mod curl;
pub mod decide;
pub mod demo;
pub mod enroll;
pub mod event;
pub mod grant;
pub mod group;
pub mod inbox;
pub mod instance;
pub mod key;
pub mod login;
pub mod logout;
pub mod notice;
pub mod policy;
pub mod posture;
pub mod profile;
pub mod request;
pub mod run;
pub mod status;
pub mod token;
pub mod verify_decision;
pub mod whoami;
