//! One test a row of docs/conformance.md, as far as a row can be seen from outside; each is named by the
//! row. What only the command line does (D08, D10, D24, D25) is tested beside it.

mod base;
mod bcp;
mod device_authorization;
mod device_polling;
mod dpop;
mod dpop_polling;
mod tokens;
