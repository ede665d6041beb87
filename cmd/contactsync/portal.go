package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"log/slog"
	"time"

	"contactsync/consent/consentpg"
	"contactsync/consent/contact"
	"contactsync/consent/event"
	"contactsync/consent/portal"
	"contactsync/contracts/mockregister"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/sync/register"
)

// mostPersons bounds the list one may choose a test person from: the named ones come first.
const mostPersons = 100

// newPortal makes the residents' portal of dev. Its key is published, as the pepper of development is.
func newPortal(store *consentpg.Store, view portal.Register, persons []mockregister.TestPerson, log *slog.Logger) (*portal.Portal, error) {
	shown := make([]portal.Person, 0, mostPersons)
	for _, p := range persons[:min(len(persons), mostPersons)] {
		shown = append(shown, portal.Person{Name: p.Name, State: p.State, ID: contact.KnownPersonID(p.Root, p.Extension)})
	}
	key := sha256.Sum256([]byte(event.DevelopmentPepper + " portal"))
	return portal.New(portal.Config{
		Store: store, Register: view, Persons: func() []portal.Person { return shown }, Key: key[:], Now: time.Now, Log: log,
	})
}

// registerView shows the portal what the register holds, over the contract.
type registerView struct{ register *register.PersonV4 }

func newRegisterView(url string, config *tls.Config) (portal.Register, error) {
	reads, _ := register.HTTPClients(config, 8)
	client, err := personv4.NewClient(personv4.ClientConfig{ClientConfig: rivta.ClientConfig{
		BaseURL: url, LogicalAddress: registerAddress, HTTP: reads}})
	if err != nil {
		return nil, err
	}
	adapter, err := register.NewPersonV4(register.PersonV4Config{Reads: client, Writes: client, Codes: register.DefaultCodes(),
		Observe: func(string, string, string, time.Duration) {}})
	return registerView{adapter}, err
}

// Held implements portal.Register.
func (v registerView) Held(ctx context.Context, p contact.PersonID) (map[contact.Channel][]portal.Entry, error) {
	reading, err := v.register.Read(ctx, p)
	if err != nil || reading == nil {
		return nil, err
	}
	held := map[contact.Channel][]portal.Entry{}
	for channel, own := range reading.Record().Own {
		for _, e := range own {
			held[channel] = append(held[channel], portal.Entry{Value: e.Value, Notify: e.Notify})
		}
	}
	return held, nil
}
