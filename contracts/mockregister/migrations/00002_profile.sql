-- +goose Up
-- What GetPersonsForProfile tells beside contact details. Only the register sets it; no contract can change it.
alter table register.persons
    -- Skatteverket's code for why the person is not registered any more. Empty: is registered, or never was.
    add column deregistration  text not null default '' check (deregistration in ('', 'AV', 'UV', 'GN', 'AN', 'OB', 'TA')),
    add column deregistered_on date,
    -- The rest, in the contract's own XML. Of what other columns and tables tell too, they are what counts. Empty text: what can
    -- be invented from name and identity.
    add column particulars     text not null default '';
update register.persons set deregistration = 'AV' where deceased;
alter table register.persons add check (deceased = (deregistration = 'AV'));

-- Identities that another one has replaced: both stay known, each with a record of its own. What has replaced one is not
-- replaced itself, and both are protected alike.
create table register.linked_identities (
    root              text not null,
    extension         text not null,
    primary_root      text not null,
    primary_extension text not null,
    replaced_on       date not null,
    primary key (root, extension),
    foreign key (root, extension) references register.persons (root, extension),
    foreign key (primary_root, primary_extension) references register.persons (root, extension),
    check (root <> primary_root or extension <> primary_extension)
);
create index linked_identities_primary on register.linked_identities (primary_root, primary_extension);

alter table register.guardianships add column since date;
create index guardianships_guardian on register.guardianships (guardian_root, guardian_extension);

-- Who is whose mother (MO), father (FA) or other parent (F), whoever has custody.
create table register.parents (
    child_root       text not null,
    child_extension  text not null,
    parent_root      text not null,
    parent_extension text not null,
    kind             text not null check (kind in ('MO', 'FA', 'F')),
    primary key (child_root, child_extension, parent_root, parent_extension),
    foreign key (child_root, child_extension) references register.persons (root, extension),
    foreign key (parent_root, parent_extension) references register.persons (root, extension)
);
create index parents_parent on register.parents (parent_root, parent_extension);
