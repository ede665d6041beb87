-- +goose Up
create table sync.person (
    person_id       bigint generated always as identity primary key,
    root            text not null,
    extension       text not null,
    unsure          boolean not null default false, -- a write's end is unknown: it may land at any time
    written_version text not null default '',       -- the last answered write: version and time
    written_at      timestamptz,
    unique (root, extension)
) with (fillfactor = 70);

-- The decisions that count for one person and channel (plan.State).
create table sync.channel (
    person_id           bigint not null references sync.person,
    channel             text not null check (channel in ('mobile', 'email')),
    share_revision      bigint,
    share_event         text,
    share_source        text,
    share_value         text, -- erased when a newer decision replaces the share
    share_notify        boolean,
    share_decided_at    timestamptz,
    withdrawal_revision bigint,
    withdrawal_event    text,
    withdrawal_source   text,
    scoped              jsonb not null default '{}', -- source → revision and event id
    waiting             jsonb not null default '[]', -- guardians' shares, not confirmed yet
    registered_revision bigint not null default 0,
    registered_source   text not null default '',
    settled             text not null default '', -- mark of the decision that the register was last seen to show
    blocked             text not null default '',
    parked              text not null default '',
    changed_at          timestamptz not null,
    primary key (person_id, channel)
) with (fillfactor = 70);

create index channel_parked on sync.channel (person_id) where blocked <> '' or parked <> '' or waiting <> '[]';

-- Who is due, and who works on it. Narrow: the wide table has no index that a push changes.
create table sync.due (
    person_id bigint primary key references sync.person,
    urgent    boolean not null,     -- a withdrawal is due
    due_at    timestamptz not null, -- of a leased row: when the lease runs out
    since     timestamptz not null, -- since when something is due
    attempts  integer not null default 0,
    lease     bigint                -- token; null: nobody works on it
) with (fillfactor = 50);
create index due_order on sync.due (urgent, due_at);
create sequence sync.lease;

-- How far each partition is read. While next_offset < gate_offset a withdrawal may lie unread, and no share is pushed.
create table sync.partition (
    topic       text not null,
    number      integer not null,
    next_offset bigint not null,
    gate_offset bigint not null,
    primary key (topic, number)
);

-- Refused decisions. One that was refused stays refused, even if its clock has caught up when it is replayed.
create table sync.refused (
    mark       text primary key, -- digest of all that tells one decision from another: event ids need not be unique
    event_id   text not null,
    source     text not null,
    person_id  bigint references sync.person,
    channel    text not null,
    revision   bigint not null,
    reason     text not null,
    refused_at timestamptz not null
);

-- What waits to be published. The id is the outcome's sequence: it is drawn under the channel's row lock.
create table sync.outbox (
    id         bigint primary key,
    topic      text not null,
    key        text not null,
    headers    text[] not null, -- name, value, name, value
    value      bytea not null,
    created_at timestamptz not null
);
create sequence sync.outbox_id;

create table sync.audit (
    id         bigint generated always as identity primary key,
    at         timestamptz not null,
    action     text not null,
    person_id  bigint not null references sync.person,
    channel    text not null,
    ground     text not null, -- event id of the decision
    outcome    text not null,
    reason     text not null,
    version    text not null  -- of the register record
);
