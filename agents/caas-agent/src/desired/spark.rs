//! The objects of a Spark job: a SparkApplication that runs a wheel, and the launcher behind it.

use fractal_artifact::manifests::Object;
use fractal_core::reconcile::{Inputs, Rollout};

use crate::config::Spark;
use crate::error::Error;
use crate::place::Place;

pub(super) fn objects(_: &Spark, _: &Place, _: &Inputs, _: &Rollout) -> Result<Vec<Object>, Error> {
    Err(Error::Unplanned)
}
