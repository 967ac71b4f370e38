//! Ranges of several owners, which may overlap: finds the first that conflicts with a lock without a
//! walk over all of them.

use crate::fs::{ByteRange, LockKind};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A balanced tree of ranges by first byte. Every node knows how far the ranges in its subtree reach.
#[derive(Debug)]
pub(super) struct Overlaps<O>(Tree<O>);

/// A range that an owner has locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LockedRange<O> {
    pub(super) owner: O,
    pub(super) kind: LockKind,
    pub(super) range: ByteRange,
}

type Tree<O> = Option<Box<Node<O>>>;

#[derive(Debug)]
struct Node<O> {
    held: LockedRange<O>,
    /// How far all ranges of the subtree reach.
    all: Reach<O>,
    /// How far the ranges of the subtree that are locked for writing reach.
    writes: Reach<O>,
    height: u8,
    left: Tree<O>,
    right: Tree<O>,
}

/// How far ranges reach.
#[derive(Clone, Copy, Debug)]
struct Reach<O> {
    /// The last byte of the range that reaches farthest, and its owner.
    farthest: Option<(u64, O)>,
    /// The last byte that a range of any other owner reaches.
    others: Option<u64>,
}

impl<O: Copy + Ord> Overlaps<O> {
    pub(super) const fn new() -> Overlaps<O> {
        Overlaps(None)
    }

    /// Adds a range; no other of its owner begins at the same byte.
    pub(super) fn insert(&mut self, held: LockedRange<O>) {
        self.0 = Some(insert(self.0.take(), held));
    }

    /// Removes the range of an owner that begins at `first`.
    pub(super) fn remove(&mut self, first: u64, owner: O) {
        self.0 = remove(self.0.take(), (first, owner));
    }

    /// The first range of another owner that keeps `owner` from locking `range` as `kind`.
    pub(super) fn conflict(
        &self,
        range: ByteRange,
        kind: LockKind,
        owner: O,
    ) -> Option<LockedRange<O>> {
        let reaches = |tree: &Tree<O>| {
            let last = tree.as_deref().and_then(|node| node.reach(kind, owner));
            last.is_some_and(|last| last >= range.first)
        };
        let mut tree = &self.0;
        while let Some(node) = tree.as_deref() {
            // If the range that reaches this far on the left begins after `range`, so do all on the right.
            if reaches(&node.left) {
                tree = &node.left;
            } else if node.held.range.first > range.last {
                return None;
            } else if node.held.conflicts(range, kind, owner) {
                return Some(node.held);
            } else {
                tree = &node.right;
            }
        }
        None
    }

    /// The first ranges of other owners that keep `owner` from locking `range` as `kind`, at most `most`.
    pub(super) fn conflicts(
        &self,
        range: ByteRange,
        kind: LockKind,
        owner: O,
        most: usize,
    ) -> Vec<LockedRange<O>> {
        let mut found = Vec::new();
        collect(&self.0, (range, kind, owner), most, &mut found);
        found
    }
}

impl<O: Copy + Ord> LockedRange<O> {
    fn conflicts(&self, range: ByteRange, kind: LockKind, owner: O) -> bool {
        let excludes = kind == LockKind::Write || self.kind == LockKind::Write;
        excludes && self.owner != owner && self.range.overlaps(range)
    }

    fn key(&self) -> (u64, O) {
        (self.range.first, self.owner)
    }
}

impl<O: Copy + Ord> Node<O> {
    fn new(held: LockedRange<O>) -> Box<Node<O>> {
        Box::new(Node {
            held,
            all: Reach::of(&held),
            writes: Reach::NOWHERE,
            height: 1,
            left: None,
            right: None,
        })
        .settled()
    }

    /// The last byte of other owners' ranges that exclude a lock of this kind.
    fn reach(&self, kind: LockKind, owner: O) -> Option<u64> {
        match kind {
            LockKind::Write => self.all.beside(owner),
            LockKind::Read => self.writes.beside(owner),
        }
    }

    /// The node with its reaches and height computed from its children.
    fn settled(mut self: Box<Node<O>>) -> Box<Node<O>> {
        let own = Reach::of(&self.held);
        self.all = own;
        self.writes = match self.held.kind {
            LockKind::Read => Reach::NOWHERE,
            LockKind::Write => own,
        };
        for below in [self.left.as_deref(), self.right.as_deref()] {
            let Some(below) = below else { continue };
            self.all = self.all.with(below.all);
            self.writes = self.writes.with(below.writes);
        }
        self.height = 1 + height(&self.left).max(height(&self.right));
        self
    }

    /// The subtree, balanced again after one insertion or removal.
    fn balanced(mut self: Box<Node<O>>) -> Box<Node<O>> {
        let (left, right) = (height(&self.left), height(&self.right));
        if left > right + 1 {
            if let Some(child) = self.left.take() {
                let leans = height(&child.right) > height(&child.left);
                self.left = Some(if leans { child.turned_left() } else { child });
            }
            return self.turned_right();
        }
        if right > left + 1 {
            if let Some(child) = self.right.take() {
                let leans = height(&child.left) > height(&child.right);
                self.right = Some(if leans { child.turned_right() } else { child });
            }
            return self.turned_left();
        }
        self.settled()
    }

    /// The subtree with the left child at its root.
    fn turned_right(mut self: Box<Node<O>>) -> Box<Node<O>> {
        let Some(mut top) = self.left.take() else {
            return self.settled();
        };
        self.left = top.right.take();
        top.right = Some(self.settled());
        top.settled()
    }

    /// The subtree with the right child at its root.
    fn turned_left(mut self: Box<Node<O>>) -> Box<Node<O>> {
        let Some(mut top) = self.right.take() else {
            return self.settled();
        };
        self.right = top.left.take();
        top.left = Some(self.settled());
        top.settled()
    }
}

impl<O: Copy + Ord> Reach<O> {
    const NOWHERE: Reach<O> = Reach {
        farthest: None,
        others: None,
    };

    fn of(held: &LockedRange<O>) -> Reach<O> {
        Reach {
            farthest: Some((held.range.last, held.owner)),
            others: None,
        }
    }

    /// The last byte that a range of an owner other than `owner` reaches.
    fn beside(&self, owner: O) -> Option<u64> {
        match self.farthest {
            Some((_, by)) if by == owner => self.others,
            farthest => farthest.map(|(last, _)| last),
        }
    }

    fn with(self, other: Reach<O>) -> Reach<O> {
        let last = |reach: &Reach<O>| reach.farthest.map(|(last, _)| last);
        let (far, near) = if last(&self) >= last(&other) {
            (self, other)
        } else {
            (other, self)
        };
        let Some((_, owner)) = far.farthest else {
            return far;
        };
        Reach {
            farthest: far.farthest,
            others: far.others.max(near.beside(owner)),
        }
    }
}

fn height<O>(tree: &Tree<O>) -> u8 {
    tree.as_deref().map_or(0, |node| node.height)
}

// These recurse to the height of the tree, which is below 40 for the maximum number of ranges.

fn collect<O: Copy + Ord>(
    tree: &Tree<O>,
    (range, kind, owner): (ByteRange, LockKind, O),
    most: usize,
    found: &mut Vec<LockedRange<O>>,
) {
    let Some(node) = tree.as_deref() else {
        return;
    };
    let reaches = |last| last >= range.first;
    if found.len() >= most || !node.reach(kind, owner).is_some_and(reaches) {
        return;
    }
    collect(&node.left, (range, kind, owner), most, found);
    if found.len() >= most || node.held.range.first > range.last {
        return;
    }
    if node.held.conflicts(range, kind, owner) {
        found.push(node.held);
    }
    collect(&node.right, (range, kind, owner), most, found);
}

fn insert<O: Copy + Ord>(tree: Tree<O>, held: LockedRange<O>) -> Box<Node<O>> {
    let Some(mut node) = tree else {
        return Node::new(held);
    };
    if held.key() < node.held.key() {
        node.left = Some(insert(node.left.take(), held));
    } else {
        node.right = Some(insert(node.right.take(), held));
    }
    node.balanced()
}

fn remove<O: Copy + Ord>(tree: Tree<O>, key: (u64, O)) -> Tree<O> {
    let mut node = tree?;
    if key < node.held.key() {
        node.left = remove(node.left.take(), key);
    } else if key > node.held.key() {
        node.right = remove(node.right.take(), key);
    } else {
        let Some(right) = node.right.take() else {
            return node.left;
        };
        // The next range takes its place.
        let (next, right) = take_first(right);
        node.held = next;
        node.right = right;
    }
    Some(node.balanced())
}

/// Takes the first range out of a tree.
fn take_first<O: Copy + Ord>(mut node: Box<Node<O>>) -> (LockedRange<O>, Tree<O>) {
    match node.left.take() {
        None => (node.held, node.right),
        Some(left) => {
            let (first, left) = take_first(left);
            node.left = left;
            (first, Some(node.balanced()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_stays_balanced_in_any_order_of_changes() {
        const COUNT: u64 = 10_000;
        let orders: [fn(u64) -> u64; 3] = [|at| at, |at| COUNT - 1 - at, |at| at * 7_919 % COUNT];
        for order in orders {
            let mut overlaps = Overlaps::new();
            for at in 0..COUNT {
                let first = 2 * order(at);
                let range = ByteRange { first, last: first };
                let kind = LockKind::Write;
                overlaps.insert(LockedRange {
                    owner: 1,
                    kind,
                    range,
                });
            }
            // At most 1.44 times the binary logarithm of their number.
            assert!(height(&overlaps.0) <= 20, "{}", height(&overlaps.0));
            for at in 0..COUNT - 100 {
                overlaps.remove(2 * at, 1);
            }
            assert!(height(&overlaps.0) <= 10, "{}", height(&overlaps.0));
        }
    }
}
