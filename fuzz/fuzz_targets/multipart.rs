//! Whatever may be posted to the mock's media edge, in whatever pieces: it is the same form.
#![no_main]

use prembridge::mock::multipart::{Event, Malformed, Part, Reader};

type Parts = Vec<(Part, Vec<u8>)>;

fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Parts, bool), Malformed> {
    let mut reader = Reader::of("multipart/form-data; boundary=b7").unwrap();
    let (mut parts, mut is_open) = (Parts::new(), false);
    for piece in pieces {
        reader.push(piece);
        while let Some(event) = reader.event()? {
            match event {
                Event::Part(part) => {
                    assert!(!std::mem::replace(&mut is_open, true));
                    parts.push((part, Vec::new()));
                }
                Event::Data(data) => {
                    assert!(is_open && !data.is_empty());
                    parts.last_mut().unwrap().1.extend_from_slice(&data);
                }
                Event::End => assert!(std::mem::replace(&mut is_open, false)),
            }
        }
    }
    Ok((parts, reader.is_done()))
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = read([bytes]);
    for length in [1, 2, 7, 40] {
        // Of what is refused, the parts before may have been seen or not.
        assert_eq!(read(bytes.chunks(length)), whole, "pieces of {length}");
    }
    let _ = Reader::of(&String::from_utf8_lossy(bytes));
});
