//! Random scenarios, held against models.

mod callbacks;
mod delegations;
mod exactly_once;
mod slots;
mod trunking;

/// How many cases each property is tried with: `NFS4_PROPERTY_CASES`, or few enough for every run.
fn cases() -> u32 {
    let given = std::env::var("NFS4_PROPERTY_CASES").ok();
    given.map_or(256, |text| {
        text.parse().expect("NFS4_PROPERTY_CASES is a number")
    })
}
