//! A thread that waits to be woken.

use std::sync::Arc;
use std::task::{Wake, Waker};

use shuttle::sync::{Condvar, Mutex};

/// Wakes one thread; a wake-up before the wait counts.
#[derive(Default)]
pub struct Park {
    woken: Mutex<bool>,
    condition: Condvar,
}

impl Park {
    /// A place to wait, and the waker that ends the wait.
    pub fn new() -> (Arc<Park>, Waker) {
        let park = Arc::new(Park::default());
        let waker = Waker::from(Arc::clone(&park));
        (park, waker)
    }

    /// Waits for the next wake-up.
    pub fn wait(&self) {
        let woken = self.woken.lock().unwrap();
        let mut woken = self.condition.wait_while(woken, |woken| !*woken).unwrap();
        *woken = false;
    }
}

impl Wake for Park {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.condition.notify_one();
    }
}
