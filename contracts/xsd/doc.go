// Package xsd reads and writes the elements of a schema's types, as strictly as the schema says.
//
// A type tells its fields once, in its Walk method, in the schema's order. Reading and writing go by the same lines, so both judge
// alike, and what was read is written as it came: elements of other namespaces too, where the schema has room for them.
//
// Start with Walker, then One and its likes; Encode and Decode are for whole messages.
package xsd
