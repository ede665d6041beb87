package personv4

import (
	"encoding/xml"

	"contactsync/contracts/xsd"
)

func core(local string) xml.Name { return xml.Name{Space: Namespace, Local: local} }

// parts is the kind of a complex type of the core schema.
func parts[T any, P xsd.Walkable[T]](name string) xsd.Kind[T] { return xsd.Parts[T, P](core(name)) }

func codedValue() xsd.Kind[string] { return xsd.Text(core("CodedValue"), 0, 40) }
func string80() xsd.Kind[string]   { return xsd.Text(core("String80"), 0, 80) }
func timestamp() xsd.Kind[string]  { return xsd.Text(core("Timestamp"), 14, 14) }
