//! Exit codes: a contract with scripts, the same for every binary.

use std::process::ExitCode;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// It did what was asked.
    Success,
    /// Something outside did not answer in time: trying again may help.
    TryAgain,
    /// It was asked right and could not do it: the message says why.
    Failed,
    /// It was asked wrongly. Also clap's own code for a usage error.
    Usage,
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

    /// Of two endings, the one that needs more attention: what may pass by itself gives way to what does not.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        self.max(other)
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

    #[test]
    fn what_does_not_pass_by_itself_decides() {
        assert_eq!(Exit::Success.worse(Exit::TryAgain), Exit::TryAgain);
        assert_eq!(Exit::Failed.worse(Exit::TryAgain), Exit::Failed);
    }
}
