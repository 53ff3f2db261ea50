//! Many components with few calls: the inventories of a namespace, then one list for each kind they name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::api::Resource;
use crate::compare;
use crate::error::Error;
use crate::inventory::{self, Entry};
use crate::marks;
use crate::observe::{self, Cluster, Reach};
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
        let mut kinds = BTreeSet::new();
        for object in &inventories {
            let (Some(place), Ok(entries)) = (inventory::place(object), inventory::entries(object))
            else {
                continue;
            };
            for entry in entries.iter().filter(|entry| !is_secret(entry)) {
                kinds.insert((
                    entry.api_version.clone(),
                    entry.kind.clone(),
                    entry.namespace.clone(),
                ));
            }
            listed.push((place, compare::mark(object), entries));
        }
        let mut marks = BTreeMap::new();
        for (api_version, kind, namespace) in kinds {
            marks.extend(
                self.marks(&api_version, &kind, namespace.as_deref())
                    .await?,
            );
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

    /// The marks of all objects of one kind in one namespace, by entry.
    async fn marks(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let any = Entry {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: String::new(),
        };
        let Reach::Served(resource) = self.reach(None, &any).await? else {
            return Ok(BTreeMap::new());
        };
        let objects = self
            .api
            .list(&resource, namespace, marks::INSTALLATION)
            .await?;
        let marked = objects.into_iter().filter_map(|mut object| {
            // Items of a list say neither.
            if let Value::Object(map) = &mut object {
                map.insert("apiVersion".to_owned(), api_version.into());
                map.insert("kind".to_owned(), kind.into());
            }
            let entry = Entry::of(&object)?;
            Some((entry.to_string(), compare::mark(&object)))
        });
        Ok(marked.collect())
    }
}

fn is_secret(entry: &Entry) -> bool {
    entry.group().is_empty() && entry.kind == "Secret"
}
