//! The codec of HTTP/1.1 beside hyper: what it reads, hyper reads in the same way.

#[path = "http1/oracle.rs"]
mod oracle;
#[path = "http1/requests.rs"]
mod requests;
#[path = "http1/responses.rs"]
mod responses;

use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One byte put in, replaced, or taken out; or an end too early.
#[derive(Clone, Debug)]
enum Slip {
    Insert(u8),
    Replace(u8),
    Remove,
    Cut,
}

fn slips() -> impl Strategy<Value = Vec<(Slip, Index)>> {
    let byte = || select(b"\r\n\0 \t:;,019afgZ\x80\xff".to_vec());
    let slip = prop_oneof![
        3 => byte().prop_map(Slip::Insert),
        3 => byte().prop_map(Slip::Replace),
        3 => Just(Slip::Remove),
        1 => Just(Slip::Cut),
    ];
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec((slip, any::<Index>()), 1..4)]
}

fn slipped(mut bytes: Vec<u8>, slips: &[(Slip, Index)]) -> Vec<u8> {
    for (slip, place) in slips {
        let place = place.index(bytes.len() + 1);
        match slip {
            Slip::Insert(byte) => bytes.insert(place, *byte),
            Slip::Replace(byte) if place < bytes.len() => bytes[place] = *byte,
            Slip::Remove if place < bytes.len() => drop(bytes.remove(place)),
            Slip::Replace(_) | Slip::Remove => {}
            Slip::Cut => bytes.truncate(place),
        }
    }
    bytes
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.dedup();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}
