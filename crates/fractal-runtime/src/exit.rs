//! Exit codes, the same for every binary.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked.
    Success,
    /// It was asked right and could not do it: the message says why.
    Failed,
    /// It was asked wrongly. Also clap's own code for a usage error.
    Usage,
    /// Something outside did not answer in time or is being changed: trying again may help.
    TryAgain,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            // EX_TEMPFAIL of sysexits.h.
            Self::TryAgain => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_a_contract() {
        let codes = [Exit::Success, Exit::Failed, Exit::Usage, Exit::TryAgain].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 75]);
    }
}
