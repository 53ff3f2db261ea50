//! House rules that no lint knows: how files open, how long they are, what must not be in them, whether links and invariants lead somewhere,
//! and the dependency rules that need to tell a dependency from a dev-dependency. The code's behaviour is tested elsewhere.

#[cfg(test)]
#[path = "tidy/manifests.rs"]
mod manifests;
#[cfg(test)]
#[path = "tidy/pages.rs"]
mod pages;
#[cfg(test)]
#[path = "tidy/sources.rs"]
mod sources;
#[cfg(test)]
#[path = "tidy/tree.rs"]
mod tree;
