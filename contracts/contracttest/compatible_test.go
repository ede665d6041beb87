package contracttest_test

import (
	"strings"
	"testing"

	"contactsync/contracts/contracttest"
)

const (
	code = `<xsd:simpleType name="Code"><xsd:restriction base="xsd:string"><xsd:enumeration value="OK"/>` +
		`<xsd:enumeration value="ERROR"/></xsd:restriction></xsd:simpleType>`
	short = `<xsd:simpleType name="Short"><xsd:restriction base="xsd:string"><xsd:maxLength value="40"/></xsd:restriction></xsd:simpleType>`
)

// schema is a small one with everything that ours have.
const schema = `<?xml version="1.0" encoding="UTF-8"?>
<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:own="urn:p:4" targetNamespace="urn:p:4"
            elementFormDefault="qualified" version="4.0">
  <xsd:import namespace="urn:p:other" schemaLocation="https://localhost/a.xsd"/>
  <!-- what was done -->
  ` + code + `
  ` + short + `
  <xsd:element name="Asked" type="own:AskedType"/>
  <xsd:complexType name="AskedType">
    <xsd:sequence>
      <xsd:element name="who" type="own:Short"/>
      <xsd:element name="why" type="own:Short" minOccurs="0"/>
      <xsd:element name="code" type="own:Code" minOccurs="0" maxOccurs="unbounded"/>
      <xsd:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>
    </xsd:sequence>
  </xsd:complexType>
</xsd:schema>`

func TestChangesOfASchema(t *testing.T) {
	t.Parallel()
	const why, room = `<xsd:element name="why" type="own:Short" minOccurs="0"/>`, `<xsd:any namespace`
	for sentence, row := range map[string]struct {
		find, replace string
		breaks        bool
	}{
		"nothing":                                {"", "", false},
		"another comment":                        {"what was done", "what became of it", false},
		"another prefix":                         {"own", "mine", false},
		"another address of another schema":      {"https://localhost/a.xsd", "https://register.example/b.xsd", false},
		"a later minor":                          {`version="4.0"`, `version="4.1"`, false},
		"what is the default, written":           {`name="who"`, `name="who" minOccurs="1" maxOccurs="1"`, false},
		"a new type that nothing refers to":      {"<!--", `<xsd:complexType name="New"/><!--`, false},
		"types in another order":                 {code + "\n  " + short, short + code, false},
		"the message itself is gone":             {`<xsd:element name="Asked" type="own:AskedType"/>`, "", true},
		"a minor's optional element":             {room, `<xsd:element ref="m:new" minOccurs="0"/>` + room, false},
		"a minor's mandatory element":            {room, `<xsd:element ref="m:new"/>` + room, true},
		"a minor's element in the middle":        {why, `<xsd:element ref="m:new" minOccurs="0"/>` + why, true},
		"an optional element of its own":         {room, `<xsd:element name="new" type="own:Short" minOccurs="0"/>` + room, true},
		"a reference to an element of its own":   {room, `<xsd:element ref="own:Asked" minOccurs="0"/>` + room, true},
		"an element is gone":                     {why, "", true},
		"an element has another name":            {`name="why"`, `name="reason"`, true},
		"two elements have changed places":       {`<xsd:element name="who" type="own:Short"/>`, why + `<xsd:element name="who" type="own:Short"/>`, true},
		"an element is mandatory":                {why, `<xsd:element name="why" type="own:Short"/>`, true},
		"an element is optional":                 {`name="who"`, `name="who" minOccurs="0"`, true},
		"an element comes once":                  {`minOccurs="0" maxOccurs="unbounded"/>` + "\n      <xsd:any", `minOccurs="0"/>` + "\n      <xsd:any", true},
		"an element of another type":             {`name="who" type="own:Short"`, `name="who" type="own:Code"`, true},
		"an element of a built-in type":          {`name="who" type="own:Short"`, `name="who" type="xsd:string"`, true},
		"a type is shorter":                      {`value="40"`, `value="39"`, true},
		"a type is longer":                       {`value="40"`, `value="41"`, true},
		"a type has a pattern":                   {`<xsd:maxLength`, `<xsd:pattern value="a"/><xsd:maxLength`, true},
		"a value is gone":                        {`<xsd:enumeration value="ERROR"/>`, "", true},
		"a value is new":                         {`<xsd:enumeration value="ERROR"/>`, `<xsd:enumeration value="ERROR"/><xsd:enumeration value="INFO"/>`, true},
		"a type is gone":                         {`name="AskedType"`, `name="OtherType"`, true},
		"no room for other namespaces":           {`<xsd:any namespace="##other" processContents="lax" minOccurs="0" maxOccurs="unbounded"/>`, "", true},
		"room for elements that must be known":   {`processContents="lax"`, `processContents="strict"`, true},
		"another namespace":                      {`targetNamespace="urn:p:4"`, `targetNamespace="urn:p:5"`, true},
		"elements without a namespace":           {` elementFormDefault="qualified"`, "", true},
		"an attribute that is demanded":          {"</xsd:sequence>", `</xsd:sequence><xsd:attribute name="id" use="required"/>`, true},
		"a choice instead of a sequence":         {"xsd:sequence", "xsd:choice", true},
		"text that is no schema":                 {"</xsd:schema>", "", true},
		"an import of the minor's namespace too": {"<!--", `<xsd:import namespace="urn:m" schemaLocation="m.xsd"/><!--`, false},
	} {
		text := strings.Replace(schema, `elementFormDefault`, `xmlns:m="urn:p:4:4.1" elementFormDefault`, 1)
		shipped := text
		if !strings.Contains(text, row.find) {
			t.Fatalf("%s: nothing to replace", sentence)
		}
		if row.find != "" {
			text = strings.ReplaceAll(text, row.find, row.replace)
		}
		breaks := contracttest.CompatibleXML([]byte(shipped), []byte(text))
		if (len(breaks) > 0) != row.breaks {
			t.Errorf("%s: breaks %q, want some: %v", sentence, breaks, row.breaks)
		}
	}
}

const document = `
openapi: 3.1.0
info: {title: small, version: 1.0.0}
paths:
  /persons/{id}:
    parameters: [{$ref: '#/components/parameters/id'}]
    get:
      parameters:
        - {in: query, name: limit, schema: {type: integer, minimum: 1, maximum: 1000}}
      responses:
        '200':
          headers: {ETag: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Person'}}}
        '404': {$ref: '#/components/responses/Problem'}
    put:
      requestBody:
        content:
          application/json:
            schema:
              type: object
              required: [channel]
              properties:
                channel: {enum: [mobile, email]}
                value: {type: [string, 'null'], maxLength: 254}
                note: {type: string}
      responses: {'204': {description: done}}
components:
  parameters: {id: {in: path, name: id, required: true, schema: {type: string}}}
  responses: {Problem: {content: {application/problem+json: {schema: {type: object, required: [code], properties: {code: {type: string}}}}}}}
  schemas:
    Person:
      type: object
      required: [version, entries]
      properties:
        version: {type: string}
        state: {enum: [alive, deceased]}
        entries: {type: array, items: {allOf: [{type: object, required: [value], properties: {value: {type: string}}}]}}
        guardian: {$ref: '#/components/schemas/Person'}
`

func TestChangesOfAnOpenAPIDocument(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		find, replace string
		breaks        bool
	}{
		"nothing":                                {"", "", false},
		"another title":                          {"title: small", "title: large", false},
		"a new path":                             {"components:", "  /new: {get: {responses: {'200': {description: ok}}}}\ncomponents:", false},
		"a path is gone":                         {"/persons/{id}:", "/people/{id}:", true},
		"an operation is gone":                   {"    put:", "    patch:", true},
		"a new optional parameter":               {"- {in: query, name: limit,", "- {in: query, name: from, schema: {type: string}}\n        - {in: query, name: limit,", false},
		"a new required parameter":               {"- {in: query, name: limit,", "- {in: query, name: from, required: true}\n        - {in: query, name: limit,", true},
		"a parameter is required":                {"name: limit,", "name: limit, required: true,", true},
		"a parameter is gone":                    {"name: limit,", "name: most,", true},
		"a parameter in another place":           {"{in: query, name: limit,", "{in: header, name: limit,", true},
		"a parameter of another type":            {"type: integer, minimum", "type: string, minimum", true},
		"a parameter of a wider type":            {"type: integer, minimum", "type: number, minimum", false},
		"a parameter with a lower maximum":       {"maximum: 1000", "maximum: 500", true},
		"a parameter with a higher maximum":      {"maximum: 1000", "maximum: 2000", false},
		"a parameter with a higher minimum":      {"minimum: 1,", "minimum: 2,", true},
		"a parameter with a pattern":             {"required: true, schema: {type: string}", "required: true, schema: {type: string, pattern: a}", true},
		"a parameter with a format":              {"required: true, schema: {type: string}", "required: true, schema: {type: string, format: uuid}", true},
		"a status is gone":                       {"        '404': {$ref: '#/components/responses/Problem'}\n", "", true},
		"a new status":                           {"'404':", "'410': {description: gone}\n        '404':", false},
		"another media type":                     {"application/problem+json", "application/json", true},
		"a header is gone":                       {"ETag", "Age", true},
		"a body is required":                     {"requestBody:", "requestBody:\n        required: true", true},
		"a body of another type":                 {"              type: object", "              type: array", true},
		"a new optional property in a request":   {"note: {type: string}", "note: {type: string}\n                why: {type: string}", false},
		"a new required property in a request":   {"required: [channel]", "required: [channel, value]", true},
		"a property in a request is gone":        {"                note: {type: string}\n", "", true},
		"no more other properties in a request":  {"required: [channel]", "required: [channel]\n              additionalProperties: false", true},
		"a value in a request is gone":           {"[mobile, email]", "[mobile]", true},
		"a new value in a request":               {"[mobile, email]", "[mobile, email, letter]", false},
		"no list of values in a request":         {"channel: {enum: [mobile, email]}", "channel: {}", false},
		"a list of values in a request":          {"note: {type: string}", "note: {type: string, enum: [a]}", true},
		"a constant in a request":                {"note: {type: string}", "note: {type: string, const: a}", true},
		"null may not be sent":                   {"type: [string, 'null']", "type: string", true},
		"a shorter text in a request":            {"maxLength: 254", "maxLength: 100", true},
		"a promised property is gone":            {"        version: {type: string}\n", "", true},
		"a property is no longer promised":       {"required: [version, entries]", "required: [version]", true},
		"a new promise":                          {"required: [version, entries]", "required: [version, entries, state]", false},
		"a new property in an answer":            {"        state:", "        age: {type: integer}\n        state:", false},
		"an optional property of an answer gone": {"        state: {enum: [alive, deceased]}\n", "", false},
		"a new value in an answer":               {"[alive, deceased]", "[alive, deceased, emigrated]", false},
		"an answer of another type":              {"        version: {type: string}", "        version: {type: integer}", true},
		"an answer that may be null":             {"        version: {type: string}", "        version: {type: [string, 'null']}", true},
		"an answer of any type":                  {"        version: {type: string}", "        version: {}", true},
		"an item of another type":                {"value: {type: string}}}]", "value: {type: integer}}}]", true},
		"another combination":                    {"allOf: [", "anyOf: [", true},
		"a promise of a fault is gone":           {"required: [code]", "required: []", true},
		"what is referred to, written in place":  {"'404': {$ref: '#/components/responses/Problem'}", "'404': {content: {application/problem+json: {schema: {type: object, required: [code], properties: {code: {type: string}}}}}}", false},
		"text that is no document":               {"openapi:", "  - openapi:", true},
	} {
		if !strings.Contains(document, row.find) {
			t.Fatalf("%s: nothing to replace", sentence)
		}
		text := document
		if row.find != "" {
			text = strings.ReplaceAll(text, row.find, row.replace)
		}
		breaks := contracttest.CompatibleOpenAPI([]byte(document), []byte(text))
		if (len(breaks) > 0) != row.breaks {
			t.Errorf("%s: breaks %q, want some: %v", sentence, breaks, row.breaks)
		}
	}
}
