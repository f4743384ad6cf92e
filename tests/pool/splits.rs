//! However an answer is cut into pieces, it is the same answer; shared by the property tests and the fuzz target.

use prembridge::upstream::answer::{Broken, Ended, Reader};

/// The largest body that is read.
pub const MOST: usize = 2000;
/// Inputs of up to this length are cut at each place, longer ones at as many places.
const PLACES: usize = 300;

/// Reads these pieces and then the end of the connection.
pub fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Ended, Broken> {
    let mut reader = Reader::new(MOST);
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        if let Some(mut ended) = reader.read(piece)? {
            // What comes later is found when the connection is looked at before the next call.
            ended.keeps_line &= pieces.all(<[u8]>::is_empty);
            return Ok(ended);
        }
    }
    reader.end()
}

/// Checks whatever an upstream may answer.
pub fn answer(bytes: &[u8]) {
    let whole = read([bytes]);
    if let Ok(ended) = &whole {
        assert!(ended.answer.body.len() <= MOST.min(bytes.len()), "made up: {ended:?}");
        assert!(!ended.answer.status.is_informational(), "none yet: {ended:?}");
    }
    for place in (0..bytes.len()).step_by(bytes.len() / PLACES + 1) {
        let (first, second) = bytes.split_at(place);
        assert_eq!(read([first, second]), whole, "cut at {place}: {:?}", String::from_utf8_lossy(bytes));
    }
    for length in [1, 2, 3, 7, 100] {
        let pieces = read(bytes.chunks(length));
        assert_eq!(pieces, whole, "pieces of {length}: {:?}", String::from_utf8_lossy(bytes));
    }
}
