// Package contactsv1 is our own REST contract with the register, major 1: bulk lookup and change, single records, and the
// feed of what changed, by the Swedish REST profile. It tells and changes only the resident's own mobile number and e-mail
// address; whatever else a record holds belongs to the SOAP contracts beside it, which work on the same records.
//
// Identities of persons stand in bodies, never in addresses: a single record has an opaque ref, which a lookup tells.
// openapi.yaml is the contract; the handler serves it. The order and duplicate promises of the feed stand in there too.
//
// Start with types.go and Service; NewHandler serves, Client calls.
package contactsv1
