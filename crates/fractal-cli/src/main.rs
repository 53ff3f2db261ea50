//! The `fractal` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    fractal_cli::main()
}
