//! OCI distribution: resolve, verified streaming reads, push, copy, layouts, credentials.
