//! Reconciling: the trait a cloud implements, the values it works with, and the one pass that drives it.

mod content;
mod inputs;
mod pass;
mod plan;
mod platform;
mod record;
mod value;

pub use content::{BoxFuture, ByteStream, Content, NoContent};
pub use inputs::{Artifact, Inputs, Outputs, Peer, Release, Rollout, SECRET_MISSING};
pub use pass::{
    Applied, Consent, End, Goal, Journal, NOT_CONVERGING, NoteError, PassReport, Planned, Preview,
    REPLACE_NEEDS_CONSENT, SETTLING, Task, preview, reconcile,
};
pub use plan::{Effect, Health, Plan, Step};
pub use platform::{
    At, Finding, Grant, InstallationId, Needs, Notice, Owner, Platform, fingerprint,
};
pub use record::{Record, Synced};
pub use value::Value;
