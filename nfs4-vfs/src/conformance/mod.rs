//! Tests that every file system passes, for file systems of others as well.
//!
//! A file system implements [`Backend`](nfs4_engine::fs::Backend), or is turned into one by the driver's
//! `FileSystemBackend`. Its tests implement [`Subject`], which makes an empty one for each case, and
//! [`fs_conformance!`](crate::fs_conformance) makes one test of each case:
//!
//! ```
//! // tests/conformance.rs, with the feature `conformance` of `nfs4-vfs`
//! use std::sync::Arc;
//!
//! use nfs4_engine::fs::Backend;
//! use nfs4_vfs::conformance::{Files, Subject};
//! use nfs4_vfs::{MemFs, MemFsConfig};
//!
//! struct Memory;
//!
//! struct One(Arc<MemFs>);
//!
//! impl Subject for Memory {
//!     type Files = One;
//!
//!     fn make(&self) -> One {
//!         let config = MemFsConfig::new(1, 64 << 20);
//!         One(Arc::new(MemFs::new(config.with(|files| files.root_mode = 0o777))))
//!     }
//! }
//!
//! impl Files for One {
//!     fn backend(&self) -> Arc<dyn Backend> {
//!         Arc::clone(&self.0) as _
//!     }
//! }
//!
//! nfs4_vfs::fs_conformance!(Memory);
//! ```
//!
//! The cases make requests as a server does, and wait up to a minute for an answer that comes later. Every
//! answer is checked against the rules of its request, as the engine has them: the kind of the answer,
//! its attributes, its length, the errors that the request may have. What a file system may do in its own
//! way, its [`Traits`] say; a case that does not apply to it prints `NOT RUN` and why. A case that fails
//! panics. They take some seconds together, and run at the same time as others.

mod answer;
mod io;
mod stage;
mod subject;
mod user;

pub mod attributes;
pub mod change;
pub mod data;
pub mod durability;
pub mod errors;
pub mod exclusive;
pub mod handles;
pub mod leases;
pub mod links;
pub mod listing;
pub mod locks;
pub mod model;
pub mod names;
pub mod open;
pub mod permissions;
pub mod rename;
pub mod setid;
pub mod sparse;
pub mod threads;

pub use answer::ask;
pub use subject::{Files, Subject, Traits};

macro_rules! cases {
    (($d:tt) $($module:ident::$name:ident)*) => {
        /// All cases, with their names.
        pub fn cases<S: Subject>() -> Vec<(&'static str, fn(&S))> {
            vec![$((concat!(stringify!($module), "::", stringify!($name)), $module::$name::<S>)),*]
        }

        /// Makes one test of each case of [`conformance`](crate::conformance), for the file systems that an
        /// expression gives.
        #[macro_export]
        macro_rules! fs_conformance {
            ($d subject:expr) => {
                $(
                    #[test]
                    fn $name() {
                        $d crate::conformance::$module::$name(&$d subject);
                    }
                )*
            };
        }
    };
}

cases! { ($)
    attributes::a_new_object_has_the_attributes_of_its_creation
    attributes::a_creation_sets_attributes
    attributes::attributes_become_what_they_are_set_to
    attributes::a_change_of_nothing_changes_nothing
    attributes::a_time_of_creation_is_set
    attributes::only_files_have_a_length_to_set
    attributes::times_follow_changes
    change::every_change_of_a_file_moves_it
    change::every_change_of_a_directory_moves_it
    change::what_changes_nothing_leaves_it
    change::operations_tell_the_change_of_their_directory
    change::it_does_not_go_back_with_a_restart
    data::what_is_written_is_read
    data::a_read_tells_the_end_of_the_file
    data::what_was_read_does_not_change
    data::a_file_that_was_cut_grows_again_with_zeros
    data::only_files_have_bytes
    data::a_file_has_a_maximum_length
    data::a_long_file_is_used_at_its_end
    data::an_empty_write_does_nothing
    durability::a_write_is_as_durable_as_asked
    durability::any_part_is_committed
    durability::what_was_committed_is_there_after_a_restart
    errors::what_is_gone_is_stale_to_every_request
    errors::every_request_meets_every_type
    errors::what_is_refused_leaves_no_trace
    exclusive::a_creation_is_repeated_by_its_verifier
    exclusive::a_creation_is_repeated_while_the_file_is_used
    exclusive::a_verifier_goes_with_its_file
    exclusive::an_exclusive_file_has_the_attributes_that_are_set
    exclusive::a_verifier_is_no_right
    exclusive::a_creation_is_repeated_after_a_restart
    handles::an_object_has_one_handle
    handles::the_handle_of_what_is_gone_is_stale
    handles::a_forged_handle_is_refused
    handles::a_foreign_handle_is_refused
    handles::handles_outlive_a_restart
    leases::a_held_file_is_leased
    leases::a_lease_lets_its_holder_go_on
    leases::a_request_does_not_wait_for_a_lease
    leases::a_leased_file_outlives_its_name
    links::an_object_lives_until_its_last_name
    links::objects_of_other_types_are_linked
    links::what_cannot_be_linked_is_not
    links::a_file_without_a_name_gets_no_new_one
    links::links_of_directories_are_counted
    listing::a_listing_has_what_is_there
    listing::a_listing_goes_on_after_each_cookie
    listing::a_cookie_stays_good
    listing::a_cookie_that_was_never_returned_is_refused
    listing::what_stays_is_listed_once_while_others_change
    listing::a_listing_ends_while_each_entry_causes_new_ones
    listing::a_listing_follows_nothing
    locks::locks_of_clients_do_not_conflict
    locks::a_lock_is_returned_in_parts
    locks::any_bytes_are_locked
    locks::locks_change_nothing
    model::random_requests_do_what_the_model_does
    model::a_listing_ends_and_has_each_remaining_entry_once
    names::what_is_made_is_found_until_it_is_removed
    names::the_root_stays_and_has_no_parent
    names::a_directory_knows_its_parent
    names::names_are_any_bytes
    names::the_longest_names_are_used
    names::a_name_is_taken_once
    names::only_directories_have_names
    names::a_directory_is_removed_only_when_it_is_empty
    names::a_symbolic_link_keeps_its_target
    open::an_open_finds_or_makes_a_file
    open::an_open_makes_a_file_with_attributes
    open::only_files_are_opened
    open::a_file_is_opened_by_its_handle
    open::a_removed_file_lives_until_its_last_release
    open::a_released_file_stays
    open::many_files_are_held
    open::a_release_of_what_is_gone_does_no_harm
    permissions::the_most_specific_class_decides
    permissions::the_owner_reads_and_writes_without_an_open_in_any_mode
    permissions::directories_need_their_rights
    permissions::the_mode_of_an_object_decides_whatever_the_way_to_it
    permissions::only_owners_remove_entries_of_a_sticky_directory
    permissions::new_entries_of_a_setgid_directory_get_its_group
    permissions::only_the_superuser_gives_files_away
    permissions::only_the_superuser_creates_devices
    permissions::writers_set_times_to_now_and_only_the_owner_to_others
    permissions::changes_of_attributes_are_all_or_none
    permissions::a_new_file_is_open_whatever_its_mode
    permissions::what_a_user_makes_is_the_users
    rename::an_object_stays_itself_when_it_is_moved
    rename::what_is_compatible_is_replaced
    rename::between_names_of_one_object_nothing_is_done
    rename::a_directory_is_never_moved_below_itself
    rename::an_open_file_outlives_its_replacement
    rename::a_rename_is_a_change_of_its_directories
    setid::setuid_and_setgid_are_cleared_as_on_linux
    sparse::a_hole_is_zeros
    sparse::islands_stay_at_their_places
    sparse::space_is_told
    sparse::a_held_file_keeps_its_space
    threads::concurrent_changes_leave_a_tree
    threads::concurrent_writes_and_cuts_are_consistent
    threads::a_listing_goes_on_while_threads_change_the_directory
    threads::removals_and_renames_along_one_path_end
    threads::an_open_meets_the_removal_of_the_last_name
    threads::a_name_is_made_by_one_thread
    threads::one_exclusive_creation_comes_twice_at_once
}
