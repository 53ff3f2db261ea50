//! The Kubernetes agent's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    fractal_runtime::main::<caas_agent::Kubernetes>()
}
