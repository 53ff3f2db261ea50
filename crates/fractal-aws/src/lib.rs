//! What AWS agents share: credentials, registry tokens, error tables.
