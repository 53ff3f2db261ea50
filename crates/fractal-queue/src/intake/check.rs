//! What is wrong with a live system as a whole: circles, unknown dependencies, large shrinks. Pure.

use std::collections::{BTreeMap, BTreeSet};

use fractal_core::contract::{Component, ComponentId, LiveSystem};

use super::{IntakeError, SHRINK_FROM, Shrink};
use crate::document::live_system::LiveSystemDocument;
use crate::queue::gate::provided;

pub(super) fn dependencies(system: &LiveSystem) -> Result<(), IntakeError> {
    for component in system.components.values() {
        for dependency in &component.dependencies {
            let known = system.components.contains_key(dependency)
                || provided(component, dependency.as_str(), None).is_some();
            if !known {
                let (component, dependency) = (component.id.clone(), dependency.clone());
                return Err(IntakeError::UnknownDependency {
                    component,
                    dependency,
                });
            }
        }
    }
    cycle(&system.components).map_or(Ok(()), |cycle| Err(IntakeError::Cycle { cycle }))
}

/// The first circle, found depth first without recursion: chains may be as long as a live system is large.
fn cycle(components: &BTreeMap<ComponentId, Component>) -> Option<Vec<ComponentId>> {
    let mut done: BTreeSet<&ComponentId> = BTreeSet::new();
    for start in components.keys() {
        let mut path: Vec<(&ComponentId, usize)> = vec![(start, 0)];
        while let Some((id, next)) = path.last_mut() {
            let dependency = components
                .get(*id)
                .filter(|_| !done.contains(*id))
                .and_then(|component| component.dependencies.get(*next));
            *next += 1;
            match dependency {
                None => {
                    done.insert(*id);
                    path.pop();
                }
                Some(dependency) => {
                    if let Some(at) = path.iter().position(|(id, _)| *id == dependency) {
                        let circle = path.iter().skip(at).map(|(id, _)| (*id).clone());
                        return Some(circle.chain([dependency.clone()]).collect());
                    }
                    path.push((dependency, 0));
                }
            }
        }
    }
    None
}

pub(super) fn shrink(
    before: &LiveSystemDocument,
    system: &LiveSystem,
    allowed: Shrink,
) -> Result<(), IntakeError> {
    let known = before.components.len();
    let removed = before
        .components
        .keys()
        .filter(|id| !system.components.contains_key(*id))
        .count();
    if allowed == Shrink::Hold && known >= SHRINK_FROM && removed * 2 > known {
        return Err(IntakeError::LargeShrink { removed, known });
    }
    Ok(())
}
