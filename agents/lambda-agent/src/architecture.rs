//! The CPU architecture a component asks for.

use fractal_core::Fault;
use fractal_core::contract::params::PARAMETER_INVALID;
use fractal_core::reconcile::Inputs;

use crate::error::Error;

/// An architecture of Lambda.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Architecture {
    Amd64,
    Arm64,
}

impl Architecture {
    /// In Lambda's words.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// What the parameter `architecture` says, in Lambda's words or in Go's.
    pub(crate) fn wanted(inputs: &Inputs) -> Result<Option<Self>, Error> {
        match inputs.parameters.text("architecture")? {
            None => Ok(None),
            Some("x86_64" | "amd64") => Ok(Some(Self::Amd64)),
            Some("arm64" | "aarch64") => Ok(Some(Self::Arm64)),
            Some(other) => {
                let what = format!("`{}` is no architecture of Lambda", other.escape_debug());
                let fault = Fault::terminal(PARAMETER_INVALID, what);
                let fault = fault.at("parameters.architecture");
                Err(fault.next("use x86_64 or arm64").into())
            }
        }
    }
}
