//! Reading what there is: the inventory, the objects wanted, and those not wanted any more. Writes nothing but dry runs.

use fractal_core::artifact::Digest;
use fractal_core::reconcile::At;

use serde_json::Value;

use crate::api::{Api, Kinds, Resource};
use crate::applied::{applied, without_replicas};
use crate::compare;
use crate::desired::{Desired, Wanted};
use crate::error::Error;
use crate::health::{self, Standing};
use crate::inventory::{self, Entry};
use crate::marks::{self, OWNER, PLACE, PRUNE, RUN};
use crate::observed::{Gap, Inventory, Live, Observed, Sight, Stray};
use crate::place::{Memo, Place};
use crate::tried::Tried;

mod gap;
mod standing;

use gap::refused;

/// The calls, and what is known of the cluster's kinds.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) kinds: Kinds,
    tried: Tried,
}

/// How an object is reached.
pub(crate) enum Reach {
    /// The cluster serves its kind.
    Served(Resource),
    /// It will, once the objects wanted are there.
    Defined(Resource),
    /// It does not.
    Unknown,
}

impl Cluster {
    pub(crate) fn new(client: kube::Client) -> Self {
        Self {
            api: Api::new(client),
            kinds: Kinds::default(),
            tried: Tried::default(),
        }
    }

    pub(crate) async fn observe(
        &self,
        at: &At<Place, Memo>,
        desired: Option<&Desired>,
    ) -> Result<Observed, Error> {
        let (inventory, mut marks) = self.inventory(at).await?;
        let mut sights = Vec::new();
        if let Some(desired) = desired {
            let mut look = Look {
                at,
                desired,
                listed: inventory.entries(),
                absent_namespaces: Vec::new(),
            };
            for wanted in &desired.wanted {
                let (sight, live) = self.sight(&mut look, wanted).await?;
                marks.extend(mark(&sight.entry, live.as_ref()));
                sights.push(sight);
            }
        }
        let mut strays = Vec::new();
        for entry in inventory.entries() {
            if sights.iter().any(|sight| sight.entry == *entry) {
                continue;
            }
            let live = self.live(entry).await?;
            marks.extend(mark(entry, live.as_ref()));
            strays.push(Stray {
                entry: entry.clone(),
                goes: live.as_ref().and_then(|it| marks::annotation(it, PRUNE)) == Some("true"),
                live: live.as_ref().map(seen),
            });
        }
        marks.sort();
        Ok(Observed {
            inventory,
            sights,
            strays,
            stamp: stamp(&marks),
        })
    }

    async fn inventory(&self, at: &At<Place, Memo>) -> Result<(Inventory, Vec<String>), Error> {
        let name = inventory::name(&at.owner);
        let resource = Resource::config_maps();
        let Some(object) = self
            .api
            .get(&resource, Some(&at.place.namespace), &name)
            .await?
        else {
            return Ok((Inventory::Absent, Vec::new()));
        };
        let live = seen(&object);
        if live.owner.as_deref() != Some(&at.owner.marker()) {
            return Ok((Inventory::Foreign { marker: live.owner }, Vec::new()));
        }
        let mark = format!("inventory {}", compare::mark(&object));
        let inventory = match inventory::entries(&object) {
            Err(why) => Inventory::Unreadable(why),
            Ok(entries) => {
                let mut wanted = inventory::object(&at.owner, &at.place, &entries);
                marks::mark(&mut wanted, (&at.owner, &at.place), None, None);
                Inventory::Ours {
                    touched: !contains(&object, &wanted),
                    entries,
                    uid: live.uid,
                    deleting: live.deleting,
                }
            }
        };
        Ok((inventory, vec![mark]))
    }

    /// How an entry is reached.
    pub(crate) async fn reach(
        &self,
        desired: Option<&Desired>,
        entry: &Entry,
    ) -> Result<Reach, Error> {
        let served = self
            .kinds
            .resource(&self.api, &entry.api_version, &entry.kind)
            .await?;
        if let Some(resource) = served {
            return Ok(Reach::Served(resource));
        }
        let defines = desired.map(|desired| desired.defines.as_slice());
        let defined = defines.unwrap_or_default().iter().find(|resource| {
            resource.kind == entry.kind && resource.api_version() == entry.api_version
        });
        Ok(defined.map_or(Reach::Unknown, |resource| Reach::Defined(resource.clone())))
    }

    /// An object of the inventory as it is. One whose kind is gone is gone with it.
    pub(crate) async fn live(&self, entry: &Entry) -> Result<Option<Value>, Error> {
        match self.served(entry).await? {
            Some(resource) => {
                let namespace = entry.namespace.as_deref();
                self.read(&resource, namespace, &entry.name).await
            }
            None => Ok(None),
        }
    }

    /// An object, or nothing. A kind or version that was taken away meanwhile is looked for again on the next look.
    async fn read(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, Error> {
        let answer = self.api.get(resource, namespace, name).await;
        self.heed(resource, answer)
    }

    /// Forgets how a kind is served where its path is not served.
    pub(crate) fn heed<T>(
        &self,
        resource: &Resource,
        answer: Result<T, Error>,
    ) -> Result<T, Error> {
        if matches!(&answer, Err(Error::Call(failure)) if failure.is_unserved()) {
            self.kinds.forget(&resource.api_version());
        }
        answer
    }

    /// How an object that was made is served now: it outlives the version it was written in.
    pub(crate) async fn served(&self, entry: &Entry) -> Result<Option<Resource>, Error> {
        let kinds = &self.kinds;
        let exact = kinds
            .resource(&self.api, &entry.api_version, &entry.kind)
            .await?;
        if exact.is_some() {
            return Ok(exact);
        }
        kinds
            .in_any_version(&self.api, entry.group(), &entry.kind)
            .await
    }

    async fn sight(
        &self,
        look: &mut Look<'_>,
        wanted: &Wanted,
    ) -> Result<(Sight, Option<Value>), Error> {
        let mut entry = wanted.entry.clone();
        let resource = match self.reach(Some(look.desired), &entry).await? {
            Reach::Served(resource) => resource,
            Reach::Defined(resource) => {
                if !resource.namespaced {
                    entry.namespace = None;
                }
                return Ok((absent(entry, Gap::Later), None));
            }
            Reach::Unknown => {
                let error = Error::KindUnknown {
                    kind: entry.kind.clone(),
                    api_version: entry.api_version.clone(),
                };
                return Ok((absent(entry, refused(error)), None));
            }
        };
        if !resource.namespaced {
            entry.namespace = None;
        }
        let namespace = entry.namespace.clone();
        if namespace
            .as_ref()
            .is_some_and(|it| look.absent_namespaces.contains(it))
        {
            return Ok((absent(entry, Gap::Later), None));
        }
        let mut object = applied(wanted, &entry, look.at);
        let live = self
            .read(&resource, namespace.as_deref(), &entry.name)
            .await?;
        if live.is_none() && entry.group().is_empty() && entry.kind == "Namespace" {
            look.absent_namespaces.push(entry.name.clone());
        }
        let scaled = match &live {
            Some(live) => self.is_others(&resource, &object, live).await?,
            None => false,
        };
        if scaled {
            without_replicas(&mut object);
        }
        let gap = self
            .gap(look, wanted, &resource, &entry, &object, live.as_ref())
            .await?;
        let standing = match &live {
            None => Standing::Progressing(format!("{entry}: not there yet")),
            Some(live) => self.standing(&entry, live).await?,
        };
        let sight = Sight {
            entry,
            live: live.as_ref().map(seen),
            gap,
            scaled,
            standing,
        };
        Ok((sight, live))
    }
}

/// What one look at a component goes by.
struct Look<'a> {
    at: &'a At<Place, Memo>,
    desired: &'a Desired,
    /// What the inventory lists.
    listed: &'a [Entry],
    /// Namespaces that are wanted and not there yet: nothing in them can be tried.
    absent_namespaces: Vec<String>,
}

impl Inventory {
    fn entries(&self) -> &[Entry] {
        match self {
            Self::Ours { entries, .. } => entries,
            Self::Absent | Self::Foreign { .. } | Self::Unreadable(_) => &[],
        }
    }
}

fn absent(entry: Entry, gap: Gap) -> Sight {
    Sight {
        standing: Standing::Progressing(format!("{entry}: not there yet")),
        entry,
        live: None,
        gap,
        scaled: false,
    }
}

fn seen(object: &Value) -> Live {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    Live {
        uid: text("/metadata/uid").unwrap_or_default().to_owned(),
        owner: marks::annotation(object, OWNER).map(str::to_owned),
        place: marks::annotation(object, PLACE).map(str::to_owned),
        managed: compare::is_managed(object),
        run: marks::annotation(object, RUN).map(str::to_owned),
        deleting: text("/metadata/deletionTimestamp").is_some(),
    }
}

/// Whether everything of `part` is in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part))),
        (whole, part) => whole == part,
    }
}

/// What an object contributes to the stamp. Secrets are left out: they are never listed, and a new one has a new name.
pub(crate) fn mark(entry: &Entry, live: Option<&Value>) -> Option<String> {
    let live = live?;
    if entry.group().is_empty() && entry.kind == "Secret" {
        return None;
    }
    Some(format!("{entry} {}", state(live)))
}

/// What is there, and whether it works: what has stopped working is looked at again.
pub(crate) fn state(live: &Value) -> String {
    let works = health::standing(live) == Standing::Ready;
    let word = if works { "works" } else { "does not work" };
    format!("{} {word}", compare::mark(live))
}

/// The stamp of sorted marks.
pub(crate) fn stamp(marks: &[String]) -> String {
    Digest::sha256(marks.join("\n")).hex().to_owned()
}
