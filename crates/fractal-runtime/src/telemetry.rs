//! What an operator sees: logs, metrics and health.

pub(crate) mod http;
pub(crate) mod logs;
pub(crate) mod metrics;
