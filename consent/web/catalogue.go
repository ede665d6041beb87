package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Language is one that every text is written in.
type Language string

// The languages. Swedish is what a reader gets who asks for none of them.
const (
	Swedish Language = "sv"
	English Language = "en"
)

// Languages lists them.
var Languages = [...]Language{Swedish, English}

// Catalogue holds every text of a site in every language, by key.
type Catalogue map[Language]map[string]string

// ReadCatalogue reads LANGUAGE.json from each file system, and refuses what lacks a text or a placeholder in one language.
func ReadCatalogue(parts ...fs.FS) (Catalogue, error) {
	c := Catalogue{}
	for _, language := range Languages {
		c[language] = map[string]string{}
		for _, part := range parts {
			if err := c.read(language, part); err != nil {
				return nil, fmt.Errorf("texts in %s: %w", language, err)
			}
		}
	}
	return c, c.check()
}

func (c Catalogue) read(language Language, part fs.FS) error {
	text, err := fs.ReadFile(part, string(language)+".json")
	if err != nil {
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(text, &texts); err != nil {
		return err
	}
	for key, text := range texts {
		if _, taken := c[language][key]; taken {
			return fmt.Errorf("%s is there twice", key)
		}
		c[language][key] = text
	}
	return nil
}

// check tells every key that a language lacks, or where its placeholders differ.
func (c Catalogue) check() error {
	var faults []error
	for key, text := range c[Swedish] {
		other, known := c[English][key]
		if !known || strings.TrimSpace(other) == "" || strings.TrimSpace(text) == "" {
			faults = append(faults, fmt.Errorf("%s is not there in both languages", key))
		} else if !slices.Equal(placeholders(text), placeholders(other)) {
			faults = append(faults, fmt.Errorf("%s has other placeholders in another language", key))
		}
	}
	for key := range c[English] {
		if _, known := c[Swedish][key]; !known {
			faults = append(faults, fmt.Errorf("%s is not there in both languages", key))
		}
	}
	return errors.Join(faults...)
}

func placeholders(text string) []string {
	found := regexp.MustCompile(`\{[a-z]+\}`).FindAllString(text, -1)
	slices.Sort(found)
	return slices.Compact(found)
}

// For gives the texts in one language.
func (c Catalogue) For(language Language) Texts { return Texts{Lang: language, texts: c[language]} }

// Texts are a catalogue's in one language.
type Texts struct {
	Lang  Language
	texts map[string]string
}

// T returns a text, with its placeholders filled from pairs of name and value. A key that is unknown stands for itself; the
// sites' tests see to it that there is none.
func (t Texts) T(key string, pairs ...any) string {
	text, known := t.texts[key]
	if !known {
		return key
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%v}", pairs[i]), fmt.Sprint(pairs[i+1]))
	}
	return text
}

// Time writes a moment as people in Sweden read it.
func (t Texts) Time(at time.Time, place *time.Location) string {
	at = at.In(place)
	return t.T("time", "day", at.Day(), "month", t.T(fmt.Sprintf("month.%d", at.Month())), "year", at.Year(),
		"clock", at.Format(t.T("time.clock")))
}
