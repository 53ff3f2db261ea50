//! The rules of where artifacts run: each at its limit, below and above, and on artifacts that are right and wrong in one point.

#[cfg(test)]
mod azure;
#[cfg(test)]
mod google;
#[cfg(test)]
mod images;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod support;
#[cfg(test)]
mod wheels;
#[cfg(test)]
mod zips;

#[cfg(test)]
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/raw.rs"]
mod raw;
