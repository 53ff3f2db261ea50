//! The Lambda agent's binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    fractal_runtime::main::<lambda_agent::Lambda>()
}
