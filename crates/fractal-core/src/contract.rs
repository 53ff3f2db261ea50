//! What an application is made of, in the one canonical form behind the edge: live systems, components, parameters.
//!
//! [`wire`] is the edge: it folds what every SDK version sends into this form.

pub mod component;
pub mod environment;
pub mod live_system;
pub mod params;
pub mod wire;

pub use component::{Component, ComponentId, ComponentKey, IdError, Link, Offer};
pub use environment::{Environment, EnvironmentId};
pub use live_system::{LiveSystem, LiveSystemId};
pub use params::{ParamError, Params};
