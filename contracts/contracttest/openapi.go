package contracttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CompatibleOpenAPI tells what in a served OpenAPI document breaks with the shipped one, each as a sentence; none: callers need not
// do anything.
//
// What callers send may be told less strictly than before, what they get more strictly: it breaks them if a path, an operation, a
// parameter, a status or a media type is gone, something more is required of them, a value that they may send is refused, or
// something that they were promised is not. New statuses and new values in answers do not: readers were told to expect them.
func CompatibleOpenAPI(shipped, served []byte) []string {
	var c openAPI
	if err := yaml.Unmarshal(shipped, &c.before); err != nil {
		return []string{"the shipped document: " + err.Error()}
	}
	if err := yaml.Unmarshal(served, &c.now); err != nil {
		return []string{"the served document: " + err.Error()}
	}
	c.paths()
	return c.breaks
}

// node is an object of a document.
type node = map[string]any

type openAPI struct {
	before, now node
	breaks      []string
	open        []string // pairs of references that are being compared: schemas may refer to themselves
}

func (c *openAPI) breakf(format string, args ...any) {
	c.breaks = append(c.breaks, fmt.Sprintf(format, args...))
}

// direction is whom a schema binds.
type direction bool

const (
	sent     direction = true  // by callers
	answered direction = false // to them
)

func (c *openAPI) paths() {
	before, now := object(c.before["paths"]), object(c.now["paths"])
	for _, path := range keys(before) {
		was, is := resolve(c.before, before[path]), resolve(c.now, now[path])
		for _, method := range []string{"get", "put", "post", "delete", "options", "head", "patch", "trace"} {
			place := strings.ToUpper(method) + " " + path
			switch {
			case was[method] == nil:
			case is[method] == nil:
				c.breakf("%s is gone", place)
			default:
				c.operation(place, was, is, method)
			}
		}
	}
}

func (c *openAPI) operation(place string, wasPath, isPath node, method string) {
	was, is := object(wasPath[method]), object(isPath[method])
	before, now := parameters(c.before, wasPath, was), parameters(c.now, isPath, is)
	for _, name := range keys(before) {
		if now[name] == nil {
			c.breakf("%s: parameter %s is gone", place, name)
			continue
		}
		old, current := object(before[name]), object(now[name])
		c.schema(place+": parameter "+name, old["schema"], current["schema"], sent)
	}
	for _, name := range keys(now) {
		if isRequired(now[name]) && !isRequired(before[name]) {
			c.breakf("%s: parameter %s is required", place, name)
		}
	}
	body, current := resolve(c.before, was["requestBody"]), resolve(c.now, is["requestBody"])
	if isRequired(current) && !isRequired(body) {
		c.breakf("%s: a body is required", place)
	}
	c.content(place+": body", body, current, sent)
	c.responses(place, object(was["responses"]), object(is["responses"]))
}

func (c *openAPI) responses(place string, before, now node) {
	for _, status := range keys(before) {
		if now[status] == nil {
			c.breakf("%s: status %s is gone", place, status)
			continue
		}
		was, is := resolve(c.before, before[status]), resolve(c.now, now[status])
		c.content(place+": status "+status, was, is, answered)
		for _, header := range keys(object(was["headers"])) {
			if object(is["headers"])[header] == nil {
				c.breakf("%s: status %s: header %s is gone", place, status, header)
			}
		}
	}
}

func (c *openAPI) content(place string, was, is node, d direction) {
	before, now := object(was["content"]), object(is["content"])
	for _, media := range keys(before) {
		if now[media] == nil {
			c.breakf("%s: %s is gone", place, media)
			continue
		}
		c.schema(place+": "+media, object(before[media])["schema"], object(now[media])["schema"], d)
	}
}

func (c *openAPI) schema(place string, before, now any, d direction) {
	pair := fmt.Sprint(object(before)["$ref"], " ", object(now)["$ref"], " ", d)
	if object(before)["$ref"] != nil {
		if slices.Contains(c.open, pair) {
			return
		}
		c.open = append(c.open, pair)
		defer func() { c.open = c.open[:len(c.open)-1] }()
	}
	was, is := resolve(c.before, before), resolve(c.now, now)
	c.values(place, was, is, d)
	if d == sent {
		c.bounds(place, was, is)
	}
	c.properties(place, was, is, d)
	if was["items"] != nil {
		c.schema(place+"[]", was["items"], is["items"], d)
	}
	for _, word := range []string{"allOf", "oneOf", "anyOf"} {
		before, now := list(was[word]), list(is[word])
		if len(before) != len(now) {
			c.breakf("%s: another number of %s", place, word)
			continue
		}
		for i := range before {
			c.schema(fmt.Sprintf("%s: %s %d", place, word, i+1), before[i], now[i], d)
		}
	}
}

// values compares type, format and the values that are listed.
func (c *openAPI) values(place string, was, is node, d direction) {
	if was["format"] != is["format"] {
		c.breakf("%s: format was %v and is %v", place, was["format"], is["format"])
	}
	before, now := types(was), types(is)
	if d == sent && !within(before, now) || d == answered && !within(now, before) {
		c.breakf("%s: type was %v and is %v", place, before, now)
	}
	if d == sent && !within(enum(was), enum(is)) {
		c.breakf("%s: values were %v and are %v", place, enum(was), enum(is))
	}
}

// within tells whether all of one list are in the other. An empty list is of everything.
func within(some, all []string) bool {
	return len(all) == 0 || len(some) > 0 && !slices.ContainsFunc(some, func(v string) bool {
		return !slices.Contains(all, v) && (v != "integer" || !slices.Contains(all, "number"))
	})
}

func types(schema node) []string {
	names := texts(schema["type"])
	if schema["nullable"] == true { // OpenAPI 3.0
		names = append(names, "null")
	}
	return names
}

func enum(schema node) []string {
	if schema["const"] != nil {
		return texts(schema["const"])
	}
	return texts(schema["enum"])
}

// bounds must not become narrower.
func (c *openAPI) bounds(place string, was, is node) {
	for _, word := range []string{"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"} {
		if now, bound := number(is[word]); bound {
			if before, known := number(was[word]); !known || now < before {
				c.breakf("%s: %s was %v and is %v", place, word, was[word], is[word])
			}
		}
	}
	for _, word := range []string{"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"} {
		if now, bound := number(is[word]); bound {
			if before, known := number(was[word]); !known || now > before {
				c.breakf("%s: %s was %v and is %v", place, word, was[word], is[word])
			}
		}
	}
	for _, word := range []string{"pattern", "uniqueItems"} {
		if is[word] != nil && is[word] != false && is[word] != was[word] {
			c.breakf("%s: %s was %v and is %v", place, word, was[word], is[word])
		}
	}
}

func (c *openAPI) properties(place string, was, is node, d direction) {
	before, now := object(was["properties"]), object(is["properties"])
	promised, demanded := texts(was["required"]), texts(is["required"])
	for _, name := range keys(before) {
		switch {
		case now[name] != nil:
			c.schema(place+"."+name, before[name], now[name], d)
		case d == sent || slices.Contains(promised, name):
			c.breakf("%s.%s is gone", place, name)
		}
	}
	for _, name := range demanded {
		if d == sent && !slices.Contains(promised, name) {
			c.breakf("%s.%s is required", place, name)
		}
	}
	for _, name := range promised {
		if d == answered && now[name] != nil && !slices.Contains(demanded, name) {
			c.breakf("%s.%s is no longer promised", place, name)
		}
	}
	if d == sent && is["additionalProperties"] == false && was["additionalProperties"] != false {
		c.breakf("%s: no other properties may be sent", place)
	}
	if rest := object(was["additionalProperties"]); rest != nil && object(is["additionalProperties"]) != nil {
		c.schema(place+".*", rest, is["additionalProperties"], d)
	}
}

// parameters are those of an operation, its own before those of its path, by place and name.
func parameters(document, path, operation node) node {
	all := node{}
	for _, p := range slices.Concat(list(path["parameters"]), list(operation["parameters"])) {
		parameter := resolve(document, p)
		all[fmt.Sprintf("%v %v", parameter["in"], parameter["name"])] = parameter
	}
	return all
}

// resolve follows a reference inside the document.
func resolve(document node, v any) node {
	found := object(v)
	ref, ok := found["$ref"].(string)
	if !ok {
		return found
	}
	found = document
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		found = object(found[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)])
	}
	return resolve(document, found)
}

func isRequired(v any) bool { return object(v)["required"] == true }

func object(v any) node {
	o, _ := v.(node)
	return o
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// texts are the values of a list, or one by itself.
func texts(v any) []string {
	values := list(v)
	if values == nil && v != nil {
		values = []any{v}
	}
	var all []string
	for _, value := range values {
		all = append(all, fmt.Sprint(value))
	}
	return all
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

func keys(o node) []string { return slices.Sorted(maps.Keys(o)) }
