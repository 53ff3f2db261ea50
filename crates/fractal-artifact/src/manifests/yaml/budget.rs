//! How much a file may become: nodes and repeated bytes, counted before they are built.

use granit_parser::Span;

use super::{ALIAS_BYTES_MAX, NODES_MAX, YamlError};

/// What a mapping counts: the smallest one takes as much memory as several scalars.
pub(super) const MAPPING_NODES: usize = 3;

/// What it takes to repeat a value.
#[derive(Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) bytes: usize,
    pub(super) depth: usize,
}

impl Size {
    /// Of a scalar, or of a collection that has nothing in it yet.
    pub(super) const fn new(nodes: usize, bytes: usize) -> Self {
        Self {
            nodes,
            bytes,
            depth: 0,
        }
    }

    pub(super) fn add(&mut self, child: Self) {
        self.nodes += child.nodes;
        self.bytes += child.bytes;
        self.depth = self.depth.max(child.depth + 1);
    }
}

/// What has been built so far.
#[derive(Default)]
pub(super) struct Budget {
    nodes: usize,
    repeated: usize,
}

impl Budget {
    pub(super) fn count(&mut self, nodes: usize, span: Span) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(YamlError::budget("more nodes", NODES_MAX, span));
        }
        Ok(())
    }

    /// Counts what is about to be repeated.
    pub(super) fn repeat(&mut self, size: Size, span: Span) -> Result<(), YamlError> {
        self.count(size.nodes, span)?;
        self.repeated += size.bytes;
        if self.repeated > ALIAS_BYTES_MAX {
            let what = "more bytes repeated by anchors and aliases";
            return Err(YamlError::budget(what, ALIAS_BYTES_MAX, span));
        }
        Ok(())
    }
}
