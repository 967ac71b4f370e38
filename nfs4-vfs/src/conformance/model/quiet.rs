//! Panics of the tries between the first input that fails and the least one: they are not printed.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Has panics printed as before, except those that come [`during`] something.
pub(super) fn hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                print(info);
            }
        }));
    });
}

/// Runs this without printing panics of this thread.
pub(super) fn during<T>(run: impl FnOnce() -> T) -> T {
    QUIET.set(true);
    let done = run();
    QUIET.set(false);
    done
}
