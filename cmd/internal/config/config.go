// Package config reads what the services are told by environment variables, all of it at once: every fault is reported, each
// naming its variable, and so is a CONTACTSYNC_ variable that nobody knows.
//
// Any variable may be given as NAME_FILE instead: then the file's text counts. So secrets stay out of the environment, and
// certificates are files. Nothing here connects to anything. Start with Reader, then services.go.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// prefix begins the name of every variable.
const prefix = "CONTACTSYNC_"

// Variable is one that a service reads.
type Variable struct {
	Name     string // without the prefix
	Meaning  string
	Default  string
	Optional bool // may be empty
	Secret   bool // is never shown
	// ShownAs stands for a value that is too long to be shown; empty: it is shown as it is.
	ShownAs string
}

// Reader reads variables and collects what is wrong with them. A value that is wrong reads as the zero value.
type Reader struct {
	env    map[string]string
	read   map[string]Variable
	values map[string]string
	faults []error
	order  []string // names as they were asked for
}

// NewReader reads from an environment in the form of os.Environ.
func NewReader(environ []string) *Reader {
	r := &Reader{env: map[string]string{}, read: map[string]Variable{}, values: map[string]string{}}
	for _, line := range environ {
		if name, value, _ := strings.Cut(line, "="); strings.HasPrefix(name, prefix) {
			r.env[strings.TrimPrefix(name, prefix)] = value
		}
	}
	return r
}

// Faultf notes a fault of a variable.
func (r *Reader) Faultf(v Variable, format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf("%s%s "+format, append([]any{prefix, v.Name}, args...)...))
}

// Fault notes one that is no variable's, such as a flag's; nil is none.
func (r *Reader) Fault(err error) {
	if err != nil {
		r.faults = append(r.faults, err)
	}
}

// Err returns everything that is wrong, or nil. known are the variables of other services, which may be set as well.
func (r *Reader) Err(known ...string) error {
	faults := slices.Clone(r.faults)
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		plain := strings.TrimSuffix(name, "_FILE")
		if _, ours := r.read[plain]; !ours && !slices.Contains(known, plain) {
			faults = append(faults, fmt.Errorf("%s%s is not known to any service", prefix, name))
		}
	}
	return errors.Join(faults...)
}

// Text returns the variable's value, or its default.
func (r *Reader) Text(v Variable) string {
	if _, again := r.read[v.Name]; !again {
		r.order = append(r.order, v.Name)
	}
	r.read[v.Name] = v
	value := r.value(v)
	r.values[v.Name] = value
	if value == unreadable {
		r.values[v.Name] = "(unreadable)"
		return ""
	}
	if value == "" && !v.Optional {
		r.Faultf(v, "is missing: %s", v.Meaning)
	}
	return value
}

func (r *Reader) value(v Variable) string {
	value, set := r.env[v.Name]
	path, inFile := r.env[v.Name+"_FILE"]
	switch {
	case set && inFile:
		r.Faultf(v, "is given twice, also as %s%s_FILE", prefix, v.Name)
	case inFile:
		text, err := os.ReadFile(path)
		if err != nil {
			r.Faultf(v, "cannot be read from its file: %v", cause(v, err))
			return unreadable
		}
		value = strings.TrimRight(string(text), "\r\n")
	}
	return cmp.Or(value, v.Default)
}

// unreadable stands for the text of a file that cannot be read: that is one fault, and not also a missing variable.
const unreadable = "\x00"

// cause leaves out the name of a secret's file: it may be the secret, given to the wrong variable.
func cause(v Variable, err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok && v.Secret {
		return path.Err
	}
	return err
}

// List returns values separated by commas.
func (r *Reader) List(v Variable) []string {
	var out []string
	for item := range strings.SplitSeq(r.Text(v), ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// Addresses returns host:port pairs separated by commas.
func (r *Reader) Addresses(v Variable) []string {
	all := r.List(v)
	for _, address := range all {
		if !isAddress(address) {
			r.Faultf(v, "is no list of host:port")
		}
	}
	return all
}

// Address returns host:port.
func (r *Reader) Address(v Variable) string {
	address := r.Text(v)
	if address != "" && !isAddress(address) {
		r.Faultf(v, "is no host:port")
	}
	return address
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// URL returns an address of one of the schemes.
func (r *Reader) URL(v Variable, schemes ...string) *url.URL {
	text := r.Text(v)
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) {
		r.Faultf(v, "is no %s:// address", strings.Join(schemes, ":// or "))
		r.values[v.Name] = "(unreadable)" // it may hold a password
		return nil
	}
	return u
}

// Duration returns a time such as 1m30s, within bounds.
func (r *Reader) Duration(v Variable, least, most time.Duration) time.Duration {
	text := r.Text(v)
	d, err := time.ParseDuration(text)
	if text == "" || err == nil && d >= least && d <= most {
		return d
	}
	r.Faultf(v, "is no time from %v to %v, such as 1m30s", least, most)
	return 0
}

// Number returns a whole number within bounds.
func (r *Reader) Number(v Variable, least, most int) int {
	text := r.Text(v)
	n, err := strconv.Atoi(text)
	if text == "" || err == nil && n >= least && n <= most {
		return n
	}
	r.Faultf(v, "is no whole number from %d to %d", least, most)
	return 0
}

// Choice returns one of the words.
func (r *Reader) Choice(v Variable, words ...string) string {
	text := r.Text(v)
	if text != "" && !slices.Contains(words, text) {
		r.Faultf(v, "is none of %s", strings.Join(words, ", "))
		return ""
	}
	return text
}

// Flag returns true or false.
func (r *Reader) Flag(v Variable) bool { return r.Choice(v, "true", "false") == "true" }

// Setting is a variable and what it is set to, for people to look at.
type Setting struct {
	Variable
	Value string // of a secret: whether it is set
}

// Settings lists what was read, in the order in which it was asked for.
func (r *Reader) Settings() []Setting {
	out := make([]Setting, len(r.order))
	for i, name := range r.order {
		v, value := r.read[name], r.values[name]
		switch {
		case value == "":
		case v.Secret:
			value = "(set)"
		case v.ShownAs != "":
			value = v.ShownAs
		}
		v.Name = prefix + name
		out[i] = Setting{v, value}
	}
	return out
}

// Names lists the variables that were read, without the prefix.
func (r *Reader) Names() []string { return slices.Clone(r.order) }
