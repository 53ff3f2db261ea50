//! Reconciling: the trait a cloud implements, the values it works with, and the one pass that drives it.

pub mod platform;
pub use platform::*;
