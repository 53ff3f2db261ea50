//! What every agent binary runs: due work, pass, settle; flags, logs, metrics, health.
