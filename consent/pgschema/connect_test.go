package pgschema_test

import (
	"strings"
	"testing"

	"contactsync/consent/pgschema"
)

func TestRowsAreFoundByIndexUnlessTheAddressSaysOtherwise(t *testing.T) {
	c, err := pgschema.ParseConfig("postgres://u@h/d?enable_hashjoin=on")
	if err != nil {
		t.Fatal(err)
	}
	got := c.ConnConfig.RuntimeParams
	if got["enable_seqscan"] != "off" || got["jit"] != "off" || got["plan_cache_mode"] != "force_generic_plan" || got["enable_hashjoin"] != "on" {
		t.Errorf("settings %v", got)
	}
}

func TestAddressIsNotQuoted(t *testing.T) {
	_, err := pgschema.ParseConfig("postgres://u:secret@h:port/d")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}
