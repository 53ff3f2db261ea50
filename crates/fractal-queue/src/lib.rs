//! The control-plane queue: a small document store, its SQLite engine, and the queue's rules once above it.
