//! Mutation of frames: of their order and heads here, of one payload by the fuzzer.

use super::frame::Frame;

/// Changes the first `len` bytes of `data` in place; returns the new length. `fuzzer` is the fuzzer's
/// own mutation, with the same arguments and result.
pub fn mutate(
    data: &mut [u8],
    len: usize,
    seed: u32,
    mut fuzzer: impl FnMut(&mut [u8], usize, usize) -> usize,
) -> usize {
    let max = data.len();
    let mut seed = Seed(u64::from(seed) << 1 | 1);
    if seed.below(16) == 0 {
        return fuzzer(data, len, max);
    }
    let mut frames = frames(&data[..len]);
    if frames.is_empty() {
        frames.push(vec![0; Frame::HEAD]);
    }
    let at = seed.below(frames.len());
    match seed.below(12) {
        0 => {
            frames.remove(at);
        }
        1 => {
            let copy = frames[at].clone();
            let to = seed.below(frames.len() + 1);
            frames.insert(to, copy);
        }
        2 => {
            let with = seed.below(frames.len());
            frames.swap(at, with);
        }
        3 => frames[at][0] = seed.byte(),
        4 => frames[at][1] = seed.byte(),
        5 => {
            // Of another connection.
            frames[at][0] = frames[at][0] & !3 | seed.byte() & 3;
        }
        6 => {
            let control = (3 + seed.below(5) as u8) << 2 | seed.byte() & 3;
            frames.insert(at, vec![control, seed.byte(), 0, 0]);
        }
        _ => {
            let room = usize::from(u16::MAX).min(frames[at].len() + 64);
            let mut payload = frames[at].split_off(Frame::HEAD);
            let len = payload.len();
            payload.resize(room, 0);
            let len = fuzzer(&mut payload, len, room);
            payload.truncate(len);
            frames[at].extend(payload);
        }
    }
    let mut out = Vec::new();
    for frame in &frames {
        let payload = &frame[Frame::HEAD..];
        Frame {
            control: frame[0],
            arg: frame[1],
            payload,
        }
        .put(&mut out);
    }
    out.truncate(max);
    data[..out.len()].copy_from_slice(&out);
    out.len()
}

/// The frames of an input, each with its head.
fn frames(mut data: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some(frame) = Frame::take(&mut data) {
        let mut bytes = Vec::new();
        frame.put(&mut bytes);
        frames.push(bytes);
    }
    frames
}

struct Seed(u64);

impl Seed {
    /// xorshift64.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        (self.next() >> 24) as u8
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end
    }
}
