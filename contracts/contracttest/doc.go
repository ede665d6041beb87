// Package contracttest is what every register must pass, whatever it keeps its records in: Conformance, run through the real
// client over HTTP with mutual TLS, and on the same records through each two contracts that it serves; ProfileConformance, for those
// that also tell who somebody is; FaultConformance, for those that can be made to go wrong.
//
// Memory is a register that keeps records in memory and nothing else, for tests of clients. It is no example of how to store
// records, and no register to run.
//
// Start with Conformance; Serve puts any handler behind mutual TLS.
package contracttest
