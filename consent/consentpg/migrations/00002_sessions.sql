-- +goose Up
-- Who is logged in to the portal. The secret itself lies in the browser only.
create table consent.session (
    hash       bytea primary key,
    root       text not null,
    extension  text not null,
    expires_at timestamptz not null
);
create index session_expiry on consent.session (expires_at);
