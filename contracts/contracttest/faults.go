package contracttest

import (
	"bufio"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
)

func (r run) stranger(t *testing.T) {
	for _, restricted := range []bool{false, true} {
		client := r.contract.client(t, r.served, r.Stranger, r.LogicalAddress, restricted)
		_, err := client.Get(t.Context(), r.Person)
		wantFault(t, err, rivta.FaultServer, "VP007")
		_, err = client.Update(t.Context(), Unchanged(r.record(t, r.Person)))
		wantFault(t, err, rivta.FaultServer, "VP007")
	}
}

func (r run) wrongAddress(t *testing.T) {
	client := r.contract.client(t, r.served, r.System, "SE2321000016-0000", false)
	_, err := client.Get(t.Context(), r.Person)
	wantFault(t, err, rivta.FaultClient, "VP004")
}

func (r run) malformedIdentity(t *testing.T) {
	for sentence, id := range map[string]personv4.ID{
		"no root":             {Extension: r.Person.Extension},
		"no extension":        {Root: r.Person.Root},
		"a wrong check digit": {Root: personv4.RootPersonnummer, Extension: "201701012394"},
		"no such day":         {Root: personv4.RootPersonnummer, Extension: "201702302396"},
		"ten digits":          {Root: personv4.RootPersonnummer, Extension: "1701012393"},
		"a personnummer as a coordination number": {Root: personv4.RootSamordningsnummer, Extension: "201701012393"},
	} {
		_, err := r.client.Get(t.Context(), id)
		if fault := wantFault(t, err, rivta.FaultClient, ""); t.Failed() {
			t.Fatalf("%s: %v", sentence, fault)
		}
		if fault, _ := errors.AsType[*rivta.Fault](err); id.Extension != "" && strings.Contains(fault.String, id.Extension) {
			t.Errorf("%s: the fault quotes the identity", sentence)
		}
	}
}

func wantFault(t *testing.T, err error, code rivta.FaultCode, vp string) *rivta.Fault {
	t.Helper()
	fault, ok := errors.AsType[*rivta.Fault](err)
	if !ok {
		t.Errorf("error %v, want a fault", err)
		return nil
	}
	if fault.Code != code || fault.VP != vp || fault.LogID == "" {
		t.Errorf("%v, want %s %s with a log-id", fault, code, vp)
	}
	return fault
}

// call is a request as text, for what our own client would never send. Empty fields are as they should be.
type call struct {
	sentence string
	header   string // inside the SOAP header
	body     string // inside the SOAP body
	whole    string // instead of an envelope around header and body
	actions  []string
	code     string // wanted faultcode; Client when empty
	vp       string // wanted code of the platform
}

func (r run) malformedMessages(t *testing.T) {
	get := r.contract.get(true)
	address := `<a:LogicalAddress xmlns:a="urn:riv:itintegration:registry:1">` + r.LogicalAddress + `</a:LogicalAddress>`
	asked := fmt.Sprintf(`<g:%s xmlns:g="%s" xmlns:c="%s"><g:personId><c:root>%s</c:root><c:extension>%s</c:extension></g:personId></g:%[1]s>`,
		get.Name, get.Namespace(), r.contract.namespace, r.Person.Root, r.Person.Extension)
	other := strings.ReplaceAll(asked, "Unrestricted", "")
	whole := envelope(address, asked)
	for _, c := range []call{
		{sentence: "no XML", whole: "tel", vp: "VP015"},
		{sentence: "XML that ends too early", whole: whole[:len(whole)-1], vp: "VP015"},
		{sentence: "a DOCTYPE", whole: `<!DOCTYPE x>` + whole, vp: "VP015"},
		{sentence: "more than 1 MiB", whole: whole + strings.Repeat(" ", 1<<20), vp: "VP015"},
		{sentence: "SOAP 1.2", vp: "VP015",
			whole: strings.ReplaceAll(whole, "schemas.xmlsoap.org/soap/envelope/", "www.w3.org/2003/05/soap-envelope")},
		{sentence: "an empty body", body: " ", vp: "VP015"},
		{sentence: "two elements in the body", body: asked + asked, vp: "VP015"},
		{sentence: "a body of another operation", body: other},
		{sentence: "a SOAPAction of another operation", actions: []string{`"` + r.contract.get(false).SOAPAction() + `"`}},
		{sentence: "a SOAPAction given twice", actions: []string{`""`, `""`}, vp: "VP015"},
		{sentence: "no logical address", header: " ", vp: "VP003"},
		{sentence: "an empty logical address", header: strings.Replace(address, r.LogicalAddress, "", 1), vp: "VP003"},
		{sentence: "a logical address given twice", header: address + address, vp: "VP015"},
		{sentence: "an unknown header that must be understood", code: "MustUnderstand",
			header: address + `<x:y xmlns:x="urn:x" xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:mustUnderstand="1"/>`},
		{sentence: "an element of the wrong namespace", body: strings.ReplaceAll(asked, "c:root", "g:root")},
		{sentence: "elements in the wrong order", body: strings.NewReplacer("c:root", "c:extension", "c:extension", "c:root").Replace(asked)},
	} {
		c.header, c.body = cmp.Or(c.header, address), cmp.Or(c.body, asked)
		c.whole = cmp.Or(c.whole, envelope(c.header, c.body))
		status, answer := r.post(t, get, c)
		want := "<faultstring>" + c.vp
		code := ":" + cmp.Or(c.code, "Client") + "</faultcode>"
		if status != http.StatusInternalServerError || !strings.Contains(answer, want) || !strings.Contains(answer, code) {
			t.Errorf("%s: status %d, want 500 with fault %s %s:\n%s", c.sentence, status, code, c.vp, answer)
		}
		if strings.Contains(answer, r.Person.Extension) {
			t.Errorf("%s: the fault quotes the identity", c.sentence)
		}
	}
	if status, answer := r.post(t, get, call{whole: whole}); status != http.StatusOK {
		t.Errorf("the same message without a fault: status %d\n%s", status, answer)
	}
}

func envelope(header, body string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>` + header + `</s:Header><s:Body>` + body +
		`</s:Body></s:Envelope>`
}

func (r run) post(t *testing.T, op rivta.Operation, c call) (status int, answer string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.served.URL+op.Path(), strings.NewReader(c.whole))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	request.Header["Soapaction"] = c.actions
	return r.send(t, r.System, request)
}

func (r run) send(t *testing.T, hsaID string, request *http.Request) (status int, answer string) {
	t.Helper()
	response, err := r.served.HTTP(t, hsaID).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// hugeMessage sends as simple clients do: they write all of a message before they read anything.
func (r run) hugeMessage(t *testing.T) {
	transport, ok := r.served.HTTP(t, r.System).Transport.(*http.Transport)
	if !ok {
		t.Fatal("not the transport of net/http")
	}
	config := transport.TLSClientConfig.Clone()
	config.ServerName = "127.0.0.1"
	dialer := tls.Dialer{Config: config}
	connection, err := dialer.DialContext(t.Context(), "tcp", strings.TrimPrefix(r.served.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	op := r.contract.get(true)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.served.URL+op.Path(),
		strings.NewReader(strings.Repeat(" ", 12<<20)))
	if err != nil {
		t.Fatal(err)
	}
	if err := request.Write(connection); err != nil {
		t.Fatalf("the register hung up: %v", err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "VP015") {
		t.Errorf("status %d, error %v:\n%s", response.StatusCode, err, text)
	}
}

func (r run) wsdl(t *testing.T) {
	for _, unrestricted := range []bool{false, true} {
		for _, op := range []rivta.Operation{r.contract.get(unrestricted), r.contract.update(unrestricted)} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.served.URL+op.Path()+"?wsdl", nil)
			if err != nil {
				t.Fatal(err)
			}
			status, text := r.send(t, r.Stranger, request)
			if status != http.StatusOK || !strings.Contains(text, `location="`+r.served.URL+op.Path()+`"`) {
				t.Errorf("%s: status %d, want a WSDL that tells its own address:\n%s", op.Name, status, text)
			}
		}
	}
}
