-- +goose Up
-- When a withdrawn detail was seen to be gone from the register; null: it was not, or not yet. What was carried out before anybody looked
-- is looked for by the worker's next version.
alter table consent.outcome add column proved_at timestamptz;
