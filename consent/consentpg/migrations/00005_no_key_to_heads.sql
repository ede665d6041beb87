-- +goose Up
-- Nothing ever deletes a head, and a decision is made in the transaction that has locked its head. What the key cost was a query and a lock more
-- for each decision.
alter table consent.decision drop constraint decision_root_extension_channel_fkey;
