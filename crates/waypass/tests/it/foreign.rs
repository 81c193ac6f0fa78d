//! Other people's clients against the running server: the crates `oauth2` and `openidconnect`, npm
//! `openid-client` and `oauth4webapi`; tokens verified by npm `jose` and PyPI `PyJWT`. Any of them stands for
//! the many clients that know only the RFCs: nothing here is told about Waypass. And a mail server, PyPI `aiosmtpd`.

mod attested;
mod backchannel;
mod javascript;
mod machine;
mod mail;
mod mtls;
mod rust;
mod verifiers;
