//! Reconciles function components onto AWS Lambda: zips (inline or through S3) and container images.
//!
//! `desired`, `plan` and `observed` are pure; `api` alone names the AWS SDK.

mod api;
mod architecture;
mod args;
mod config;
mod desired;
mod error;
mod needs;
mod observed;
mod place;
mod plan;
mod platform;
mod preflight;

pub use args::LambdaArgs;
pub use config::{Config, INLINE_MAX, INLINE_MAX_WITHOUT_BUCKET};
pub use desired::{Code, Desired, Settings};
pub use error::{Error, GRANTS};
pub use observed::{Function, Observed, Operation, Variables};
pub use place::{Memo, Place, Staged};
pub use plan::{Deletion, Step};
pub use platform::Lambda;
