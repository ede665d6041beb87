-- +goose Up
-- What makes a change of the audit show (package consent/audit). The defaults let programs of the version before go on writing; their
-- rows have no MAC, and neither have those that are there already.
alter table sync.audit
    add column log_id uuid     not null default gen_random_uuid(), -- made by the writer; the id of the record wherever it goes
    add column era    smallint not null default 1,                 -- of the database cluster
    add column tx     xid8     not null default pg_current_xact_id(),
    add column mac    bytea    not null default '';                -- over all columns but id, era and tx
create unique index audit_log_id on sync.audit (log_id);
create index audit_place on sync.audit (era, tx, id);
create index audit_person on sync.audit (person_id);

-- One row seals all rows of the transactions from (from_era, from_tx) up to but not including (to_era, to_tx).
create table sync.audit_link (
    number    bigint primary key,
    from_era  smallint not null,
    from_tx   xid8 not null,
    to_era    smallint not null,
    to_tx     xid8 not null,
    entries   bigint not null,
    first_id  bigint not null,
    last_id   bigint not null,
    sealed_at timestamptz not null,
    hash      bytea not null -- over all of the above, the rows' places and MACs, and the link before
);

-- Where the chain stands, kept apart so that a cut tail shows.
create table sync.audit_head (
    chain  text primary key,
    number bigint not null,
    hash   bytea not null,
    era    smallint not null default 1
);
