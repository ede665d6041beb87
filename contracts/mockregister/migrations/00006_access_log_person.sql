-- +goose Up
-- A B-tree over persons takes an entry on a page of its own for each of the thousand persons of a lookup, and each page whole into the
-- WAL after a checkpoint. Who looked is seldom asked: a Bloom filter for every 64 pages of the log is enough.
drop index register.access_log_person;
create index access_log_person on register.access_log using brin (extension text_bloom_ops (n_distinct_per_range = 2000, false_positive_rate = 0.01))
    with (pages_per_range = 64, autosummarize = on);
