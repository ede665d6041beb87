-- +goose Up
-- Under which run of the server the feed's epoch began (sequence.go). None at first: an older database may have been restored before it got
-- this column.
alter table register.feed_head add column run text not null default '';

-- The epochs before, and how far the feed is theirs.
create table register.feed_epoch (
    epoch uuid   primary key,
    last  bigint not null
);
