-- +goose Up
-- An index of this kind begins with a summary of the range that is being filled, which every row put there changes: that took longer than the
-- row. Later ranges get theirs when they are full.
select brin_desummarize_range('register.access_log_person', pg_relation_size('register.access_log') / current_setting('block_size')::bigint);
