//! Bodies that are collected whole.

use bytes::{Bytes, BytesMut};

/// The frames of one body. A single frame, which is usual, is not copied.
#[derive(Debug, Default)]
pub struct Collected {
    first: Option<Bytes>,
    whole: BytesMut,
}

impl Collected {
    /// Appends a frame.
    pub fn push(&mut self, data: Bytes) {
        match (self.first.take(), self.whole.is_empty()) {
            (None, true) => self.first = Some(data),
            (earlier, _) => {
                self.whole.extend_from_slice(&earlier.unwrap_or_default());
                self.whole.extend_from_slice(&data);
            }
        }
    }

    /// Its length so far.
    pub fn len(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len) + self.whole.len()
    }

    /// Whether there is nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole body.
    pub fn finish(self) -> Bytes {
        self.first.unwrap_or_else(|| self.whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Collected;

    #[test]
    fn frames_come_out_in_order() {
        for frames in [&[][..], &["a"], &["a", "bc"], &["", "a"], &["a", "", "bc", "d"]] {
            let mut collected = Collected::default();
            for frame in frames {
                collected.push(Bytes::from_static(frame.as_bytes()));
            }
            assert_eq!(collected.len(), frames.concat().len());
            assert_eq!(collected.finish(), frames.concat());
        }
    }
}
