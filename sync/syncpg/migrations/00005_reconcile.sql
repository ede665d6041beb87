-- +goose Up
-- The last comparison with the register: how far it has come, so that a killed one goes on from there, and what it has found.
create table sync.reconcile_run (
    run_id         bigint generated always as identity primary key,
    fix            boolean not null,
    restore_shares boolean not null,
    phase          text not null check (phase in ('withdrawals', 'shares', 'proof', 'ended')),
    position       bigint not null default 0, -- the last person of the phase that is done with
    last           bigint not null,           -- the last person that there is to compare
    persons        bigint not null default 0,
    calls          bigint not null default 0,
    unsettled      bigint not null default 0,
    changes        bigint not null default 0,
    begun_at       timestamptz not null,
    ended_at       timestamptz
);

-- Differences. What is to be looked at again before it counts has the status 'again'.
create table sync.reconcile_case (
    person_id bigint not null references sync.person,
    channel   text not null, -- empty: the person as a whole
    kind      text not null,
    status    text not null,
    mark      text not null, -- of the decision that the register did not show
    found_at  timestamptz not null,
    primary key (person_id, channel)
);
create index reconcile_case_status on sync.reconcile_case (status, person_id);
