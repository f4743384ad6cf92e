//! Responses of many kinds: what both readers accept is the same, and ours never accepts more.

use prembridge::http1::ResponseError;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::oracle::{self, MAX_BODY};
use super::{pieces, slipped, slips};

/// What the codec refuses and hyper reads.
fn is_stricter(error: &ResponseError, bytes: &[u8]) -> bool {
    match error {
        // hyper hands the connection over.
        ResponseError::Switch
        // hyper waits for as many as there are.
        | ResponseError::Interim
        // hyper sees chunks if that is the last coding, and a body until the end otherwise, whatever else there is.
        | ResponseError::Coding
        // hyper forgets the length.
        | ResponseError::TwoFramings
        // hyper's limits are larger, or none.
        | ResponseError::LongLines(_)
        | ResponseError::TooLarge(_) => true,
        // hyper allows any number of zeros before a size, and lines of trailers without a carriage return.
        ResponseError::Chunk => has_long_size(bytes) || has_bare_end(bytes),
        ResponseError::Head(_) | ResponseError::Status | ResponseError::Length | ResponseError::NoResponse | ResponseError::Incomplete => false,
    }
}

fn has_long_size(bytes: &[u8]) -> bool {
    bytes.split(|byte| !byte.is_ascii_hexdigit()).any(|digits| digits.len() > 16)
}

fn has_bare_end(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\n") || bytes.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
}

/// A response of one of many kinds, most of which can be read.
fn any_response() -> impl Strategy<Value = Vec<u8>> {
    let version =
        prop_oneof![20 => Just("HTTP/1.1"), 3 => Just("HTTP/1.0"), 1 => select(vec!["HTTP/1.2", "http/1.1"])];
    let status = prop_oneof![
        8 => Just("200 OK"),
        4 => select(vec!["201", "400 Bad Request", "429 ", "500 Caf\u{e9}", "599 \t!", "999 ?"]),
        2 => select(vec!["204 No Content", "304 Not Modified"]),
        1 => select(vec!["101 Switching Protocols", "100 Continue", "099 No", "20 OK", "2000 OK", "200\tOK"]),
    ];
    let interim = prop_oneof![4 => Just(0..1), 2 => Just(1..4), 1 => Just(15..19)].prop_flat_map(|count| {
        vec(
            select(vec!["100 Continue", "102 Processing\r\nContent-Length: 5", "103 Early Hints\r\nLink: x"]),
            count,
        )
    });
    let line_end = prop_oneof![20 => Just("\r\n"), 1 => Just("\n")];
    let start = prop_oneof![20 => Just(""), 1 => select(vec!["\r\n", "\r\n\r\n", "\n", " "])];
    let head = (version, status, interim, line_end, start);
    (head, fields(), any_body()).prop_flat_map(|(head, fields, (framing, body))| {
        let lines = [fields, framing].concat();
        (Just(head), Just(lines).prop_shuffle(), Just(body)).prop_map(|(head, lines, body)| {
            let (version, status, interim, line_end, start) = head;
            let mut text = start.to_owned();
            for interim in interim {
                text.push_str(&format!("HTTP/1.1 {interim}\r\n\r\n"));
            }
            text.push_str(&format!("{version} {status}{line_end}"));
            for line in lines {
                text.push_str(&format!("{line}{line_end}"));
            }
            [text.as_bytes(), line_end.as_bytes(), &body].concat()
        })
    })
}

/// Fields that say nothing about the body.
fn fields() -> impl Strategy<Value = Vec<String>> {
    let field = select(vec![
        "Content-Type: application/json",
        "connection: keep-alive",
        "CONNECTION: Close",
        "Retry-After: 3",
        "X-Empty:",
        "x-odd:\t \u{fc}, \"a\" ",
        "Trailer: x",
    ]);
    let filler = prop_oneof![30 => Just(0), 1 => 90..105usize];
    (vec(field, 0..5), filler).prop_map(|(fields, filler)| {
        let filler = (0..filler).map(|number| format!("X-{number}: y"));
        fields.into_iter().map(str::to_owned).chain(filler).collect()
    })
}

/// Lines that say how long the body is, and the body, behind which more may come.
fn any_body() -> impl Strategy<Value = (Vec<String>, Vec<u8>)> {
    let data = prop_oneof![10 => vec(any::<u8>(), 0..60), 1 => vec(any::<u8>(), MAX_BODY - 1..MAX_BODY + 2)];
    let coding = select(vec![
        "chunked",
        "Chunked",
        "gzip, chunked",
        "chunked, gzip",
        "identity",
        "",
        "chunked,",
        "chunked;a=b",
        "xchunked",
    ]);
    let chunked =
        || (vec(chunk(), 0..6), last_chunk()).prop_map(|(chunks, last)| [chunks.concat(), last].concat());
    let body = prop_oneof![
        6 => data.clone().prop_map(|data| (vec![format!("Content-Length: {}", data.len())], data)),
        3 => (data.clone(), 0..LENGTHS.len()).prop_map(|(data, kind)| (lengths(kind, data.len()), data)),
        6 => chunked().prop_map(|body| (vec!["Transfer-Encoding: chunked".to_owned()], body)),
        2 => (vec(coding, 1..3), chunked()).prop_map(|(codings, body)| {
            (codings.iter().map(|coding| format!("transfer-encoding: {coding}")).collect(), body)
        }),
        1 => (0..LENGTHS.len(), chunked()).prop_map(|(kind, body)| {
            ([lengths(kind, body.len()), vec!["Transfer-Encoding: chunked".to_owned()]].concat(), body)
        }),
        3 => data.prop_map(|data| (Vec::new(), data)),
    ];
    let more = prop_oneof![
        5 => Just(Vec::new()),
        1 => vec(any::<u8>(), 1..40),
        1 => Just(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
    ];
    (body, more).prop_map(|((lines, body), more)| (lines, [body, more].concat()))
}

/// Values of `Content-Length`, one behind the other in lines of their own: N is the length, M and L are one more and less.
const LENGTHS: [&str; 15] = [
    "M",
    "L",
    "N|N",
    "N, N",
    "N ,\tN|0N",
    "N|M",
    "N, L",
    "+N",
    "-N",
    "",
    "N,",
    "0xN",
    "N N",
    "N.0",
    "18446744073709551616",
];

fn lengths(kind: usize, length: usize) -> Vec<String> {
    let with_numbers = |value: &str| {
        let value = value.replace('N', &length.to_string());
        let value = value.replace('M', &(length + 1).to_string());
        value.replace('L', &length.saturating_sub(1).to_string())
    };
    LENGTHS[kind].split('|').map(|value| format!("Content-Length: {}", with_numbers(value))).collect()
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![10 => vec(any::<u8>(), 1..30), 1 => vec(any::<u8>(), 500..900)];
    let zeros = prop_oneof![10 => Just(0), 1 => 1..20usize];
    (data, zeros, any::<bool>(), extension(), line_end()).prop_map(
        |(data, zeros, is_upper, extension, end)| {
            let (zeros, length) = ("0".repeat(zeros), data.len());
            let size = if is_upper { format!("{length:X}") } else { format!("{length:x}") };
            [format!("{zeros}{size}{extension}{end}").as_bytes(), &data, b"\r\n"].concat()
        },
    )
}

fn last_chunk() -> impl Strategy<Value = Vec<u8>> {
    let trailer =
        select(vec!["A: b", "Content-Length: 5", "x-odd:\t\u{fc}", "A", "A : b", " A: b", "A: b\rc"]);
    let trailers = prop_oneof![
        10 => Just(Vec::new()),
        3 => vec((Just("A: b"), Just("\r\n")), 1..4),
        1 => vec((Just("A: b"), Just("\r\n")), 99..102),
        1 => vec((trailer, line_end()), 1..4),
    ];
    (select(vec!["0", "0", "00", "000000000000000000"]), extension(), trailers, line_end()).prop_map(
        |(zeros, extension, trailers, end)| {
            let trailers: String = trailers.iter().map(|(trailer, end)| format!("{trailer}{end}")).collect();
            format!("{zeros}{extension}\r\n{trailers}{end}").into_bytes()
        },
    )
}

fn extension() -> impl Strategy<Value = &'static str> {
    let odd = vec![";a", " ; a = \"b;c\"", "\t", " ;\u{fc}", ";a\rb", ";a\nb", " 2", "g", ";"];
    prop_oneof![6 => Just(""), 1 => select(odd)]
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![30 => Just("\r\n"), 1 => select(vec!["\n", "\r", "", "\r\r\n"])]
}

/// Both readers, over the same pieces. Says whether both accept.
fn compare(bytes: &[u8], cuts: &[Index]) -> Result<bool, TestCaseError> {
    let pieces = pieces(bytes, cuts);
    let ours = oracle::our_response(pieces.iter().copied());
    let theirs = oracle::hyper_response(&pieces, false);
    let shown = String::from_utf8_lossy(bytes);
    match (&ours, &theirs) {
        (Ok(ours), Ok((status, body))) => {
            prop_assert_eq!((ours.status.as_u16(), &ours.body[..]), (*status, &body[..]), "{:?}", shown);
        }
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => {
            prop_assert!(is_stricter(error, bytes), "{:?}: {:?}, {:?}", shown, error, theirs)
        }
        (Ok(_), Err(_)) => prop_assert!(false, "laxer than hyper: {:?}: {:?}, {:?}", shown, ours, theirs),
    }
    Ok(ours.is_ok() && theirs.is_ok())
}

proptest! {
    #![proptest_config(crate::support::seeded::config(4096))]

    #[test]
    fn responses_are_what_hyper_reads(
        bytes in any_response(),
        slips in slips(),
        cuts in vec(any::<Index>(), 0..6),
    ) {
        compare(&slipped(bytes, &slips), &cuts)?;
    }
}

proptest! {
    #![proptest_config(crate::support::seeded::config(512))]

    #[test]
    fn responses_do_not_depend_on_their_pieces(bytes in any_response(), slips in slips()) {
        oracle::response(&slipped(bytes, &slips));
    }
}

/// The comparison is one of responses: of those that were made as they should be, most can be read.
#[test]
fn most_responses_can_be_read() {
    let mut runner = TestRunner::new(crate::support::seeded::config(500));
    let read = (0..500).filter(|_| {
        let bytes = any_response().new_tree(&mut runner).unwrap().current();
        compare(&bytes, &[]).unwrap()
    });
    let read = read.count();
    assert!((200..450).contains(&read), "{read} of 500");
}
