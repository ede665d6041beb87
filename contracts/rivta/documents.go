package rivta

import (
	"bytes"
	"encoding/xml"
	"io/fs"
	"maps"
	"strings"
	"text/template"
)

// Documents are the WSDL and the schemas of one operation, made of templates that the operations of its contract package share.
type Documents struct {
	Operation Operation
	Files     fs.FS          // the templates, in the folder schemas: interaction.wsdl, RegistryFile, Core and Responder
	Minor     string         // version of the contract as files carry it, such as 4.0
	Core      string         // file of the domain's core types, under the name that readers see too
	Responder string         // template of request and answer
	Fill      map[string]any // what the templates take besides what every contract has
}

// RegistryFile is the schema of the SOAP header LogicalAddress, as the national service names it.
const RegistryFile = "itintegration_registry_1.0.xsd"

// ResponderFile is the name of the schema of request and answer, by the profile's pattern.
func (d Documents) ResponderFile() string { return d.Operation.Name + "Responder_" + d.Minor + ".xsd" }

// Find renders a document: the WSDL for an empty name. address tells where a reader finds another one. False: there is none.
func (d Documents) Find(name string, address func(string) string) ([]byte, bool) {
	switch name {
	case "":
		return d.render("interaction.wsdl", address), true
	case d.ResponderFile():
		return d.render(d.Responder, address), true
	case d.Core, RegistryFile:
		return d.render(name, address), true
	}
	return nil, false
}

func (d Documents) render(file string, address func(string) string) []byte {
	functions := template.FuncMap{"address": func(name string) string { return escapeText(address(name)) }}
	page := template.Must(template.New(file).Funcs(functions).ParseFS(d.Files, "schemas/"+file))
	fill := map[string]any{
		"Contract":      d.Operation.Name,
		"Namespace":     d.Operation.Namespace(),
		"SOAPAction":    d.Operation.SOAPAction(),
		"ResponderFile": d.ResponderFile(),
		"CoreFile":      d.Core,
		"RegistryFile":  RegistryFile,
	}
	maps.Copy(fill, d.Fill)
	var text bytes.Buffer
	if err := page.Execute(&text, fill); err != nil {
		panic(err) // the templates are part of the program, and tests render each of them
	}
	return text.Bytes()
}

func escapeText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
