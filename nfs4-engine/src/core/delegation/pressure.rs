//! CB_RECALL_ANY, when there are too many delegations. [RFC 8881 §20.6]

use alloc::vec::Vec;
use core::time::Duration;

use nfs4_proto::nfs4::attr::Bitmap;
use nfs4_proto::nfs4::consts::{RCA4_TYPE_MASK_RDATA_DLG, RCA4_TYPE_MASK_WDATA_DLG};

use crate::action::Outbox;
use crate::callback::{CallPurpose, CallbackOp};
use crate::core::Core;
use crate::delegation_kind::RecallReason;
use crate::keys::ClientKey;

impl Core {
    /// A client can get no more delegations: it is asked to return some of its own choice. If that has not
    /// helped, the server recalls some.
    pub(crate) fn recall_some_for(&mut self, key: ClientKey, out: &mut Outbox) {
        let now = out.now;
        let Some(client) = self.clients.get_mut(key) else {
            return;
        };
        let asked = client.asked_for_delegations;
        if client.delegations.is_empty()
            || asked.is_some_and(|asked| now.mono < asked.after(PATIENCE))
        {
            return;
        }
        client.asked_for_delegations = Some(now.mono);
        // A client with many delegations is asked to keep three of four.
        let keep = client.delegations.next_place() / 4 * 3;
        let chosen: Vec<_> = client.delegations.iter().take(AT_ONCE).collect();
        if asked.is_none() && client.about.minor > 0 {
            let op = CallbackOp::RecallAny {
                keep,
                types: Bitmap::of(&[RCA4_TYPE_MASK_RDATA_DLG, RCA4_TYPE_MASK_WDATA_DLG]),
            };
            let purpose = CallPurpose::RecallAny(key);
            if self.send_callback_to(key, None, op, purpose, out).is_ok() {
                return;
            }
        }
        for delegation in chosen {
            let reason = RecallReason::ResourcePressure;
            self.recall(delegation, false, reason, out);
        }
    }
}

/// How long a client has after CB_RECALL_ANY.
const PATIENCE: Duration = Duration::from_secs(10);
/// Number of delegations that are recalled together.
const AT_ONCE: usize = 16;
