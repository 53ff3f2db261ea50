//! The conformance suite on the Lambda agent: real SDK calls over loopback to a simulated AWS, once for each way code gets there.

#[cfg(test)]
#[path = "support/artifacts.rs"]
mod artifacts;
#[cfg(test)]
#[path = "support/cloud.rs"]
mod cloud;
#[cfg(test)]
#[path = "support/harness.rs"]
mod lambda_harness;
#[cfg(test)]
#[path = "support/wire.rs"]
mod wire;

mod inline_zip {
    fractal_testkit::conformance!(super::lambda_harness::LambdaCloud::inline_zip);
}

mod staged_zip {
    fractal_testkit::conformance!(super::lambda_harness::LambdaCloud::staged_zip);
}

mod image {
    fractal_testkit::conformance!(super::lambda_harness::LambdaCloud::image);
}
