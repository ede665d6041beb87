-- +goose Up
-- Whoever was tried least is claimed first (claim.go).
drop index sync.due_order;
create index due_order on sync.due (urgent, (least(attempts, 8)), due_at);
