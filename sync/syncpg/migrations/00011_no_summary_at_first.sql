-- +goose Up
-- An index of this kind begins with a summary of its first range, which every row put there changes: that took longer than the row. Later
-- ranges get theirs when they are full.
select brin_desummarize_range('sync.audit_person', 0);
