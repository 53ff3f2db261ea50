//! What every agent binary runs: due work -> pass -> settle, with backoff, shutdown, flags, logs, metrics and health.
//!
//! A cloud's crate implements [`Agent`] and calls [`main`]; nothing of the loop is written again.
//! The loop knows no cloud: it sees a platform's steps as text and its faults as classes.

mod agent;
mod args;
mod artifacts;
mod backoff;
mod command;
mod content;
mod crypto;
mod inputs;
mod journal;
mod secrets;
mod service;
mod settings;
mod steady;
mod stop;
mod telemetry;
mod worker;

pub use agent::{Agent, Connected};
pub use args::RuntimeArgs;
pub use artifacts::{Artifacts, UNSUPPORTED_ON_TARGET};
pub use command::main;
pub use content::RegistryContent;
pub use crypto::install_crypto_provider;
pub use fractal_core::Exit;
pub use fractal_queue::QueueUrl;
pub use fractal_registry::Options as RegistryOptions;
pub use secrets::Secrets;
pub use service::{Service, Status, Surroundings};
pub use settings::Settings;
pub use stop::{Stop, Stopper};
pub use telemetry::metrics::Metrics;
