# The commands of this repository; each calls cargo xtask, which works without just.

# List the recipes
default:
    @just --list

# Publish, deploy, watch, break and repair on simulated clouds (needs Rust and a C compiler only)
demo *ARGUMENTS:
    cargo demo -- {{ ARGUMENTS }}

# Install the parts, then run every check and every test; what CI runs
test *FILTER:
    cargo xtask test {{ FILTER }}

# Install the programs the tests run against: --list, --repair
parts *FLAGS:
    cargo xtask parts {{ FLAGS }}

# rustfmt, clippy, dependency rules, documentation
check:
    cargo xtask check

# Build every crate alone
each:
    cargo xtask each

# Prove that demo and tests connect to 127.0.0.1 only
offline *FILTER:
    cargo xtask offline {{ FILTER }}

# One benchmark of the release binaries
bench NAME *FLAGS:
    cargo xtask bench {{ NAME }} {{ FLAGS }}
