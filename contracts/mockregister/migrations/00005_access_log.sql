-- +goose Up
-- Who read or changed what about whom: one row for each person and call, refused calls too. A row that is changed shows (package
-- consent/audit). Nothing here is text of a caller's own making but what has the form of an identity.
create table register.access_log (
    id          bigint generated always as identity primary key,
    at          timestamptz not null,
    caller      text not null, -- HSA-id of the nearest system, from its certificate; "admin" at the admin listener
    original    text not null, -- HSA-id of the first system in the chain, as told by the nearest; empty: not told
    correlation text not null, -- UUID of the call
    unit        text not null, -- organisation that the actor works for, else that of the caller's HSA-id
    actor       text not null, -- of a write: HSA-id of staff, or "resident", or the identity of who acted instead; empty: not told
    root        text not null, -- of the person; root and extension are empty where a refused call did not tell in due form
    extension   text not null,
    contract    text not null, -- name and major, such as GetPersonContactInformation/4
    action      text not null, -- read or write
    ground      text not null, -- what let the caller in: restricted or unrestricted contract, or a right
    outcome     text not null, -- ok, no_record, error:CODE, a code of the platform such as VP007, or fault_Client and the like
    version     text not null, -- of the record that was written; empty: none was
    log_id      uuid not null, -- made by the writer; the id of the record wherever it goes
    era         smallint not null default 1, -- of the database cluster
    tx          xid8 not null default pg_current_xact_id(),
    mac         bytea not null -- over all columns but id, era and tx
);
create unique index access_log_id on register.access_log (log_id);
create index access_log_place on register.access_log (era, tx, id);
create index access_log_person on register.access_log (extension);

-- One row seals all rows of the transactions from (from_era, from_tx) up to but not including (to_era, to_tx).
create table register.access_link (
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
create table register.audit_head (
    chain  text primary key,
    number bigint not null,
    hash   bytea not null,
    era    smallint not null default 1
);
