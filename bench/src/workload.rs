//! What clients ask for.

use clap::ValueEnum;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// SEQUENCE alone
    Sequence,
    /// PUTFH, GETATTR of what Linux asks for
    Getattr,
    /// PUTROOTFH, LOOKUP, GETFH, GETATTR
    Lookup,
    /// PUTFH, READ of 4 KiB
    Read4k,
    /// PUTFH, WRITE of 4 KiB, UNSTABLE4
    Write4k,
    /// PUTROOTFH, OPEN that creates, GETFH; then PUTFH, CLOSE; then PUTROOTFH, REMOVE
    Open,
    /// PUTFH, READDIR of 1 000 entries with the attributes that Linux asks for
    Readdir,
    /// PUTFH, READ of 1 MiB
    Read1m,
    /// PUTFH, WRITE of 1 MiB, UNSTABLE4
    Write1m,
    /// All small ones: 16 requests, of which 5 GETATTR, 4 LOOKUP, 2 READ, 2 WRITE
    Mixed,
    /// CREATE_SESSION, then DESTROY_SESSION
    Sessions,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Sequence,
    GetAttr,
    Lookup,
    /// So many bytes.
    Read(usize),
    /// So many bytes.
    Write(usize),
    Open,
    Close,
    Remove,
    /// This part of the listing.
    ReadDir(usize),
    CreateSession,
    DestroySession,
    /// Records as long as those of some other step.
    Echo(Echo),
}

/// A request to a server that speaks no NFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Echo {
    pub(crate) size: Size,
    pub(crate) task: Task,
}

/// What the plain server does for a request, with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Nothing,
    Stat,
    /// So many bytes.
    Read(usize),
    /// So many bytes, which end the call.
    Write(usize),
}

impl Task {
    /// As two numbers of a call.
    pub(crate) const fn encode(self) -> (usize, usize) {
        match self {
            Task::Nothing => (0, 0),
            Task::Stat => (1, 0),
            Task::Read(bytes) => (2, bytes),
            Task::Write(bytes) => (3, bytes),
        }
    }

    /// Bytes of file data that it moves.
    pub(crate) const fn data(self) -> usize {
        match self {
            Task::Nothing | Task::Stat => 0,
            Task::Read(bytes) | Task::Write(bytes) => bytes,
        }
    }

    pub(crate) const fn decode(number: u32, count: usize) -> Task {
        match number {
            1 => Task::Stat,
            2 => Task::Read(count),
            3 => Task::Write(count),
            _ => Task::Nothing,
        }
    }
}

/// The lengths of the records of a call and its reply in bytes, without their marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) call: usize,
    pub(crate) reply: usize,
}

impl Workload {
    /// The name on the command line and in files.
    pub(crate) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Workload::Sequence => "SEQUENCE",
            Workload::Getattr => "GETATTR",
            Workload::Lookup => "LOOKUP",
            Workload::Read4k => "READ 4 KiB",
            Workload::Write4k => "WRITE 4 KiB",
            Workload::Open => "OPEN, CLOSE, REMOVE each",
            Workload::Readdir => "READDIR, 1 000 entries",
            Workload::Read1m => "READ 1 MiB",
            Workload::Write1m => "WRITE 1 MiB",
            Workload::Mixed => "mixed",
            Workload::Sessions => "CREATE_SESSION, DESTROY_SESSION each",
        }
    }

    /// The requests of a slot, over and over; `parts` is how many a listing takes.
    pub(crate) fn steps(self, parts: usize) -> Vec<Step> {
        use Step::{Close, GetAttr, Lookup, Open, Read, Remove, Write};
        match self {
            Workload::Sequence => vec![Step::Sequence],
            Workload::Getattr => vec![GetAttr],
            Workload::Lookup => vec![Lookup],
            Workload::Read4k => vec![Read(SMALL)],
            Workload::Write4k => vec![Write(SMALL)],
            Workload::Open => vec![Open, Close, Remove],
            Workload::Readdir => (0..parts).map(Step::ReadDir).collect(),
            Workload::Read1m => vec![Read(LARGE)],
            Workload::Write1m => vec![Write(LARGE)],
            Workload::Mixed => vec![
                GetAttr,
                Lookup,
                GetAttr,
                Read(SMALL),
                Lookup,
                GetAttr,
                Write(SMALL),
                Open,
                Lookup,
                GetAttr,
                Close,
                Read(SMALL),
                Lookup,
                Remove,
                GetAttr,
                Write(SMALL),
            ],
            Workload::Sessions => vec![Step::CreateSession, Step::DestroySession],
        }
    }

    /// How many requests count as one: a listing counts as one request, however many it takes.
    pub(crate) fn requests_in_one(self, parts: usize) -> usize {
        match self {
            Workload::Readdir => parts.max(1),
            Workload::Sequence
            | Workload::Getattr
            | Workload::Lookup
            | Workload::Read4k
            | Workload::Write4k
            | Workload::Open
            | Workload::Read1m
            | Workload::Write1m
            | Workload::Mixed
            | Workload::Sessions => 1,
        }
    }
}

impl Step {
    /// What the plain server does instead, if that is all that the step is about.
    pub(crate) const fn task(self) -> Option<Task> {
        match self {
            Step::GetAttr => Some(Task::Stat),
            Step::Read(bytes) => Some(Task::Read(bytes)),
            Step::Write(bytes) => Some(Task::Write(bytes)),
            Step::Sequence
            | Step::Lookup
            | Step::Open
            | Step::Close
            | Step::Remove
            | Step::ReadDir(_)
            | Step::CreateSession
            | Step::DestroySession
            | Step::Echo(_) => None,
        }
    }

    /// Bytes of file data that the request moves.
    pub(crate) const fn data(self) -> usize {
        match self {
            Step::Read(bytes) | Step::Write(bytes) => bytes,
            Step::Echo(echo) => echo.task.data(),
            Step::Sequence
            | Step::GetAttr
            | Step::Lookup
            | Step::Open
            | Step::Close
            | Step::Remove
            | Step::ReadDir(_)
            | Step::CreateSession
            | Step::DestroySession => 0,
        }
    }
}

/// Bytes of a small READ or WRITE.
pub(crate) const SMALL: usize = 4 << 10;
/// Bytes of a large READ or WRITE, and of the file.
pub(crate) const LARGE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_what_its_description_says() {
        let steps = Workload::Mixed.steps(1);
        let count = |wanted: Step| steps.iter().filter(|step| **step == wanted).count();
        assert_eq!(steps.len(), 16);
        assert_eq!((count(Step::GetAttr), count(Step::Lookup)), (5, 4));
        assert_eq!(
            (count(Step::Read(SMALL)), count(Step::Write(SMALL))),
            (2, 2)
        );
        let at = |wanted: Step| steps.iter().position(|step| *step == wanted);
        assert!(at(Step::Open) < at(Step::Close) && at(Step::Close) < at(Step::Remove));
    }
}
