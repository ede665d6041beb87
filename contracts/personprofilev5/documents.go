package personprofilev5

import (
	"embed"
	"strings"

	"contactsync/contracts/rivta"
)

//go:embed schemas
var schemas embed.FS

const coreFile = "strategicresourcemanagement_persons_person_5.0.xsd"

func documents(op rivta.Operation) rivta.Documents {
	return rivta.Documents{Operation: op, Files: schemas, Minor: "5.0", Core: coreFile, Responder: "responder.xsd",
		Fill: map[string]any{"Unrestricted": strings.HasSuffix(op.Name, "Unrestricted")}}
}
