package personv3

import (
	"embed"
	"strings"

	"contactsync/contracts/rivta"
)

//go:embed schemas
var schemas embed.FS

const coreFile = "strategicresourcemanagement_persons_person_3.1.xsd"

func documents(op rivta.Operation) rivta.Documents {
	responder := "update_responder.xsd"
	if strings.HasPrefix(op.Name, "Get") {
		responder = "get_responder.xsd"
	}
	return rivta.Documents{Operation: op, Files: schemas, Minor: "3.1", Core: coreFile, Responder: responder,
		Fill: map[string]any{"Result": resultName(strings.HasSuffix(op.Name, "Unrestricted"))}}
}
