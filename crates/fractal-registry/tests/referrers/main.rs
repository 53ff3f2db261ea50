//! What refers to an artifact goes with a copy of it: found in every way there is, bounded, and no danger to the artifact itself.

#[cfg(test)]
mod found;
#[cfg(test)]
mod left_behind;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod rig;
