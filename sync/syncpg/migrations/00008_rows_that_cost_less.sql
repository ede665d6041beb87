-- +goose Up
-- Nothing ever deletes a person, and each of these rows is made with the id of one that was read or made in the same transaction. What the
-- keys cost was a lock on the person's row, in the log too, for each row.
alter table sync.channel drop constraint channel_person_id_fkey, drop constraint channel_moved_to_fkey;
alter table sync.due drop constraint due_person_id_fkey;
alter table sync.audit drop constraint audit_person_id_fkey;

-- Who asks what was done for a person does so seldom: a Bloom filter for every 64 pages is enough.
drop index sync.audit_person;
create index audit_person on sync.audit using brin (person_id int8_bloom_ops (n_distinct_per_range = 2000, false_positive_rate = 0.01))
    with (pages_per_range = 64, autosummarize = on);

-- Decided on since it was claimed: who has claimed it finds more to do.
alter table sync.due add column more boolean not null default false;
