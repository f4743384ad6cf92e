//! The `prembridge` binary.

fn main() {}
