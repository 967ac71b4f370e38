//! What exports of directories count.

use std::fmt;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::{IntCounterVec, Opts, proto};

use super::backend::OpenFiles;
use super::live::Exports;

/// Counters of each export of a directory, for Prometheus.
pub(crate) struct ExportCounters {
    exports: Arc<Exports>,
    requests: IntCounterVec,
}

impl ExportCounters {
    /// Those of the exports that are served when they are read.
    ///
    /// # Errors
    /// There are two of a name.
    pub(crate) fn new(exports: Arc<Exports>) -> prometheus::Result<ExportCounters> {
        let options = Opts::new(
            "nfs4_nfs_local_requests_total",
            "Requests to the file system of a directory, by how they were answered.",
        );
        Ok(ExportCounters {
            exports,
            requests: IntCounterVec::new(options, &["export", "way"])?,
        })
    }
}

impl fmt::Debug for ExportCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportCounters").finish_non_exhaustive()
    }
}

impl Collector for ExportCounters {
    fn desc(&self) -> Vec<&Desc> {
        self.requests.desc()
    }

    fn collect(&self) -> Vec<proto::MetricFamily> {
        // Exports may be gone.
        self.requests.reset();
        for (export, served) in &self.exports.table().served {
            if let OpenFiles::Local(files) = &served.opened.files {
                let (inline, queued) = files.counters();
                for (way, number) in [("inline", inline), ("queued", queued)] {
                    self.requests
                        .with_label_values(&[export.as_str(), way])
                        .inc_by(number);
                }
            }
        }
        self.requests.collect()
    }
}
