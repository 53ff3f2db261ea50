//! Components as people name them: `LIVE_SYSTEM/COMPONENT`, or as much of its end as is enough.

use fractal_core::contract::{ComponentId, LiveSystemId};
use fractal_queue::{ComponentDocument, Queue};

use crate::error::CliError;
use crate::live_system::{ends_with, listed, shown};

/// The one component in the whole queue that `text` names.
pub(crate) async fn find(queue: &Queue, text: &str) -> Result<ComponentDocument, CliError> {
    let mut all = Vec::new();
    for system in queue.live_systems().await? {
        all.extend(queue.components(&system.id).await?);
    }
    let names: Vec<String> = all
        .iter()
        .map(|document| document.key.to_string())
        .collect();
    all.retain(|document| ends_with(&document.key.to_string(), text));
    let all = without_tombstones(all);
    let matching: Vec<String> = all
        .iter()
        .map(|document| document.key.to_string())
        .collect();
    match <[ComponentDocument; 1]>::try_from(all) {
        Ok([document]) => Ok(document),
        Err(several) if several.is_empty() => Err(unknown(text, &names)),
        Err(_) => {
            let matching: Vec<&str> = matching.iter().map(String::as_str).collect();
            Err(CliError::name(
                format!("`{}` stands for several components", shown(text)),
                format!("name one whole: {}", listed(&matching)),
            ))
        }
    }
}

/// The documents of one component of a live system: several where its offer or environment changed.
pub(crate) async fn of(
    queue: &Queue,
    system: &LiveSystemId,
    text: &str,
) -> Result<Vec<ComponentDocument>, CliError> {
    let all = queue.components(system).await?;
    let id: Option<ComponentId> = text.parse().ok();
    let found: Vec<ComponentDocument> = all
        .iter()
        .filter(|document| Some(&document.key.component) == id.as_ref())
        .cloned()
        .collect();
    if found.is_empty() {
        let names: Vec<String> = all
            .iter()
            .map(|document| document.key.component.to_string())
            .collect();
        return Err(unknown(text, &names));
    }
    Ok(found)
}

/// What is still wanted, where anything is: the name of a component means that one.
fn without_tombstones(mut all: Vec<ComponentDocument>) -> Vec<ComponentDocument> {
    if all.iter().any(|document| !document.tombstone) {
        all.retain(|document| !document.tombstone);
    }
    all
}

fn unknown(text: &str, names: &[String]) -> CliError {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let next = if names.is_empty() {
        "it has no components".to_owned()
    } else {
        format!("there are: {}", listed(&names))
    };
    CliError::name(format!("there is no component `{}`", shown(text)), next)
}
