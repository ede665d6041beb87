-- +goose Up
-- Under which run of the server a partition's offset was last compared with Kafka's (position.go). Null: by a program of the version before.
alter table sync.partition add column run text;

-- The run that the sequence of outcomes is known to be ahead of all others of (outcome.go). There is no row before the first one.
create table sync.server (
    one boolean primary key default true check (one), -- there is no other row
    run text    not null
);
