//! Reconciles container workloads, manifest bundles and Spark jobs onto Kubernetes, by server-side apply.
//!
//! `desired`, `plan` and `compare` are pure, `health` but for one look at the clock; `api` alone names the client.

mod api;
mod applied;
mod args;
mod compare;
mod config;
mod desired;
mod error;
mod health;
mod inventory;
mod marks;
mod needs;
mod observe;
mod observed;
mod place;
mod plan;
mod platform;
mod preflight;
mod registries;
mod survey;
mod tried;

pub use args::{KubernetesArgs, SparkArgs};
pub use config::{Config, Provider, Spark};
pub use desired::{Desired, Wanted};
pub use error::{Error, GRANTS};
pub use health::Standing;
pub use inventory::Entry;
pub use marks::{DIGEST, OWNER, PLACE, PRUNE, RUN};
pub use observed::{Change, Gap, Inventory, Live, Observed, Sight, Stray};
pub use place::{Memo, Place, Run};
pub use plan::Step;
pub use platform::Kubernetes;
