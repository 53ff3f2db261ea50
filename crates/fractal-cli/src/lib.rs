//! The fractal command.
