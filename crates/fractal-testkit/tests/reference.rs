//! The suite on the correct agent: every clause holds.

use fractal_testkit::reference::ReferenceCloud;

async fn fresh() -> ReferenceCloud {
    ReferenceCloud::default()
}

fractal_testkit::conformance!(fresh);
