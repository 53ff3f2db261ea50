//! What AWS agents share: the session with its account, how SDK errors become faults, and registry tokens.
//!
//! SDK retries are off: the runtime decides when something is tried again.

mod ecr;
mod failure;
mod session;

pub use ecr::EcrCredentials;
pub use failure::{Failure, Rule, denied};
pub use session::{Session, SessionError};
