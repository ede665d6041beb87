-- +goose Up
-- 00007 has these in databases that were made with them, and has not in those that were there before.
alter table sync.proof
    add column if not exists reason  text   not null default '',
    add column if not exists effects text[] not null default '{}';
