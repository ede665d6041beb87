-- +goose Up
-- Withdrawals that the register was told of, and is to be seen to show.
create table sync.proof (
    person_id bigint not null references sync.person,
    channel   text   not null,
    mark      text   not null, -- of the decision, as in channel.settled
    outcome   text   not null, -- as it was told: pushed or unchanged, and why and what else changed
    reason    text   not null default '',
    effects   text[] not null default '{}',
    since     timestamptz not null,
    due_at    timestamptz not null,
    primary key (person_id, channel)
) with (fillfactor = 50);
create index proof_due on sync.proof (due_at);

-- Those that were carried out before anybody looked.
insert into sync.proof (person_id, channel, mark, outcome, since, due_at)
select person_id, channel, settled, 'unchanged', now(), now() from sync.channel where settled like '2 %';
