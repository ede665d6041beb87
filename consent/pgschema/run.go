package pgschema

// RunSQL is an expression that tells one run of one database from every other: from one that was restored, from a replica that has taken over, and
// from the same one before it was started again. Whatever ends a run may have taken the database back to an older state, of which it knows nothing
// itself.
const RunSQL = `(select extract(epoch from pg_postmaster_start_time()) || ' ' || oid from pg_database where datname = current_database())`
