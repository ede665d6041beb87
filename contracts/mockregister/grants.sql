-- Who may do what here. Run after every migration; before it, everything is taken back. Everybody else comes by the contracts.
grant usage on schema register to contactsync_register;
grant select on register.schema_version, register.guardianships, register.parents, register.linked_identities to contactsync_register;
grant select, update on register.persons to contactsync_register;
grant select, insert, delete on register.change, register.feed, register.outbox to contactsync_register;
grant select, update on register.feed_head to contactsync_register;
grant select, insert, update, delete on register.fence to contactsync_register;
grant select, insert, delete on register.idempotency to contactsync_register;
grant select on register.ref_key to contactsync_register;

-- Who may do what is the owner's to say: a register that was broken into cannot let anybody in.
grant select on register.access to contactsync_register;
