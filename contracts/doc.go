// Package contracts holds the service contracts: what care systems and our own worker say to the register, and the register
// that answers.
//
// Each contract version has a package of its own with its types, client, server and schemas side by side. A version is a
// major: old and new run next to each other until the old one's last caller has moved; lifecycle.go has the dates. README.md tells how a version comes
// and goes, which faults there are, and what is the national service's and what is ours.
//
// Start with rivta, the ground all SOAP contracts stand on, then personv4.
package contracts
