//! Faults of file systems are reported.

use crate::action::Outbox;
use crate::core::Core;
use crate::fs::driver::{FsCall, FsFault};
use crate::ids::RequestId;

impl Core {
    /// Reports a fault of a file system, at most once a minute for each pair of call and fault.
    #[cold]
    pub(crate) fn report_fs_fault(
        &mut self,
        export: Option<u16>,
        call: FsCall,
        fault: FsFault,
        request: Option<RequestId>,
        out: &mut Outbox,
    ) {
        if let Some(event) = self.faults.note(export, call, fault, request, out.now.mono) {
            out.event(event);
        }
    }
}
