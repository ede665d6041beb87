-- Who may do what here. Run after every migration; before it, everything is taken back. The worker has no business here.
grant usage on schema consent to contactsync_portal, contactsync_support, contactsync_auditor;
grant select on consent.schema_version to contactsync_portal, contactsync_support, contactsync_auditor;

-- A decision is made at the portal and at the support desk. Its value is erased when a newer one replaces it; all else of it stays.
grant select, insert, update (revision, event_id) on consent.channel to contactsync_portal, contactsync_support;
grant select, insert, update (value) on consent.decision to contactsync_portal, contactsync_support;
grant insert on consent.outbox to contactsync_portal, contactsync_support;
grant usage on sequence consent.outbox_id to contactsync_portal, contactsync_support;

-- Nobody changes or deletes what is in the audit, or says where in it a row stands. Whoever seals it sees places and MACs only; the auditor's own
-- looks are in it too.
grant insert (log_id, at, mac, actor, action, root, extension, channel, ground, outcome, event_id) on consent.audit
    to contactsync_portal, contactsync_support, contactsync_auditor;
grant select (id, at, era, tx, mac) on consent.audit to contactsync_portal;
grant select, insert on consent.audit_link to contactsync_portal;
grant select, insert, update (number, hash) on consent.audit_head to contactsync_portal;
grant select on consent.audit, consent.audit_link, consent.audit_head to contactsync_auditor;

-- The portal's process also relays the outbox and folds outcomes.
grant select, delete on consent.outbox to contactsync_portal;
grant select, insert, update on consent.outcome, consent.partition to contactsync_portal;
grant select on consent.outcome to contactsync_support;
grant select, insert, delete on consent.session to contactsync_portal;
