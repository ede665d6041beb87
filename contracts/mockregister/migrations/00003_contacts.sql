-- +goose Up
-- The resident's own details beside the content that holds them, so that a bulk lookup reads no XML. They count only while
-- own_version is the record's version: a writer that does not know of them leaves that behind, and then the content counts.
alter table register.persons
    add column mobile        text,
    add column mobile_notify boolean not null default false,
    add column email         text,
    add column email_notify  boolean not null default false,
    add column own_version   text    not null default '';

-- Signals that the feed does not have yet. The id is drawn under the record's row lock, so that those of one person are in order.
create table register.change (
    id        bigint generated always as identity primary key,
    root      text        not null,
    extension text        not null,
    channel   text        not null,
    version   text        not null,
    at        timestamptz not null
);

-- No writer can forget the signal, through whatever contract it writes. Where old or new details are not known, both channels are
-- told of: a signal too many does no harm.
-- +goose StatementBegin
create function register.tell_change() returns trigger language plpgsql as $$
declare
    unknown boolean := old.own_version <> old.version or new.own_version <> new.version;
begin
    insert into register.change (root, extension, channel, version, at)
    select new.root, new.extension, c.channel, new.version, clock_timestamp()
    from (values
        ('mobile', (old.mobile, old.mobile_notify) is distinct from (new.mobile, new.mobile_notify)),
        ('email', (old.email, old.email_notify) is distinct from (new.email, new.email_notify))
    ) as c (channel, changed)
    where unknown or c.changed;
    return null;
end $$;
-- +goose StatementEnd

create trigger tell_change after update on register.persons
    for each row when (old.version is distinct from new.version or old.content is distinct from new.content)
    execute function register.tell_change();

-- The feed as readers see it: one sequencer at a time numbers the signals without gaps.
create table register.feed (
    seq       bigint      primary key,
    root      text        not null,
    extension text        not null,
    channel   text        not null,
    version   text        not null,
    at        timestamptz not null
);

-- How far the feed goes. Cursors hold the epoch: those of another database, or of one before it was made anew, lead nowhere.
create table register.feed_head (
    one    boolean primary key default true check (one), -- there is one row
    epoch  uuid    not null default gen_random_uuid(),
    last   bigint  not null default 0,
    pruned bigint  not null default 0 -- the last that is no longer kept
);
insert into register.feed_head default values;

-- What waits to be published; the id is the feed's number.
create table register.outbox (
    id         bigint primary key,
    topic      text not null,
    key        text not null,
    headers    text[] not null, -- name, value, name, value
    value      bytea not null,
    created_at timestamptz not null
);

-- The highest decision that was applied for a person and channel, for ever. Of a withdrawal nothing else is kept.
create table register.fence (
    root      text    not null,
    extension text    not null,
    channel   text    not null,
    revision  bigint  not null,
    withdrawn boolean not null,
    event_id  text    not null, -- of a share; may be empty
    primary key (root, extension, channel)
) with (fillfactor = 80);

-- Answers to bulk changes, to be given again. They hold no identity and no value.
create table register.idempotency (
    caller text        not null,
    key    uuid        not null,
    digest bytea       not null,
    answer jsonb       not null,
    at     timestamptz not null,
    primary key (caller, key)
);
create index idempotency_age on register.idempotency (at);

-- Seals the refs of single records. It lies beside the identities that it hides from callers.
create table register.ref_key (
    one boolean primary key default true check (one),
    key  bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
);
insert into register.ref_key default values;
