-- Who may do what here. Run after every migration; before it, everything is taken back. Everybody else comes by the contracts.
grant usage on schema register to contactsync_register, contactsync_auditor;
grant select on register.schema_version to contactsync_register, contactsync_auditor;
grant select on register.guardianships, register.parents, register.linked_identities to contactsync_register;
grant select, update on register.persons to contactsync_register;
grant select, insert, delete on register.change, register.feed, register.outbox to contactsync_register;
grant select, update on register.feed_head to contactsync_register;
grant select, insert, delete on register.feed_epoch to contactsync_register;
grant select, insert, update, delete on register.fence to contactsync_register;
grant select, insert, delete on register.idempotency to contactsync_register;
grant select on register.ref_key to contactsync_register;

-- Who may do what is the owner's to say: a register that was broken into cannot let anybody in.
grant select on register.access to contactsync_register;

-- Nobody changes or deletes what is in the access log, or says where in it a row stands. Whoever seals it sees places and MACs only.
grant insert (log_id, at, mac, caller, original, correlation, unit, actor, root, extension, contract, action, ground, outcome, version)
    on register.access_log to contactsync_register;
grant select (id, at, era, tx, mac) on register.access_log to contactsync_register;
grant select, insert on register.access_link to contactsync_register;
grant select, insert, update (number, hash) on register.audit_head to contactsync_register;
grant select on register.access_log, register.access_link, register.audit_head to contactsync_auditor;
