//! A complete file system of the asynchronous trait, as most programs would write one.

mod filesystem;
mod misbehave;
mod nodes;
mod smallest;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use misbehave::EndsBadly;
pub use misbehave::{Gate, Panics, Times, sleep};
pub use smallest::Smallest;

use nodes::Nodes;

/// Files, directories and links in memory. Clones are handles of the same tree.
#[derive(Clone)]
pub struct TreeFs(Arc<Inner>);

struct Inner {
    nodes: Mutex<Nodes>,
    page: Option<usize>,
    own: bool,
    private: bool,
    ends_badly: bool,
    before: Box<Before>,
}

/// What is awaited before a method of this name does anything.
pub type Before = dyn Fn(&'static str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

impl TreeFs {
    /// An empty tree whose root has this mode.
    pub fn new(root_mode: u32) -> TreeFs {
        TreeFs(Arc::new(Inner {
            nodes: Mutex::new(Nodes::new(root_mode)),
            page: None,
            own: false,
            private: false,
            ends_badly: false,
            before: Box::new(|_| Box::pin(std::future::ready(()))),
        }))
    }

    /// Lists directories by cookies of its own, so many entries at once.
    ///
    /// # Panics
    /// If there is another handle of it.
    #[must_use]
    pub fn with_pages(mut self, entries: usize) -> TreeFs {
        self.settings().page = Some(entries);
        self
    }

    /// Takes the rights of users for its own affair, and lets every user do everything.
    ///
    /// # Panics
    /// If there is another handle of it.
    #[must_use]
    pub fn with_own_rights(mut self) -> TreeFs {
        self.settings().own = true;
        self
    }

    /// Is changed by the clients of one server only.
    ///
    /// # Panics
    /// If there is another handle of it.
    #[must_use]
    pub fn private(mut self) -> TreeFs {
        self.settings().private = true;
        self
    }

    /// Has futures of [`open`](nfs4_engine::fs::FileSystem::open) that panic when they are dropped after
    /// their end.
    ///
    /// # Panics
    /// If there is another handle of it.
    #[must_use]
    pub fn with_opens_that_end_badly(mut self) -> TreeFs {
        self.settings().ends_badly = true;
        self
    }

    /// Awaits something before each of its methods.
    ///
    /// # Panics
    /// If there is another handle of it.
    #[must_use]
    pub fn with_before<B>(mut self, before: B) -> TreeFs
    where
        B: Fn(&'static str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync + 'static,
    {
        self.settings().before = Box::new(before);
        self
    }

    /// Number of objects, of which the root is one.
    pub fn objects(&self) -> usize {
        self.nodes().count()
    }

    /// How often files are open.
    pub fn held(&self) -> u32 {
        self.nodes().held()
    }

    /// Whether this is its last handle.
    pub fn is_last(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn settings(&mut self) -> &mut Inner {
        Arc::get_mut(&mut self.0).expect("it has one handle")
    }

    async fn nodes_for(&self, method: &'static str) -> MutexGuard<'_, Nodes> {
        (self.0.before)(method).await;
        self.nodes()
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        self.0.nodes.lock().expect("no method panics meanwhile")
    }
}
