// SPDX-License-Identifier: MIT
//! libdirac for Rust: build, train, fold and run DiracNets. No crate but `std` is needed.
//!
//! A failed call is an [`Error`] with the library's own message. Lifetimes hold what the C headers ask for: a node
//! cannot outlive its net, an output is borrowed from its session and so gone before the next forward, a handle keeps
//! alive what it was made from. A [`Context`] and a built [`Net`] may be shared by threads; a [`Session`], [`Sgd`] or
//! [`Batches`] may move to another thread, and has one caller at a time.
//!
//! [`sys`] has every function of the C interface.
mod callback;
mod checkpoint;
mod context;
mod data;
mod error;
mod layer;
mod models;
mod net;
mod node;
mod raw;
mod session;
mod sgd;
pub mod sys;

pub use checkpoint::Checkpoint;
pub use context::{abi_version, build_features, version, version_number, Allocator, Context, ContextBuilder, LogLevel};
pub use data::{Batch, Batches, BatchesBuilder, Dataset, Split};
pub use error::{Error, Result, Status};
pub use layer::{Backward, CustomLayer, Forward, Gradients, LayerKind, Parameters, Setup, States};
pub use net::{Names, Net, NetBuilder};
pub use node::{FilterSummary, Form, Init, Node, Quantity};
pub use session::{Session, SessionBuilder};
pub use sgd::{Epoch, Sgd};
