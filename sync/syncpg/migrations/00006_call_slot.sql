-- +goose Up
-- The calls that may be made to the register within a second, by all workers together. A call has its slot until a second after its answer.
create table sync.call_slot (
    number  integer primary key,
    free_at timestamptz not null
) with (fillfactor = 50);
