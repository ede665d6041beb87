-- +goose Up
-- How crowded the e-service was that a share came through (pace.go): shares of the others go before.
alter table sync.due add column crowd smallint not null default 0;
drop index sync.due_order;
create index due_order on sync.due (urgent, (least(attempts, 8)), crowd, due_at);
