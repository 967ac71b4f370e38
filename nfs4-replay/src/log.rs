//! A log that is read frame by frame.

use std::fmt;
use std::io::{self, Read};

use nfs4_engine::record::{DECODED_FIRST, Damage, DamageKind, Decoder, FRAME_HEAD, Frame, Start};

/// A log, read as far as it was asked for: it may be larger than memory.
pub struct Log<R> {
    source: R,
    decoder: Decoder,
    frame: Vec<u8>,
}

impl<R> fmt::Debug for Log<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// Why a log cannot be read any further.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The bytes cannot be read.
    #[error("the log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The log is damaged, or is none.
    #[error(transparent)]
    Damage(#[from] Damage),
}

/// How a log ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogEnd {
    /// It is complete.
    #[default]
    Complete,
    /// The server could not write fast enough; what came afterwards is not in the log.
    Gap,
    /// The engine panicked.
    Panicked,
    /// The server was killed, or its disk was full: the frame that was being written is left out.
    CutShort {
        /// Number of bytes left out.
        lost: u64,
    },
}

/// What comes next in a log.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(crate) enum Next<'a> {
    Frame(Frame<'a>),
    End(LogEnd),
}

impl<R: Read> Log<R> {
    /// Begins to read a log.
    ///
    /// # Errors
    /// It cannot be read, or is no log of this version.
    pub fn open(mut source: R) -> Result<Log<R>, LogError> {
        let mut first = [0; DECODED_FIRST];
        fill(&mut source, &mut first)?;
        Ok(Log {
            source,
            decoder: Decoder::new(&first)?,
            frame: Vec::new(),
        })
    }

    /// The offset of the next frame, in bytes.
    pub fn position(&self) -> u64 {
        self.decoder.position()
    }

    /// The start of the engine, with which a log begins.
    pub(crate) fn start(&mut self) -> Result<Option<Start>, LogError> {
        match self.read()? {
            Next::Frame(Frame::Start(start)) => Ok(Some(start)),
            // The decoder lets no other frame be the first.
            Next::Frame(_) | Next::End(_) => Ok(None),
        }
    }

    /// The next frame.
    pub(crate) fn read(&mut self) -> Result<Next<'_>, LogError> {
        let mut head = [0; FRAME_HEAD];
        let got = fill(&mut self.source, &mut head)?;
        if got < FRAME_HEAD {
            return match got {
                // `LogEnd` of a log that has ended was returned with its last frame.
                1.. if self.decoder.has_ended() => Err(self.out_of_place()),
                _ => Ok(Next::End(LogEnd::CutShort { lost: got as u64 })),
            };
        }
        let rest = self.decoder.rest_of(&head)?;
        self.frame.clear();
        // It grows with what is there.
        let source = self.source.by_ref().take(rest as u64);
        let got = { source }.read_to_end(&mut self.frame)?;
        if got < rest {
            let lost = (FRAME_HEAD + got) as u64;
            return Ok(Next::End(LogEnd::CutShort { lost }));
        }
        Ok(match self.decoder.frame(&self.frame)? {
            Frame::End => Next::End(LogEnd::Complete),
            Frame::Gap => Next::End(LogEnd::Gap),
            frame => Next::Frame(frame),
        })
    }

    /// Checks that nothing follows the end of a log.
    pub(crate) fn finish(mut self, end: LogEnd) -> Result<LogEnd, LogError> {
        match end {
            LogEnd::CutShort { .. } => Ok(end),
            LogEnd::Complete | LogEnd::Gap | LogEnd::Panicked => {
                match fill(&mut self.source, &mut [0])? {
                    0 => Ok(end),
                    _ => Err(self.out_of_place()),
                }
            }
        }
    }

    fn out_of_place(&self) -> LogError {
        LogError::Damage(Damage {
            at: self.position(),
            entry: self.decoder.entries() + 1,
            kind: DamageKind::Order,
        })
    }
}

/// Reads until the buffer is full or nothing is left; returns the number of bytes.
fn fill(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
            Err(why) => return Err(why),
        }
    }
    Ok(got)
}

impl fmt::Display for LogEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LogEnd::Complete => f.write_str("the log is complete"),
            LogEnd::Gap => f.write_str(
                "the log ends here with a gap: the server could not write it fast enough",
            ),
            LogEnd::Panicked => f.write_str("the log ends here: the engine panicked"),
            LogEnd::CutShort { lost } => write!(
                f,
                "the log is cut short: {lost} bytes of an unfinished entry are left out"
            ),
        }
    }
}
