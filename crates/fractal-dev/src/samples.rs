//! The artifacts the demo publishes: a function zip and a container image, made here so that nothing has to be fetched.

mod image;
mod program;
mod zip;

pub use image::{Image, image};
pub use program::{Machine, program};
pub use zip::function_zip;
