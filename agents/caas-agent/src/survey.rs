//! Many components with few calls: the inventories of a namespace, then one list for each kind they name.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::Resource;
use crate::compare;
use crate::error::Error;
use crate::inventory::{self, Entry};
use crate::marks;
use crate::observe::{self, Cluster};
use crate::place::Place;

/// Components from which lists are fewer calls than single reads: a component has three objects or more, inventory included.
const WORTH: usize = 3;

impl Cluster {
    /// The stamps of everything in a namespace, or nothing where single reads are fewer or lists are not allowed.
    pub(crate) async fn survey(
        &self,
        namespace: &str,
        wanted: usize,
    ) -> Result<Option<BTreeMap<Place, String>>, Error> {
        if wanted < WORTH {
            return Ok(None);
        }
        match self.surveyed(namespace).await {
            Err(Error::Call(failure)) if failure.is_forbidden() => Ok(None),
            other => other.map(Some),
        }
    }

    async fn surveyed(&self, namespace: &str) -> Result<BTreeMap<Place, String>, Error> {
        let maps = Resource::config_maps();
        let inventories = self
            .api
            .list(
                &maps,
                Some(namespace),
                &format!("{}=true", inventory::LABEL),
            )
            .await?;
        let mut listed = Vec::new();
        let mut kinds: BTreeMap<Entry, Vec<Entry>> = BTreeMap::new();
        for object in &inventories {
            let (Some(place), Ok(entries)) = (inventory::place(object), inventory::entries(object))
            else {
                continue;
            };
            for entry in entries.iter().filter(|entry| !is_secret(entry)) {
                let kind = Entry {
                    name: String::new(),
                    ..entry.clone()
                };
                kinds.entry(kind).or_default().push(entry.clone());
            }
            listed.push((place, compare::mark(object), entries));
        }
        let mut marks = BTreeMap::new();
        for (kind, entries) in kinds {
            marks.extend(match self.marks(&kind).await {
                // What may be read and not listed is read.
                Err(Error::Call(failure)) if failure.is_forbidden() => self.each(&entries).await?,
                other => other?,
            });
        }
        Ok(listed
            .into_iter()
            .map(|(place, inventory, entries)| {
                let objects = entries.iter().filter_map(|entry| {
                    let mark = marks.get(&entry.to_string())?;
                    Some(format!("{entry} {mark}"))
                });
                let mut all: Vec<String> = objects.collect();
                all.push(format!("inventory {inventory}"));
                all.sort();
                (place, observe::stamp(&all))
            })
            .collect())
    }

    /// The marks of these objects, read one by one.
    async fn each(&self, entries: &[Entry]) -> Result<BTreeMap<String, String>, Error> {
        let mut marks = BTreeMap::new();
        for entry in entries {
            if let Some(live) = self.live(entry).await? {
                marks.insert(entry.to_string(), observe::state(&live));
            }
        }
        Ok(marks)
    }

    /// The marks of all objects of one kind in one namespace, by entry.
    async fn marks(&self, any: &Entry) -> Result<BTreeMap<String, String>, Error> {
        let Some(resource) = self.served(any).await? else {
            return Ok(BTreeMap::new());
        };
        let namespace = any.namespace.as_deref();
        let objects = self
            .api
            .list(&resource, namespace, marks::INSTALLATION)
            .await;
        let objects = self.heed(&resource, objects)?;
        let marked = objects.into_iter().filter_map(|mut object| {
            // Items of a list say neither.
            if let Value::Object(map) = &mut object {
                map.insert("apiVersion".to_owned(), any.api_version.clone().into());
                map.insert("kind".to_owned(), any.kind.clone().into());
            }
            let entry = Entry::of(&object)?;
            Some((entry.to_string(), observe::state(&object)))
        });
        Ok(marked.collect())
    }
}

fn is_secret(entry: &Entry) -> bool {
    entry.group().is_empty() && entry.kind == "Secret"
}
