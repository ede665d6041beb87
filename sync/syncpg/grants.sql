-- Who may do what here. Run after every migration; before it, everything is taken back. The portal has no business here.
grant usage on schema sync to contactsync_worker, contactsync_support;
grant select on sync.schema_version to contactsync_worker, contactsync_support;

grant select, insert, update on sync.person, sync.channel, sync.partition to contactsync_worker;
grant select, insert, update, delete on sync.due, sync.ask to contactsync_worker;
grant select, insert on sync.refused to contactsync_worker;
grant select, insert, delete on sync.outbox to contactsync_worker;
grant insert on sync.audit to contactsync_worker; -- nobody reads, changes or deletes it
grant usage on sequence sync.lease, sync.outbox_id to contactsync_worker;

-- Support looks, and changes nothing: what it decides goes through the schema consent, and Kafka.
grant select on sync.person, sync.channel, sync.due, sync.refused to contactsync_support;
