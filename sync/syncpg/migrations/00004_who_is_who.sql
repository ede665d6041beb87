-- +goose Up
-- Who is to be asked about: a guardian's share waits to be confirmed, a share must go to the number that the person has now, or a
-- withdrawal to the records of all the person's numbers.
create table sync.ask (
    person_id bigint primary key references sync.person,
    first     boolean not null,     -- a share waits for the answer
    due_at    timestamptz not null,
    turn      bigint not null       -- another one with every reason to ask: an answer to an older question leaves the newer one
) with (fillfactor = 50);
create index ask_due on sync.ask (due_at);

-- A person of several numbers is one: what is wanted is kept under the primary number, and each number has its own record.
alter table sync.person add primary_id bigint references sync.person; -- of an other number; null: none is known
create index person_linked on sync.person (primary_id) where primary_id is not null;

-- The number that a decision was made under, as root|extension; empty: the one that the row is kept under.
alter table sync.channel
    add share_under      text not null default '',
    add withdrawal_under text not null default '',
    add moved_to         bigint references sync.person; -- the row is kept under that person now, and empty here

-- Guardians' shares that came before the register was asked.
insert into sync.ask (person_id, first, due_at, turn)
select distinct person_id, false, now(), 0 from sync.channel where waiting <> '[]';
