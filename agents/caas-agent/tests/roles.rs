//! Each rule of the documented roles, taken away in turn: the agent says which one is missing, or does without it.

#[cfg(test)]
#[path = "support/rig.rs"]
#[expect(dead_code, unused_imports, reason = "this file needs part of it only")]
mod rig;

#[cfg(test)]
#[path = "roles/documented.rs"]
mod documented;
#[cfg(test)]
#[path = "roles/matrix.rs"]
mod matrix;
#[cfg(test)]
#[path = "roles/rules.rs"]
mod rules;
