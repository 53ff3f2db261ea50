//! What the cluster holds. No clocks and no request ids: two equal observations mean that nothing happened.

use fractal_core::Fault;

use crate::health::Standing;
use crate::inventory::Entry;

/// What there is of a component.
#[derive(Debug, PartialEq)]
pub struct Observed {
    /// The inventory.
    pub inventory: Inventory,
    /// The objects wanted, in the order they are wanted.
    pub sights: Vec<Sight>,
    /// Objects of the inventory that are not wanted any more.
    pub strays: Vec<Stray>,
    /// A mark of all of them that a change of their status leaves alone.
    pub stamp: String,
}

impl Observed {
    /// Whether everything is there: the inventory, all it lists, and all that is wanted.
    pub(crate) fn is_whole(&self) -> bool {
        let inventory = !matches!(self.inventory, Inventory::Absent);
        let sights = self.sights.iter().all(|sight| sight.live.is_some());
        inventory && sights && self.strays.iter().all(|stray| stray.live.is_some())
    }
}

/// The inventory in the cluster.
#[derive(Debug, PartialEq)]
pub enum Inventory {
    /// There is none.
    Absent,
    /// Someone else's object has its name.
    Foreign {
        /// Its ownership marker, where it has one.
        marker: Option<String>,
    },
    /// What it lists.
    Ours {
        /// The entries.
        entries: Vec<Entry>,
        /// Its uid.
        uid: String,
        /// Whether it is being deleted.
        deleting: bool,
        /// Whether someone changed it: it is written again then.
        touched: bool,
    },
    /// It is ours, and its list cannot be read.
    Unreadable(String),
}

/// One object wanted.
#[derive(Debug, PartialEq)]
pub struct Sight {
    /// Which, its namespace settled.
    pub entry: Entry,
    /// It as it is.
    pub live: Option<Live>,
    /// What it takes.
    pub gap: Gap,
    /// Whether someone else's autoscaler sets its replicas: the component's are left out then.
    pub scaled: bool,
    /// Whether it works.
    pub standing: Standing,
}

/// An object as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Its uid.
    pub uid: String,
    /// The ownership marker.
    pub owner: Option<String>,
    /// The namespace whose inventory lists it.
    pub place: Option<String>,
    /// Whether fields of it were applied by this agent.
    pub managed: bool,
    /// The hash it was started with, of work that runs once.
    pub run: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

impl Live {
    /// Whether it is ours: by its marker, or, where someone removed that, because we applied it and our inventory lists it.
    #[must_use]
    pub fn is_ours(&self, marker: &str, listed: bool) -> bool {
        match &self.owner {
            Some(owner) => owner == marker,
            None => self.managed && listed,
        }
    }
}

/// What stands between an object wanted and an object there.
#[derive(Debug, PartialEq)]
pub enum Gap {
    /// Nothing.
    None,
    /// It is not there.
    Absent,
    /// It is not there and cannot be tried: what it needs is made first.
    Later,
    /// Applying it would change it.
    Differs {
        /// Whether fields have to be taken back from someone who changed them by hand.
        force: bool,
        /// What would change.
        changes: Vec<Change>,
    },
    /// It cannot be changed in place.
    Immutable(String),
    /// Its replicas are ours, and an autoscaler is to have them.
    HandOver {
        /// How many there are.
        replicas: i64,
    },
    /// It is someone else's.
    Foreign,
    /// It cannot be had.
    Refused(Box<Fault>),
}

/// One field that would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where, as `spec.replicas`.
    pub path: String,
    /// What there is, as JSON; nothing where there is nothing.
    pub from: Option<String>,
    /// What there would be.
    pub to: Option<String>,
}

/// An object of the inventory that is not wanted.
#[derive(Debug, PartialEq)]
pub struct Stray {
    /// Which.
    pub entry: Entry,
    /// It as it is.
    pub live: Option<Live>,
    /// Whether its manifest asks that it goes although its kind stays.
    pub goes: bool,
}
