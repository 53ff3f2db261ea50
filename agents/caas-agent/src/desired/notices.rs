//! What people should know of what is wanted, though it stands in nobody's way.

use fractal_artifact::manifests::{Match, Overlay, Rendered, Warning};
use fractal_core::Reason;
use fractal_core::contract::Params;
use fractal_core::reconcile::Notice;

use super::notice;

/// Most notices of one kind: a status is a small document.
const MOST: usize = 10;

pub(super) fn of_bundle(rendered: &Rendered, overlay: &Overlay) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !rendered.unresolved.is_empty() {
        let names: Vec<_> = rendered
            .unresolved
            .iter()
            .take(MOST)
            .map(|it| format!("${} (line {})", it.name, it.line))
            .collect();
        let count = rendered.unresolved.len();
        let more = count.saturating_sub(MOST);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let message = format!(
            "without a value, left as they are: {}{more}",
            names.join(", ")
        );
        notices.push(notice(Reason::new("UnresolvedNames"), message));
    }
    if let (Match::Unmatched { seen }, false) = (&rendered.workload, overlay.is_empty()) {
        let seen: Vec<_> = seen.iter().take(MOST).map(ToString::to_string).collect();
        let seen = if seen.is_empty() {
            "none".to_owned()
        } else {
            seen.join(", ")
        };
        let message = format!(
            "no Deployment, StatefulSet or DaemonSet is named like the component, so its parameters change nothing; the bundle has: {seen}"
        );
        notices.push(notice(Reason::new("OverlayUnmatched"), message));
    }
    notices.extend(rendered.warnings.iter().take(MOST).map(warned));
    notices
}

fn warned(warning: &Warning) -> Notice {
    let reason = match warning {
        Warning::CleartextSecret { .. } => Reason::new("CleartextSecret"),
        Warning::MovingTag { .. } => Reason::new("MovingTag"),
        Warning::ReplicasLeft { .. } => Reason::new("ReplicasLeft"),
        _ => Reason::new("BundleWarning"),
    };
    notice(reason, format!("{warning}; {}", warning.next()))
}

pub(super) fn of_workload(parameters: &Params) -> Vec<Notice> {
    let scales = parameters.get("maxReplicas").is_some();
    let requests = ["cpu", "cpuRequest"]
        .iter()
        .any(|name| parameters.get(name).is_some())
        || parameters
            .get("resourceRequests")
            .is_some_and(|requests| requests.get("cpu").is_some());
    if scales && !requests {
        let message =
            "maxReplicas scales by CPU, and the component requests none: set cpuRequest".to_owned();
        return vec![notice(Reason::new("AutoscalerBlind"), message)];
    }
    Vec::new()
}
