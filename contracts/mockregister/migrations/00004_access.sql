-- +goose Up
create table register.access (
    system          text   not null, -- HSA-id, as its certificate tells it
    contract        text   not null, -- its name whatever the major, such as GetPersonContactInformation; contactsv1 for REST
    logical_address text   not null,
    rights          text[] not null default '{}' check (rights <@ array['protected', 'support', 'write']),
    primary key (system, contract, logical_address)
);

-- What became of register.access, for ever. The trigger writes it, so no way of changing the table goes around it.
create table register.access_change (
    id              bigint      generated always as identity primary key,
    at              timestamptz not null default clock_timestamp(),
    changed_by      text        not null, -- as the command was told; else, and where nobody said, the database user
    db_user         text        not null default session_user,
    system          text        not null,
    contract        text        not null,
    logical_address text        not null,
    rights_before   text[],     -- null: there was no row
    rights_after    text[]      -- null: there is no row any more
);

-- +goose StatementBegin
create function register.record_access_change() returns trigger language plpgsql as $$
declare
    who text := coalesce(nullif(current_setting('contactsync.changed_by', true), ''), session_user);
begin
    if tg_op <> 'INSERT' and (tg_op = 'DELETE'
        or (old.system, old.contract, old.logical_address) <> (new.system, new.contract, new.logical_address)) then
        insert into register.access_change (changed_by, system, contract, logical_address, rights_before)
        values (who, old.system, old.contract, old.logical_address, old.rights);
    end if;
    if tg_op = 'INSERT' or (tg_op = 'UPDATE'
        and (old.system, old.contract, old.logical_address) <> (new.system, new.contract, new.logical_address)) then
        insert into register.access_change (changed_by, system, contract, logical_address, rights_after)
        values (who, new.system, new.contract, new.logical_address, new.rights);
    elsif tg_op = 'UPDATE' and old.rights <> new.rights then
        insert into register.access_change (changed_by, system, contract, logical_address, rights_before, rights_after)
        values (who, new.system, new.contract, new.logical_address, old.rights, new.rights);
    end if;
    return null;
end $$;
-- +goose StatementEnd

create trigger record_access_change after insert or update or delete on register.access
    for each row execute function register.record_access_change();

-- To empty the table at once would go around the trigger.
-- +goose StatementBegin
create function register.refuse_truncate() returns trigger language plpgsql as $$
begin
    raise exception 'register.access is not to be truncated: delete leaves a record';
end $$;
-- +goose StatementEnd

create trigger refuse_truncate before truncate on register.access execute function register.refuse_truncate();
