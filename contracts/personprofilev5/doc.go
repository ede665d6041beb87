// Package personprofilev5 is the national service's contract that answers who somebody is, major 5: GetPersonsForProfile and
// its Unrestricted twin, for up to 500 persons in one call.
//
// How much is told of a person depends on the profile that is asked for (P1 to P5, each holds the one before it). From P3 on
// the contact details are among it, as complete as GetPersonContactInformation has them and with their version; P4 tells who
// is whose guardian. The restricted contract tells no more than P1 of a protected person.
//
// Names, order and limits are those of the official schemas (domain strategicresourcemanagement:persons:person 5.1). The
// schema of the Unrestricted twin is not public: it is taken to be of the same shape. What contacts are made of comes from
// personv4. Start with Person and Service; Client calls, NewHandler serves.
package personprofilev5
