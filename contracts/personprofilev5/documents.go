package personprofilev5

import (
	"bytes"
	"embed"
	"encoding/xml"
	"strings"
	"text/template"

	"contactsync/contracts/rivta"
)

//go:embed schemas
var schemas embed.FS

// File names as the national service has them.
const (
	coreFile     = "strategicresourcemanagement_persons_person_5.0.xsd"
	registryFile = "itintegration_registry_1.0.xsd"
)

// documents are the WSDL and the schemas of one operation. The twins share their text; what differs is filled in.
type documents struct{ op rivta.Operation }

// find renders a document: the WSDL for an empty name. address tells where a reader finds another one.
func (d documents) find(name string, address func(string) string) ([]byte, bool) {
	switch name {
	case "":
		return d.render("interaction.wsdl", address), true
	case d.responderFile():
		return d.render("responder.xsd", address), true
	case coreFile, registryFile:
		return d.render(name, address), true
	}
	return nil, false
}

func (d documents) responderFile() string { return d.op.Name + "Responder_5.0.xsd" }

func (d documents) render(file string, address func(string) string) []byte {
	functions := template.FuncMap{"address": func(name string) string { return escape(address(name)) }}
	page := template.Must(template.New(file).Funcs(functions).ParseFS(schemas, "schemas/"+file))
	var text bytes.Buffer
	err := page.Execute(&text, map[string]any{
		"Contract":      d.op.Name,
		"Unrestricted":  strings.HasSuffix(d.op.Name, "Unrestricted"),
		"Namespace":     d.op.Namespace(),
		"SOAPAction":    d.op.SOAPAction(),
		"ResponderFile": d.responderFile(),
		"CoreFile":      coreFile,
		"RegistryFile":  registryFile,
	})
	if err != nil {
		panic(err) // the templates are part of the program, and tests render each of them
	}
	return text.Bytes()
}

func escape(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
