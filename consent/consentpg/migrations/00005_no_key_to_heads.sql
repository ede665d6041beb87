-- +goose Up
-- Nothing ever deletes a head, and a decision is made in the transaction that has locked its head. What the key cost was a query and a lock more
-- for each decision. The tables are locked in the order in which those who decide lock them.
lock table consent.channel, consent.decision in access exclusive mode;
alter table consent.decision drop constraint decision_root_extension_channel_fkey;
