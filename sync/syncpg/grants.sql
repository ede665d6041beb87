-- Who may do what here. Run after every migration; before it, everything is taken back. The portal has no business here.
grant usage on schema sync to contactsync_worker, contactsync_support, contactsync_auditor;
grant select on sync.schema_version to contactsync_worker, contactsync_support, contactsync_auditor;

-- A person's number stays: the audit tells by it whom an entry is about.
grant select, insert, update (unsure, written_version, written_at, primary_id) on sync.person to contactsync_worker;
grant select, insert, update on sync.channel, sync.partition to contactsync_worker;
grant delete on sync.partition to contactsync_worker; -- of a topic that was made anew with fewer
grant select, update on sync.server to contactsync_worker;
grant select, insert, update, delete on sync.due, sync.ask, sync.call_slot, sync.proof, sync.reconcile_run, sync.reconcile_case
    to contactsync_worker;
grant select, insert on sync.refused to contactsync_worker;
grant select, insert, delete on sync.outbox to contactsync_worker;
grant usage on sequence sync.lease to contactsync_worker;
grant usage, update on sequence sync.outbox_id to contactsync_worker;

-- Support looks, and changes nothing: what it decides goes through the schema consent, and Kafka.
grant select on sync.person, sync.channel, sync.due, sync.refused, sync.proof to contactsync_support;

-- Nobody changes or deletes what is in the audit, or says where in it a row stands. Whoever seals it sees places and MACs only.
grant insert (log_id, at, person_id, mac, action, channel, ground, outcome, reason, version) on sync.audit to contactsync_worker;
grant select (id, at, era, tx, mac) on sync.audit to contactsync_worker;
grant select, insert on sync.audit_link to contactsync_worker;
grant select, insert, update (number, hash) on sync.audit_head to contactsync_worker;
grant select on sync.audit, sync.audit_link, sync.audit_head to contactsync_auditor;
grant select (person_id, root, extension, primary_id) on sync.person to contactsync_auditor; -- whom an entry is about
