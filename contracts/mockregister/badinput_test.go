package mockregister

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"contactsync/contracts/contracttest"
	"contactsync/contracts/personv4"
	"contactsync/contracts/rivta"
	"contactsync/contracts/testca"
)

// Personal data planted in messages; it must come back in no fault and reach no log.
const (
	plantedPerson = "201701012393"
	plantedMobile = "+46701740699"
	plantedMail   = "planted@example.se"
)

const addressHeader = `<r:LogicalAddress xmlns:r="urn:riv:itintegration:registry:1">%s</r:LogicalAddress>`

// message is a call that asks for the planted person, with the SOAP headers given.
func message(headers, prolog string) string {
	op := personv4.GetOperation(true)
	return prolog + `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>` + headers + `</s:Header><s:Body>` +
		`<g:` + op.Name + ` xmlns:g="` + op.Namespace() + `"><g:personId xmlns:c="` + personv4.Namespace + `"><c:root>` +
		personv4.RootPersonnummer + `</c:root><c:extension>` + plantedPerson + `</c:extension></g:personId></g:` + op.Name + `>` +
		`</s:Body></s:Envelope>`
}

func soapHeaders() http.Header {
	return http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"` + personv4.GetOperation(true).SOAPAction() + `"`}}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := serve(t)
	here := fmt.Sprintf(addressHeader, address)
	good := message(here, "")
	with := func(name string, values ...string) http.Header {
		headers := soapHeaders()
		headers[http.CanonicalHeaderKey(name)] = values
		return headers
	}
	for _, tt := range []struct {
		name    string
		caller  string
		body    string
		headers http.Header
		status  int
		answer  string // what the answer must hold
		outcome string
		blame   string
		cause   string
	}{
		{"a good call", worker, good, soapHeaders(), 200, "GetPersonContactInformationUnrestrictedResponse", "no_record", "none", ""},
		{"no HSA-id in the certificate", "", good, soapHeaders(), 500, "VP002", "VP002", "client", "the client certificate does not tell an HSA-id in SERIALNUMBER"},
		{"a caller that is allowed nothing", "SE2321000016-CSX1", good, soapHeaders(), 500, "VP007", "VP007", "client", "Obehörigt anrop för system SE2321000016-CSX1"},
		{"no logical address", worker, message("", ""), soapHeaders(), 500, "VP003", "VP003", "client", "LogicalAddress is missing or empty"},
		{"an empty logical address", worker, message(fmt.Sprintf(addressHeader, ""), ""), soapHeaders(), 500, "VP003", "VP003", "client", "LogicalAddress is missing or empty"},
		{"a wrong logical address", worker, message(fmt.Sprintf(addressHeader, plantedPerson), ""), soapHeaders(), 500, "VP004", "VP004", "client", "no service at this LogicalAddress"},
		{"the logical address twice", worker, message(here+here, ""), soapHeaders(), 500, "Client", "VP015", "client", "LogicalAddress is given twice"},
		{"SOAPAction twice", worker, good, with("SOAPAction", `""`, `""`), 500, "Client", "VP015", "client", "SOAPAction is given twice"},
		{"SOAPAction of another operation", worker, good, with("SOAPAction", personv4.UpdateOperation(true).SOAPAction()), 500, "Client", "fault_Client", "client", "SOAPAction is of another operation"},
		{"correlation id twice, with personal data", worker, good, with("x-skltp-correlation-id", plantedPerson, plantedMobile), 200, "Response", "no_record", "none", ""},
		{"personal data as original consumer", worker, good, with("x-rivta-original-serviceconsumer-hsaid", plantedPerson), 200, "Response", "no_record", "none", ""},
		{"nothing", worker, "", soapHeaders(), 500, "Client", "VP015", "client", "the document ends too early"},
		{"no XML", worker, plantedMail, soapHeaders(), 500, "Client", "VP015", "client", "text outside the document's element"},
		{"XML that breaks off", worker, good[:len(good)-20], soapHeaders(), 500, "Client", "VP015", "client", "malformed XML in line 1"},
		{"a DOCTYPE", worker, message(here, `<!DOCTYPE x [<!ENTITY e "`+plantedMail+`">]>`), soapHeaders(), 500, "Client", "VP015", "client", "a DOCTYPE is not allowed"},
		{"more than a mebibyte", worker, message(here+"<!--"+strings.Repeat(plantedMail, 1<<16)+"-->", ""), soapHeaders(), 500, "Client", "VP015", "client", "message is too large"},
		{"ten mebibytes", worker, message(here+"<!--"+strings.Repeat(plantedMail, 10<<20/len(plantedMail))+"-->", ""), soapHeaders(), 500, "Client", "VP015", "client", "message is too large"},
		{"an identity that cannot be", worker, strings.Replace(good, plantedPerson, plantedMobile, 1), soapHeaders(), 500, "Client", "fault_Client", "client", "malformed identity"},
		{"an unknown element", worker, strings.Replace(good, "g:personId", "g:"+"person", -1), soapHeaders(), 500, "Client", "fault_Client", "client", "GetPersonContactInformationUnrestricted: personId: missing or out of place"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := s.post(t.Context(), t, s.HTTP(t, tt.caller), tt.body, tt.headers)
			text, line := s.nextLine(t)
			if status != tt.status || !strings.Contains(answer, tt.answer) {
				t.Errorf("status %d, answer %s; want %d and %q", status, answer, tt.status, tt.answer)
			}
			if line.Outcome != tt.outcome || line.Blame != tt.blame || line.Operation != personv4.GetOperation(true).Name ||
				line.Caller != tt.caller || line.Cause != tt.cause {
				t.Errorf("logged %s; want outcome %s, blame %s and cause %q", text, tt.outcome, tt.blame, tt.cause)
			}
			if status == 500 && (line.LogID == "" || !strings.Contains(answer, line.LogID)) {
				t.Error("the fault's log id is not in the log")
			}
			checkNoPersonalData(t, text)
			checkNoPersonalData(t, answer)
		})
	}
}

func checkNoPersonalData(t *testing.T, text string) {
	t.Helper()
	for _, planted := range []string{plantedPerson, plantedMobile, plantedMail} {
		if strings.Contains(text, planted) {
			t.Errorf("personal data in %s", text)
		}
	}
}

func TestCallsAreLoggedWithoutPersonalData(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const id = "6f1f7f0e-6f0b-4c7e-9f5e-0d5f2f6a1c11"
	ctx := rivta.WithCorrelationID(t.Context(), id)
	client := s.client(t)
	person := s.id(t, "both_channels")
	get, write := personv4.GetOperation(true).Name, personv4.UpdateOperation(true).Name
	update := contracttest.Unchanged(*must(client.Get(ctx, person))(t))
	checkLine(t, s, person, logLine{Operation: get, Caller: worker, Outcome: "ok", Blame: "none", CorrelationID: id})
	must(client.Update(ctx, update))(t)
	checkLine(t, s, person, logLine{Operation: write, Caller: worker, Outcome: "ok", Blame: "none", CorrelationID: id})
	must(client.Update(ctx, update))(t)
	checkLine(t, s, person, logLine{Operation: write, Caller: worker, Outcome: "error:stale_version", Blame: "client", CorrelationID: id})
}

// The access log is written in statements that calls share: a text that PostgreSQL does not take would be the trouble of all of them, also if
// it came from a system that may nothing.
func TestACorrelationIDThatIsNoTextIsNotTaken(t *testing.T) {
	t.Parallel()
	s := serve(t)
	headers := soapHeaders()
	headers.Set("x-skltp-correlation-id", "\xff6f1f7f0e-6f0b-4c7e-9f5e-0d5f2f6a1c11\xff")
	for caller, want := range map[string]string{worker: "no_record", "SE2321000016-CSX1": "VP007"} {
		_, answer := s.post(t.Context(), t, s.HTTP(t, caller), message(fmt.Sprintf(addressHeader, address), ""), headers)
		if _, line := s.nextLine(t); line.Outcome != want {
			t.Errorf("%s: %s, want %s; answer %s", caller, line.Outcome, want, answer)
		}
	}
}

func TestOriginalConsumerIsLogged(t *testing.T) {
	t.Parallel()
	s := serve(t)
	const first = "SE2321000016-FIRST"
	must(s.client(t).Get(rivta.WithOriginalConsumer(t.Context(), first), s.id(t, "empty")))(t)
	if text, line := s.nextLine(t); line.OriginalConsumer != first || line.Caller != worker {
		t.Errorf("logged %s", text)
	}
}

func checkLine(t *testing.T, s served, person personv4.ID, want logLine) {
	t.Helper()
	text, line := s.nextLine(t)
	if line != want || !strings.Contains(text, `"duration_seconds":0.`) {
		t.Errorf("logged %s, want %+v and how long it took", text, want)
	}
	for _, secret := range []string{person.Extension, "+467017406", "example.se"} {
		if strings.Contains(text, secret) {
			t.Errorf("personal data in %s", text)
		}
	}
}

func TestDatabaseTroubleIsAServerFault(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if _, err := s.pool.Exec(t.Context(), `alter table register.persons rename to gone`); err != nil {
		t.Fatal(err)
	}
	status, answer := s.post(t.Context(), t, s.HTTP(t, worker), message(fmt.Sprintf(addressHeader, address), ""), soapHeaders())
	if status != 500 || !strings.Contains(answer, "Server") || strings.Contains(answer, "gone") || strings.Contains(answer, "persons") {
		t.Errorf("status %d, answer %s", status, answer)
	}
	text, line := s.nextLine(t)
	if line.Outcome != "fault_Server" || line.Blame != "us" || !strings.Contains(text, `"SQLSTATE 42P01"`) {
		t.Errorf("logged %s", text)
	}
}

func TestRequestsThatAreNoCallsAreLoggedToo(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, tt := range []struct{ method, path, outcome, blame string }{
		{http.MethodGet, "/person/" + plantedPerson, "http_404", "client"},
		{http.MethodDelete, personv4.GetOperation(true).Path(), "http_405", "client"},
		{http.MethodGet, personv4.GetOperation(true).Path() + "?wsdl", "http_200", "none"},
	} {
		request := must(http.NewRequestWithContext(t.Context(), tt.method, s.URL+tt.path, nil))(t)
		response := must(s.HTTP(t, worker).Do(request))(t)
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		text, line := s.nextLine(t)
		if line != (logLine{Caller: worker, Outcome: tt.outcome, Blame: tt.blame, CorrelationID: line.CorrelationID}) {
			t.Errorf("%s %s: logged %s", tt.method, tt.path, text)
		}
		checkNoPersonalData(t, text)
	}
}

func TestCertificatesOfOthersAreNotLetIn(t *testing.T) {
	t.Parallel()
	s := serve(t)
	pair := func(certPEM, keyPEM []byte, err error) tls.Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return must(tls.X509KeyPair(certPEM, keyPEM))(t)
	}
	foreign := pair(must(testca.New(time.Now()))(t).Issue("system", worker))
	expired := pair(s.CA.IssueUntil(time.Now().Add(-time.Minute), "system", worker))
	server := pair(s.CA.Issue("system", worker, "127.0.0.1"))
	for name, certificates := range map[string][]tls.Certificate{"of another authority": {foreign}, "that has run out": {expired},
		"of a server": {server}, "none": nil} {
		client := s.HTTP(t, worker)
		client.Transport.(*http.Transport).TLSClientConfig.Certificates = certificates
		response, err := client.Get(s.URL)
		if err == nil {
			response.Body.Close()
			t.Errorf("certificate %s: the register answered %s", name, response.Status)
		}
	}
	s.record(t, "empty") // and it still serves those it knows
}
