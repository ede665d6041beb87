// Package personv4 is the national service's contract for contact details, major 4: GetPersonContactInformation,
// UpdatePersonContactInformation and their Unrestricted twins, which also show and change protected persons.
//
// A write replaces the whole record: read it, change it, send it back with the version that was read. Whatever else the
// record holds, unknown elements too, goes back as it came. There is no delete; an entry is removed by leaving it out.
//
// Names, order and limits are those of the official schemas (domain strategicresourcemanagement:persons:person 5.1). Start
// with Record and Service; Client calls, NewHandler serves.
package personv4
