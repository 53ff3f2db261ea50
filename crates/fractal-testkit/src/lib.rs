//! Conformance suite, broken agents and fault injection for tests.
