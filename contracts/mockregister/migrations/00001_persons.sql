-- +goose Up
create table register.persons (
    root                 text    not null,
    extension            text    not null,
    -- The order in which persons were seeded, which is the order in which they are listed.
    position             bigint  generated always as identity,
    name                 text    not null,
    state                text    not null,
    -- Only the register sets the three that follow; no contract can change them.
    deceased             boolean not null,
    protected_person     boolean not null,
    protected_population boolean not null,
    -- Swedish local time without zone, yyyymmddhhmmss. Grows with every update of the record.
    version              text    not null check (version ~ '^[0-9]{14}$'),
    -- The record in the contract's own XML. Of person, version and flags the columns are what counts, not their copy in
    -- there. Empty text: a record that holds nothing and that nobody has changed.
    content              text    not null,
    primary key (root, extension)
) with (fillfactor = 80);

-- Vårdnadshavare: who has custody of whom.
create table register.guardianships (
    child_root         text not null,
    child_extension    text not null,
    guardian_root      text not null,
    guardian_extension text not null,
    primary key (child_root, child_extension, guardian_root, guardian_extension),
    foreign key (child_root, child_extension) references register.persons (root, extension),
    foreign key (guardian_root, guardian_extension) references register.persons (root, extension)
);
