//! What the demo and the tests share: sample artifacts. Queue, agents and simulated clouds in one process are the program's own.

pub mod samples;
