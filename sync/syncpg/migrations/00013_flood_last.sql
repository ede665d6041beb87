-- +goose Up
-- Whoever stands before a flood stays there when an attempt fails. Only whoever has failed again and again stands behind all (claim.go).
drop index sync.due_order;
create index due_order on sync.due (urgent, (attempts >= 8), crowd, (least(attempts, 8)), due_at);
