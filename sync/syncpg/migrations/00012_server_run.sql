-- +goose Up
-- Under which run of the server a partition's offset was last compared with Kafka's (position.go). Null: by a program of the version before.
alter table sync.partition add column run text;

-- The run that the sequence of outcomes is known to be ahead of all others of (outcome.go). None at first: an older database may have been
-- restored before it got this table.
create table sync.server (
    one boolean primary key default true check (one), -- there is one row
    run text    not null
);
insert into sync.server (run) values ('');
