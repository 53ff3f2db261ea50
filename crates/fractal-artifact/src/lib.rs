//! What artifact bytes say: pure parsers of hostile input, no I/O.
