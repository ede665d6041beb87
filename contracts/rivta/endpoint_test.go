package rivta

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	systemID  = "SE2321000016-SYS1"
	ourselves = "SE165565594230-1000"
)

// subject is a verified certificate with these SERIALNUMBERs.
func subject(numbers ...string) *tls.ConnectionState {
	cert := &x509.Certificate{}
	for _, number := range numbers {
		cert.Subject.Names = append(cert.Subject.Names,
			pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 5}, Value: number})
	}
	return &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{cert}}, PeerCertificates: []*x509.Certificate{cert}}
}

func TestCallerOf(t *testing.T) {
	t.Parallel()
	unverified := subject(systemID)
	unverified.VerifiedChains = nil
	for sentence, row := range map[string]struct {
		connection *tls.ConnectionState
		vp         string
	}{
		"an HSA-id":                    {subject(systemID), ""},
		"an HSA-id of a test system":   {subject("TSTNMT2321000156-1028"), ""},
		"no TLS":                       {nil, "VP011"},
		"no certificate":               {&tls.ConnectionState{}, "VP002"},
		"a certificate nobody checked": {unverified, "VP002"},
		"no SERIALNUMBER":              {subject(), "VP002"},
		"two of them":                  {subject(systemID, systemID), "VP002"},
		"a person's certificate":       {subject("198507099805"), "VP002"},
		"a line end behind the HSA-id": {subject(systemID + "\n"), "VP002"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.TLS = row.connection
		caller, err := CallerOf(r)
		fault, _ := errors.AsType[*Fault](err)
		if row.vp == "" && (err != nil || caller.HSAID == "") || row.vp != "" && (fault == nil || fault.VP != row.vp) {
			t.Errorf("%s: caller %q, error %v, want %q", sentence, caller.HSAID, err, row.vp)
		}
	}
}

func TestCallerTakesHeadersOnlyInProperForm(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.TLS = subject(systemID)
	r.Header.Set("x-skltp-correlation-id", someUUID)
	r.Header.Set("x-rivta-original-serviceconsumer-hsaid", "SE2321000016-FIRST")
	want := Caller{HSAID: systemID, OriginalConsumer: "SE2321000016-FIRST", CorrelationID: someUUID}
	if got, err := CallerOf(r); err != nil || got != want {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	r.Header.Set("x-rivta-original-serviceconsumer-hsaid", "198507099805")
	bare := strings.ReplaceAll(someUUID, "-", "")
	for _, other := range []string{"198507099805", bare, "urn:uuid:" + someUUID, "{" + someUUID + "}", "\xff" + someUUID + "\xff"} {
		r.Header.Set("x-skltp-correlation-id", other)
		got, err := CallerOf(r)
		if err != nil || got.OriginalConsumer != "" || got.CorrelationID == other || len(got.CorrelationID) != len(someUUID) {
			t.Errorf("%q: %v %v", other, got, err)
		}
	}
}

func TestAnswersTellHowTheCallIsFollowed(t *testing.T) {
	t.Parallel()
	const first = "SE2321000016-FIRST"
	for sentence, row := range map[string]struct {
		body   string
		change func(*http.Request)
		first  string // the original consumer in the answer
	}{
		"a call for another system": {"", func(r *http.Request) { r.Header.Set(originalConsumerHeader, first) }, first},
		"a call of its own":         {"", nil, ""},
		"a call that fails":         {"fail", func(r *http.Request) { r.Header.Set(originalConsumerHeader, first) }, first},
		"a caller that is not known": {"", func(r *http.Request) {
			r.TLS = subject()
			r.Header.Set(originalConsumerHeader, first)
		}, first},
		"a person as original consumer": {"", func(r *http.Request) { r.Header.Set(originalConsumerHeader, "198507099805") }, ""},
	} {
		var seen Exchange
		response := postBody(t, endpoint(&seen), Element{Name: someOperation().Request(), Text: row.body}, func(r *http.Request) {
			r.Header.Set(correlationHeader, someUUID)
			if row.change != nil {
				row.change(r)
			}
		})
		if got := response.Header.Get(correlationHeader); got != someUUID || seen.Caller.CorrelationID != someUUID {
			t.Errorf("%s: correlation id %q, want %q", sentence, got, someUUID)
		}
		if got := response.Header.Get(originalConsumerHeader); got != row.first || seen.Caller.OriginalConsumer != row.first {
			t.Errorf("%s: original consumer %q, want %q", sentence, got, row.first)
		}
	}
}

// What a service calls while it answers carries on whose call it is.
func TestCallsOnwardAreFollowed(t *testing.T) {
	t.Parallel()
	const first = "SE2321000016-FIRST"
	for original, want := range map[string]string{first: first, "": systemID} {
		var sent http.Header
		var seen Exchange
		e := endpoint(&seen)
		e.Answer = func(ctx context.Context, _ Caller, body Element) (Reply, error) {
			_, _ = call(t, ctx, func(r *http.Request) (*http.Response, error) {
				sent = r.Header
				return nil, errors.New("enough")
			})
			return Reply{Body: Append(nil, body)}, nil
		}
		postBody(t, e, Element{Name: someOperation().Request()}, func(r *http.Request) {
			r.Header.Set(correlationHeader, someUUID)
			r.Header.Set(originalConsumerHeader, original)
		})
		if sent.Get(correlationHeader) != someUUID || sent.Get(originalConsumerHeader) != want {
			t.Errorf("sent on as %v, want %s and %s", sent, someUUID, want)
		}
	}
}

// authorizer lets everybody in, or nobody.
type authorizer struct{ err error }

func (a authorizer) Authorize(context.Context, Caller, Operation, string) error { return a.err }

// endpoint answers every call with the body it got.
func endpoint(seen *Exchange) *Endpoint {
	return &Endpoint{Operation: someOperation(), LogicalAddress: ourselves, Authorizer: authorizer{},
		Answer: func(_ context.Context, _ Caller, body Element) (Reply, error) {
			if body.Text == "fail" {
				return Reply{Outcome: "ok"}, errors.New("disk full: 198507099805")
			}
			return Reply{Append(nil, Element{Name: someOperation().Response(), Children: []Element{body}}), "ok"}, nil
		},
		Document: func(name string, address func(string) string) ([]byte, bool) {
			return []byte(name + " at " + address("") + " and " + address("b c.xsd")), name != "unknown"
		},
		Observe: func(_ context.Context, e Exchange) { *seen = e },
	}
}

func post(t *testing.T, e *Endpoint, change func(*http.Request)) *http.Response {
	t.Helper()
	return postBody(t, e, Element{Name: someOperation().Request()}, change)
}

func postBody(t *testing.T, e *Endpoint, body Element, change func(*http.Request)) *http.Response {
	t.Helper()
	text := envelope(Append(nil, body), Element{Name: logicalAddress(), Text: ourselves})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, someOperation().Path(), strings.NewReader(string(text)))
	r.TLS = subject(systemID)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestSOAPActionIsTakenInEveryFormOfOurs(t *testing.T) {
	t.Parallel()
	for action, good := range map[string]bool{
		`"` + someOperation().SOAPAction() + `"`: true,
		someOperation().SOAPAction():             true,
		`""`:                                     true,
		``:                                       true,
		`"urn:other"`:                            false,
	} {
		var seen Exchange
		response := post(t, endpoint(&seen), func(r *http.Request) { r.Header.Set("SOAPAction", action) })
		if (response.StatusCode == 200) != good || (seen.Outcome == "ok") != good || (seen.Fault == nil) != good {
			t.Errorf("%s: status %d, seen %+v", action, response.StatusCode, seen)
		}
	}
	if response := post(t, endpoint(new(Exchange)), nil); response.StatusCode != 200 {
		t.Errorf("without SOAPAction: status %d", response.StatusCode)
	}
}

func TestBodyOfAnotherOperation(t *testing.T) {
	t.Parallel()
	var seen Exchange
	postBody(t, endpoint(&seen), Element{Name: someOperation().Response()}, nil)
	if seen.Fault == nil || seen.Fault.Code != FaultClient {
		t.Errorf("seen %+v, want a Client fault", seen)
	}
}

func TestOtherEncodings(t *testing.T) {
	t.Parallel()
	for header, status := range map[string]int{"text/xml; charset=UTF-8": 200, "text/xml": 200, "": 200, "text/xml;charset=iso-8859-1": 500} {
		response := post(t, endpoint(new(Exchange)), func(r *http.Request) { r.Header.Set("Content-Type", header) })
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d", header, response.StatusCode, status)
		}
	}
}

func TestInnerErrorsStayInside(t *testing.T) {
	t.Parallel()
	var seen Exchange
	e := endpoint(&seen)
	response := postBody(t, e, Element{Name: someOperation().Request(), Text: "fail"}, nil)
	answer := text(t, response)
	if response.StatusCode != 500 || strings.Contains(answer, "disk") || !strings.Contains(answer, "soap:Server") {
		t.Errorf("status %d: %s", response.StatusCode, answer)
	}
	if seen.Cause == nil || seen.Outcome != "" || !strings.Contains(answer, seen.Fault.LogID) || seen.Caller.HSAID != systemID {
		t.Errorf("seen %+v", seen)
	}
	e.Authorizer = authorizer{errors.New("no table of permissions")}
	if answer := text(t, post(t, e, nil)); !strings.Contains(answer, "technical error") || strings.Contains(answer, "table") {
		t.Error(answer)
	}
	e.Authorizer = authorizer{NotAllowed(systemID)}
	post(t, e, nil)
	if seen.Cause != nil || seen.Fault.VP != "VP007" || seen.Fault.LogID == "" {
		t.Errorf("seen %+v", seen)
	}
}

func TestCallersThatAreNotKnown(t *testing.T) {
	t.Parallel()
	for vp, connection := range map[string]*tls.ConnectionState{"VP011": nil, "VP002": subject()} {
		var seen Exchange
		answer := text(t, post(t, endpoint(&seen), func(r *http.Request) { r.TLS = connection }))
		if !strings.Contains(answer, "<faultstring>"+vp) || seen.Fault.VP != vp || seen.Caller.HSAID != "" {
			t.Errorf("%s: %s, seen %+v", vp, answer, seen)
		}
	}
}

func TestDocumentsAndMethods(t *testing.T) {
	t.Parallel()
	const at = "https://register.example:8443/rivta/GetSomething/4/rivtabp21"
	for _, row := range []struct {
		method, query string
		connection    *tls.ConnectionState
		status        int
		body          string
	}{
		{http.MethodGet, "?wsdl", subject(), 200, " at " + at + " and " + at + "?xsd=b+c.xsd"},
		{http.MethodGet, "?wsdl=", subject(), 200, ""},
		{http.MethodGet, "?WSDL", subject(), 200, " at " + at + " and " + at + "?xsd=b+c.xsd"},
		{http.MethodGet, "?XSD=a.xsd", subject(), 200, "a.xsd at " + at + " and " + at + "?xsd=b+c.xsd"},
		{http.MethodGet, "?xsd=a.xsd", subject(), 200, "a.xsd at " + at + " and " + at + "?xsd=b+c.xsd"},
		{http.MethodHead, "?wsdl", subject(), 200, ""},
		{http.MethodGet, "?xsd=unknown", subject(), 404, ""},
		{http.MethodGet, "", subject(), 405, "This is GetSomething 4. Calls are SOAP 1.1, made by POST; the WSDL is at ?wsdl of this address.\n"},
		{http.MethodGet, "?other", subject(), 405, ""},
		{http.MethodGet, "?wsdl", nil, 403, ""},
		{http.MethodGet, "?wsdl", &tls.ConnectionState{}, 403, ""},
		{http.MethodPut, "", subject(systemID), 405, ""},
		{http.MethodDelete, "?wsdl", subject(systemID), 405, ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, at+row.query, nil)
		r.TLS = row.connection
		w := httptest.NewRecorder()
		endpoint(new(Exchange)).ServeHTTP(w, r)
		if w.Code != row.status {
			t.Errorf("%s %s: status %d, want %d", row.method, row.query, w.Code, row.status)
		}
		if diff := cmp.Diff(row.body, w.Body.String()); row.body != "" && diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", row.method, row.query, diff)
		}
	}
}
