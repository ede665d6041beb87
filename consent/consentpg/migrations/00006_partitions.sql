-- +goose Up
-- Under which run of the server all outcomes before Kafka's committed offset are known to be here (partition.go).
create table consent.partition (
    topic  text    not null,
    number integer not null,
    run    text    not null,
    primary key (topic, number)
);
