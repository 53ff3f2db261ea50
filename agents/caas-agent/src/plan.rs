//! What stands between what is wanted and what there is, as steps.

use fractal_core::Fault;
use fractal_core::reconcile::{At, Plan};

use crate::desired::{Desired, Wanted};
use crate::error::Error;
use crate::health::Standing;
use crate::inventory::{self, Entry};
use crate::observed::{Gap, Inventory, Live, Observed, Sight, Stray};
use crate::place::{Memo, Place};

mod step;

pub use step::Step;

/// Looks in which absence is not believed after something was begun to be made: three for the inventory, and three for what it lists.
pub(crate) const UNSEEN_LOOKS: u8 = 6;

/// The plan.
pub(crate) fn plan(
    at: &At<Place, Memo>,
    desired: Option<&Desired>,
    observed: &Observed,
) -> Result<Plan<Step>, Error> {
    let inventory = Listed::of(at, &observed.inventory)?;
    match desired {
        None => Ok(absence(at, &inventory, observed)),
        Some(desired) => presence(at, desired, &inventory, observed),
    }
}

/// What the inventory says, once it is one of ours.
struct Listed<'a> {
    entries: &'a [Entry],
    uid: Option<&'a str>,
    deleting: bool,
    touched: bool,
}

impl<'a> Listed<'a> {
    fn of(at: &At<Place, Memo>, inventory: &'a Inventory) -> Result<Self, Error> {
        let name = || {
            let name = inventory::name(&at.owner);
            format!("ConfigMap {}/{name}", at.place.namespace)
        };
        match inventory {
            Inventory::Absent => Ok(Self {
                entries: &[],
                uid: None,
                deleting: false,
                touched: false,
            }),
            Inventory::Foreign { marker } => Err(Error::Foreign {
                object: name(),
                marker: marker.clone(),
            }),
            Inventory::Unreadable(why) => Err(unreadable(&name(), why)),
            Inventory::Ours {
                entries,
                uid,
                deleting,
                touched,
            } => Ok(Self {
                entries,
                uid: Some(uid),
                deleting: *deleting,
                touched: *touched,
            }),
        }
    }
}

fn unreadable(object: &str, why: &str) -> Error {
    let fault = Fault::blocked(
        fractal_core::Reason::new("InventoryUnreadable"),
        format!("the inventory {object} cannot be read"),
    )
    .because(why)
    .next("put its list back, or delete the ConfigMap: what is wanted is found again, what was dropped meanwhile stays and has to be deleted by hand");
    Error::Fault(fault)
}

/// Everything of ours goes, the last made first; then the inventory.
fn absence(at: &At<Place, Memo>, listed: &Listed<'_>, observed: &Observed) -> Plan<Step> {
    match (prunes(at, &observed.strays), listed.uid) {
        (Pruning::Steps(steps), _) => Plan::steps(steps),
        (Pruning::Done, _) if at.memo.unseen > 0 => {
            Plan::Wait("what was just begun to be made may still appear".to_owned())
        }
        (Pruning::Wait(reason), _) => Plan::Wait(reason),
        (Pruning::Done, _) if listed.deleting => {
            Plan::Wait("the inventory is being deleted".to_owned())
        }
        (Pruning::Done, Some(uid)) => Plan::step(Step::Forget {
            uid: uid.to_owned(),
        }),
        (Pruning::Done, None) => Plan::InSync,
    }
}

fn presence(
    at: &At<Place, Memo>,
    desired: &Desired,
    listed: &Listed<'_>,
    observed: &Observed,
) -> Result<Plan<Step>, Error> {
    refuse(observed)?;
    if listed.deleting {
        return Ok(Plan::Wait("the inventory is being deleted".to_owned()));
    }
    if let Some(entry) = deleting(&observed.sights) {
        return Ok(Plan::Wait(format!("{entry} is being deleted")));
    }
    // What may exist is listed before it does.
    let wanted: Vec<Entry> = observed
        .sights
        .iter()
        .filter(|it| is_listed(it))
        .map(|it| it.entry.clone())
        .collect();
    if let Some(home) = home(at, observed, listed) {
        return Ok(Plan::step(home));
    }
    let pairs: Vec<_> = desired.wanted.iter().zip(&observed.sights).collect();
    let (mut now, held) = due(at, &pairs)?;
    if let Some(entries) = union(listed, &wanted) {
        now.insert(0, Step::Record { entries });
    }
    if !now.is_empty() {
        let later = later(at, &now, &pairs, &observed.strays);
        return Ok(Plan::Apply { now, later });
    }
    if let Some(reason) = held {
        return Ok(Plan::Wait(reason));
    }
    // What running pods refer to stays until those run that do not.
    let settled = pairs
        .iter()
        .all(|(wanted, sight)| sight.standing == Standing::Ready || has_run(at, wanted, sight));
    if !settled {
        return Ok(Plan::InSync);
    }
    match prunes(at, &observed.strays) {
        Pruning::Steps(steps) => return Ok(Plan::steps(steps)),
        Pruning::Wait(reason) => return Ok(Plan::Wait(reason)),
        Pruning::Done => {}
    }
    // Nothing is left of what is not wanted: only now is it forgotten.
    if listed.touched || !lists(listed.entries, &wanted) {
        return Ok(Plan::step(Step::Record { entries: wanted }));
    }
    Ok(Plan::InSync)
}

/// Whether an inventory lists exactly these, in the versions they are written in now.
fn lists(entries: &[Entry], wanted: &[Entry]) -> bool {
    let known = |entry: &Entry| {
        entries
            .iter()
            .any(|it| it == entry && it.api_version == entry.api_version)
    };
    entries.len() == wanted.len() && wanted.iter().all(known)
}

/// Anything that can never be, or belongs to others, stops the whole component before its first write.
fn refuse(observed: &Observed) -> Result<(), Error> {
    for (index, sight) in observed.sights.iter().enumerate() {
        let before = observed.sights.get(..index).unwrap_or_default();
        match &sight.gap {
            Gap::Refused(fault) if is_early(sight, fault, before) => {}
            Gap::Refused(fault) => return Err(Error::Fault((**fault).clone())),
            Gap::Foreign => {
                return Err(Error::Foreign {
                    object: sight.entry.to_string(),
                    marker: sight.live.as_ref().and_then(|live| live.owner.clone()),
                });
            }
            Gap::Immutable(why) if sight.entry.is_kept() => {
                return Err(Error::Immutable {
                    object: sight.entry.to_string(),
                    why: why.clone(),
                });
            }
            Gap::None
            | Gap::Absent
            | Gap::Later
            | Gap::Differs { .. }
            | Gap::Immutable(_)
            | Gap::HandOver { .. } => {}
        }
    }
    Ok(())
}

/// Whether an object is refused only for what the same bundle is about to make or change: a definition, a role, a quota, an account.
fn is_early(sight: &Sight, fault: &Fault, before: &[Sight]) -> bool {
    let pending = |group: &str, kinds: &[&str]| {
        before.iter().any(|it| {
            let named = it.entry.group() == group && kinds.contains(&it.entry.kind.as_str());
            named && matches!(it.gap, Gap::Absent | Gap::Differs { .. } | Gap::Later)
        })
    };
    let kind = sight.entry.kind.as_str();
    match fault.reason.as_str() {
        "SpecRefused" if !sight.entry.is_builtin() => {
            pending("apiextensions.k8s.io", &["CustomResourceDefinition"])
        }
        "QuotaExceeded" => pending("", &["ResourceQuota", "LimitRange"]),
        "AdmissionDenied" => kind == "Pod" && pending("", &["ServiceAccount"]),
        "PermissionDenied" | "Settling" => {
            kind.ends_with("RoleBinding")
                && pending("rbac.authorization.k8s.io", &["Role", "ClusterRole"])
        }
        _ => false,
    }
}

/// Shared objects that someone else made are not ours to list.
fn is_listed(sight: &Sight) -> bool {
    sight
        .live
        .as_ref()
        .is_none_or(|live| !sight.entry.is_shared() || live.owner.is_some() && live.managed)
}

fn deleting(sights: &[Sight]) -> Option<&Entry> {
    let gone = |sight: &&Sight| sight.live.as_ref().is_some_and(|live| live.deleting);
    sights.iter().find(gone).map(|sight| &sight.entry)
}

/// The namespace of the inventory itself, where the bundle brings it: it is made before anything can be listed in it.
fn home(at: &At<Place, Memo>, observed: &Observed, listed: &Listed<'_>) -> Option<Step> {
    let mut absent = observed.sights.iter().filter(|it| it.gap == Gap::Absent);
    let home = absent.find(|it| {
        let namespace = it.entry.group().is_empty() && it.entry.kind == "Namespace";
        namespace && it.entry.name == at.place.namespace
    });
    home.filter(|_| listed.uid.is_none())
        .map(|it| Step::Create {
            object: it.entry.clone(),
            digest: None,
            run: None,
        })
}

/// The inventory with everything wanted, where it lacks some of it.
fn union(listed: &Listed<'_>, wanted: &[Entry]) -> Option<Vec<Entry>> {
    let lacking: Vec<_> = wanted
        .iter()
        .filter(|entry| !listed.entries.contains(entry))
        .cloned()
        .collect();
    if lacking.is_empty() && listed.uid.is_some() {
        return None;
    }
    let mut all = listed.entries.to_vec();
    all.extend(lacking);
    all.sort();
    Some(all)
}

/// The steps that can be taken now, in order, and why no more can.
fn due(
    at: &At<Place, Memo>,
    pairs: &[(&Wanted, &Sight)],
) -> Result<(Vec<Step>, Option<String>), Error> {
    let stages = pairs.iter().map(|(wanted, _)| wanted.stage).max();
    let mut now = Vec::new();
    for stage in 0..=stages.unwrap_or(0) {
        let here = || pairs.iter().filter(|(wanted, _)| wanted.stage == stage);
        for (wanted, sight) in here() {
            now.extend(step(at, wanted, sight)?);
        }
        // Namespaces and definitions have to be ready before what needs them; later stages need not wait for one another.
        let mut unready =
            here().filter(|(_, sight)| stage == 0 && sight.standing != Standing::Ready);
        if let Some((_, sight)) = unready.next() {
            return Ok((now, Some(format!("{} is not ready yet", sight.entry))));
        }
        let early = |sight: &Sight| matches!(sight.gap, Gap::Later | Gap::Refused(_));
        if let Some((_, sight)) = here().find(|(_, sight)| early(sight)) {
            return Ok((now, Some(format!("{} cannot be made yet", sight.entry))));
        }
        if stage == 0 && !now.is_empty() {
            break;
        }
    }
    Ok((now, None))
}

/// What follows, for people.
fn later(
    at: &At<Place, Memo>,
    now: &[Step],
    pairs: &[(&Wanted, &Sight)],
    strays: &[Stray],
) -> Vec<String> {
    let is_now = |sight: &Sight| now.iter().any(|step| step.object() == Some(&sight.entry));
    let applied = pairs
        .iter()
        .filter(|(_, sight)| sight.gap != Gap::None && !is_now(sight))
        .map(|(_, sight)| format!("apply {}", sight.entry));
    let deleted = strays.iter().filter_map(|stray| {
        let live = stray.live.as_ref()?;
        goes(at, stray, live).then(|| format!("delete {}, once all else runs", stray.entry))
    });
    applied.chain(deleted).collect()
}

fn step(at: &At<Place, Memo>, wanted: &Wanted, sight: &Sight) -> Result<Option<Step>, Error> {
    let object = sight.entry.clone();
    let (digest, run) = (wanted.digest.clone(), wanted.run.clone());
    Ok(match &sight.gap {
        Gap::None | Gap::Later | Gap::Foreign | Gap::Refused(_) => None,
        Gap::Absent if has_run(at, wanted, sight) => None,
        Gap::Absent => Some(Step::Create {
            object,
            digest,
            run,
        }),
        Gap::Differs { force, changes } => Some(Step::Update {
            object,
            digest,
            run,
            force: *force,
            scaled: sight.scaled,
            changes: changes.clone(),
        }),
        Gap::HandOver { replicas } => Some(Step::HandOver {
            object,
            replicas: *replicas,
        }),
        Gap::Immutable(why) => Some(Step::Replace {
            object,
            why: why.clone(),
            uid: sight.live.as_ref().ok_or(Error::Unplanned)?.uid.clone(),
        }),
    })
}

/// Whether this very work was started before: that it is gone, by its TTL or by hand, is no reason to run it again.
pub(crate) fn has_run(at: &At<Place, Memo>, wanted: &Wanted, sight: &Sight) -> bool {
    let known = at.memo.runs.get(&sight.entry.to_string());
    known.is_some_and(|run| run.made && Some(&run.hash) == wanted.run.as_ref())
}

/// What becomes of objects that are not wanted.
enum Pruning {
    Steps(Vec<Step>),
    Wait(String),
    Done,
}

fn prunes(at: &At<Place, Memo>, strays: &[Stray]) -> Pruning {
    let going = strays.iter().filter_map(|stray| {
        let live = stray.live.as_ref()?;
        (goes(at, stray, live)).then_some((rank(&stray.entry), stray, live))
    });
    let mut going: Vec<_> = going.collect();
    going.sort_by_key(|(rank, ..)| *rank);
    let Some((first, ..)) = going.first() else {
        return Pruning::Done;
    };
    // What is of the first rank is gone before anything of the next goes.
    let first = *first;
    let now = going.iter().filter(|(rank, ..)| *rank == first);
    let steps: Vec<_> = now
        .clone()
        .filter(|(_, _, live)| !live.deleting)
        .map(|(_, stray, live)| Step::Prune {
            object: stray.entry.clone(),
            uid: live.uid.clone(),
        })
        .collect();
    match now.map(|(_, stray, _)| &stray.entry).next() {
        Some(entry) if steps.is_empty() => Pruning::Wait(format!("{entry} is being deleted")),
        _ => Pruning::Steps(steps),
    }
}

/// Whether a stray is ours to take away. What someone else has meanwhile is theirs, and what moved on is of another inventory.
fn goes(at: &At<Place, Memo>, stray: &Stray, live: &Live) -> bool {
    let kept = stray.entry.is_kept() && !stray.goes;
    let here = live
        .place
        .as_ref()
        .is_none_or(|place| *place == at.place.namespace);
    !kept && here && live.is_ours(&at.owner.marker(), true)
}

/// In which order objects go. Custom resources first, while the operator that has to clean up after them still runs; what runs next;
/// then what that needed, and last what all lived in.
fn rank(entry: &Entry) -> u8 {
    match (entry.group(), entry.kind.as_str()) {
        ("", "Namespace") | ("apiextensions.k8s.io", _) => 3,
        ("", "Pod") | ("apps" | "batch", _) => 1,
        _ if !entry.is_builtin() => 0,
        _ => 2,
    }
}
