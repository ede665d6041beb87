package personv4

import (
	"encoding/xml"
	"errors"

	"contactsync/contracts/xsd"
)

func core(local string) xml.Name { return xml.Name{Space: Namespace, Local: local} }

// parts is the kind of a complex type of the core schema.
func parts[T any, P xsd.Walkable[T]](name string) xsd.Kind[T] { return xsd.Parts[T, P](core(name)) }

// Kinds are made once, since each message needs them many times.
var (
	codedValue = xsd.Text(core("CodedValue"), 0, 40)
	string80   = xsd.Text(core("String80"), 0, 80)
	timestamp  = xsd.Text(core("Timestamp"), 14, 14)
	resultCode = xsd.Simple(core("ResultCodeType"), parseResultCode, func(s string) string { return s })

	identityType      = parts[ID]("IIType")
	entryType         = parts[Entry]("ContactInformationType")
	contactPersonType = parts[ContactPerson]("ContactPersonType")
	actorType         = parts[Actor]("ActorType")
	recordType        = parts[Record]("ContactInformationRecordType")
	periodType        = parts[Period]("DatePeriodType")
	addressType       = parts[Address]("ResidentialAddressType")
	professionalType  = parts[Professional]("ProfessionalType")
	statusType        = parts[status]("ResultType")
	resultType        = parts[Result]("UpdatePersonContactInformationResultType")
)

func parseResultCode(s string) (string, error) {
	if s != "OK" && s != "ERROR" {
		return s, errors.New("neither OK nor ERROR")
	}
	return s, nil
}
