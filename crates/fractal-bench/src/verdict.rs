//! Targets: what was asked for, the figure of this run, and whether it holds. What could not be measured is said, and holds nothing up.

use serde::Serialize;

use crate::row::{dash, round};

/// One target of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) target: &'static str,
    pub(crate) what: String,
    /// Absent where the tool it is compared with is not on this machine.
    pub(crate) figure: Option<f64>,
    pub(crate) gate: String,
    pub(crate) holds: Option<bool>,
}

impl Verdict {
    pub(crate) fn at_most(
        target: &'static str,
        what: String,
        figure: Option<f64>,
        gate: f64,
    ) -> Self {
        Self {
            target,
            what,
            figure: figure.map(round),
            gate: format!("<= {gate}"),
            holds: figure.map(|figure| figure <= gate),
        }
    }

    pub(crate) fn at_least(
        target: &'static str,
        what: String,
        figure: Option<f64>,
        gate: f64,
    ) -> Self {
        Self {
            target,
            what,
            figure: figure.map(round),
            gate: format!(">= {gate}"),
            holds: figure.map(|figure| figure >= gate),
        }
    }

    /// Whether it was not missed.
    pub(crate) fn is_fine(&self) -> bool {
        self.holds != Some(false)
    }

    pub(crate) const HEAD: [&str; 5] = ["target", "what", "figure", "gate", "verdict"];

    pub(crate) fn cells(&self) -> Vec<String> {
        let verdict = match self.holds {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "not measured: the tool is not on this machine",
        };
        vec![
            self.target.to_owned(),
            self.what.clone(),
            self.figure.map_or_else(dash, |figure| figure.to_string()),
            self.gate.clone(),
            verdict.to_owned(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_holds_up_to_itself_and_what_is_missing_is_not_a_miss() {
        let check = |figure, holds| {
            let verdict = Verdict::at_most("T1", "x".into(), figure, 1.15);
            assert_eq!(verdict.holds, holds);
            assert_eq!(verdict.is_fine(), holds != Some(false));
        };
        check(Some(1.15), Some(true));
        check(Some(1.151), Some(false));
        check(None, None);
        let verdict = Verdict::at_least("T4", "x".into(), Some(1.2), 1.2);
        assert_eq!(
            (verdict.holds, verdict.gate.as_str()),
            (Some(true), ">= 1.2")
        );
    }
}
