//! Foreign futures whose destructors may panic.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Polls a future to its end. Its answer stands, whatever its destructor does.
pub(super) async fn ended<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(Some(future));
    let answer = poll_fn(|cx| match future.as_mut().as_pin_mut() {
        Some(future) => future.poll(cx),
        None => Poll::Pending,
    })
    .await;
    // Of a panic, the panic hook has told.
    let _ = catch_unwind(AssertUnwindSafe(|| future.set(None)));
    answer
}

/// Drops what has destructors of the file system's; a panic of theirs ends here.
pub(super) fn contain<T>(foreign: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(foreign)));
}
