-- +goose Up
-- One row per person and channel: the head that decisions are numbered under.
create table consent.channel (
    root      text not null,
    extension text not null,
    channel   text not null check (channel in ('mobile', 'email')),
    revision  bigint not null default 0,  -- the highest known, ours or told of in an outcome
    event_id  text not null default '',   -- our newest decision; empty: none was made here
    primary key (root, extension, channel)
) with (fillfactor = 70);

-- Every decision made here, for ever; the value only as long as it is the newest.
create table consent.decision (
    event_id   text primary key,
    root       text not null,
    extension  text not null,
    channel    text not null,
    revision   bigint not null,
    share      boolean not null,
    value      text,                      -- erased when a newer decision replaces it
    notify     boolean,
    decided_at timestamptz not null,
    actor_role text not null,
    actor_id   text not null,             -- HSA-id of support staff; empty: the resident
    reason     text not null,             -- of a withdrawal
    correction text not null default '',  -- why support removed it
    notice     text not null,             -- version of the text that was shown
    language   text not null,
    foreign key (root, extension, channel) references consent.channel,
    unique (root, extension, channel, revision)
);

-- The last outcome of each decision that the worker told of, made here or elsewhere.
create table consent.outcome (
    event_id         text not null,
    root             text not null,
    extension        text not null,
    channel          text not null,
    revision         bigint not null,
    outcome          text not null,
    reason           text not null,
    effects          text[] not null,
    register_version text not null,
    sequence         bigint not null,
    told_at          timestamptz not null,
    counts           boolean not null, -- the decision takes part in what the person wants
    primary key (root, extension, channel, event_id)
);
create index outcome_newest on consent.outcome (root, extension, channel, revision) where counts;

create table consent.outbox (
    id         bigint primary key,
    topic      text not null,
    key        text not null,
    headers    text[] not null,
    value      bytea not null,
    created_at timestamptz not null
);
create sequence consent.outbox_id;

create table consent.audit (
    id        bigint generated always as identity primary key,
    at        timestamptz not null,
    actor     text not null,   -- role, and the HSA-id of staff
    action    text not null,
    root      text not null,
    extension text not null,
    channel   text not null,
    ground    text not null,   -- why: the reason, and what was written beside it
    outcome   text not null,
    event_id  text not null
);
