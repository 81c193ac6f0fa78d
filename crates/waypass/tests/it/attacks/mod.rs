//! The bugs of others and the attacks of the field notes, each a test that fails where the bug is;
//! docs/attacks.md is the list with the stories.

mod deciding;
mod proxies;
mod races;
mod redeeming;
mod sinks;
