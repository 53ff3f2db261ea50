//! Queue, agents and simulated clouds in one process, and the demo.
