//! What artifact bytes say: the directory of a deployment zip, the metadata of a wheel, the files of a manifest bundle and
//! what they render to, the one image of an index, an image's config.
//!
//! Pure parsers of hostile bytes: no I/O, no clock, memory bounded by stated caps. Only wheels are unpacked, in memory.
//! Fetching and verifying the bytes is `fractal-registry`'s; deciding what to do with them is the agents'.

pub mod bundle;
mod image;
pub mod manifests;
pub mod targets;
pub mod wheel;
mod zip;

pub use bundle::{BundleError, BundleFiles, BundleScanner, bundle_tar};
pub use image::{CONFIG_MAX, ImageConfig, ImageError, Selected, image_config, select_image};
pub use wheel::{WheelError, WheelName, WheelNameError, WheelScanner};
pub use zip::{
    DirectoryRead, KEPT_FILE_MAX, KeptFile, Limits, Mode, ZipDirectory, ZipEntry, ZipError,
    ZipScanner, read_directory, zip_facts,
};
