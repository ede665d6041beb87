-- +goose Up
-- A No that has failed often stands before a flood (claim.go).
drop index sync.due_order;
create index due_order on sync.due (urgent, (attempts >= 8 and (crowd > 0 or not urgent)), crowd, (least(attempts, 8)), due_at);
