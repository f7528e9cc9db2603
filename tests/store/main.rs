//! What a store promises, held against every store: one suite, a model with random operations, and
//! for the journal what happens when the process, the machine or the disk fails.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panic, as the tests do"
)]

mod carry;
mod change;
mod claim;
mod contract;
mod crash;
mod failover;
mod file;
mod fleet;
mod keep;
mod lease;
mod model;
#[path = "../servers/mod.rs"]
mod servers;
mod support;
mod trouble;

/// Every promise as a test of its own, for every store.
macro_rules! promises {
    ($($promise:path => $name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test]
            async fn $name() {
                $promise(&pintle::store::Memory::new(1_000_000)).await;
            })*
        }
        mod journal {
            $(#[tokio::test]
            async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                let journal = crate::support::open(folder.path());
                $promise(&journal).await;
                journal.close().await;
            })*
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                let server = crate::fleet::single();
                let store = crate::fleet::open(crate::fleet::alone(&server)).await;
                $promise(&store).await;
                store.close().await;
            })*
        }
        mod cluster {
            $(#[tokio::test]
            async fn $name() {
                let cluster = crate::fleet::cluster();
                let store = crate::fleet::open(crate::fleet::several(&cluster)).await;
                $promise(&store).await;
                store.close().await;
            })*
        }
    };
}

promises! {
    crate::contract::once => of_a_hundred_copies_at_once_one_is_stored,
    crate::contract::conflict => another_event_under_a_key_is_a_conflict,
    crate::contract::spaces => a_key_counts_within_its_space,
    crate::contract::run_out => a_mark_runs_out,
    crate::contract::unmarked => without_a_mark_nothing_is_a_repeat,
    crate::contract::duties => an_event_is_owed_to_each_of_its_targets,
    crate::contract::kept => what_is_handed_out_is_what_was_stored,
    crate::contract::filters => a_filter_means_what_meets_all_of_it,
    crate::contract::pages => a_list_goes_on_below_the_last,
    crate::contract::probe => an_idle_store_can_be_written,
    crate::contract::back => a_clock_that_goes_back_loses_nothing,
    crate::lease::due => the_oldest_due_comes_first_and_nothing_early,
    crate::lease::targets => targets_do_not_see_each_other,
    crate::lease::exclusive => many_takers_never_get_the_same,
    crate::lease::bounded => not_more_bytes_than_fit_are_handed_out,
    crate::lease::settled => each_settlement_leads_to_its_state,
    crate::lease::stale => a_stale_lease_settles_nothing,
    crate::lease::expired => a_lease_that_ran_out_waits_again,
    crate::lease::expired_once => what_must_not_happen_twice_becomes_unknown,
    crate::lease::lost => what_ends_who_attempts_it_is_buried,
    crate::lease::order => deliveries_of_a_key_go_one_after_the_other,
    crate::lease::order_aside => what_was_set_aside_blocks_nobody,
    crate::lease::order_replayed => what_is_replayed_takes_its_old_place,
    crate::lease::next_due => the_next_moment_is_told,
    crate::change::replay => what_was_set_aside_is_replayed,
    crate::change::force => what_does_harm_is_replayed_by_force_alone,
    crate::change::forward => what_waits_is_brought_forward,
    crate::change::bury => what_waits_is_buried,
    crate::change::under_way => an_attempt_under_way_is_left_alone,
    crate::change::oldest => at_most_so_many_are_changed_the_oldest_first,
    crate::change::sweep => what_was_kept_long_enough_is_forgotten,
    crate::claim::batches => a_batch_is_stored_whole_or_not_at_all,
    crate::claim::twice => of_two_marks_with_one_key_the_first_counts,
    crate::claim::seen_only => what_was_seen_is_told_without_storing,
    crate::claim::given_back => a_mark_is_given_back_when_its_event_is_given_up,
    crate::claim::taken_again => a_replay_takes_its_marks_again,
    crate::claim::leased => a_storer_may_take_the_first_attempt,
    crate::claim::progress => what_was_got_done_is_handed_to_the_next,
    crate::claim::withdrawn => what_is_withdrawn_is_as_if_it_had_not_come,
    crate::keep::values => a_value_is_kept_for_its_time,
    crate::keep::with_event => what_comes_with_an_event_is_kept_with_it,
    crate::keep::listed => what_is_kept_is_listed_by_key,
    crate::keep::tallies => a_counter_counts_until_its_end,
    crate::change::sweep_shared => a_body_stays_as_long_as_it_is_owed,
}
