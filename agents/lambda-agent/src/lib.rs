//! Reconciles function components onto AWS Lambda.
