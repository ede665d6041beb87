package rivta

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someUUID = "6f1c1b1e-9f0a-4a56-8a34-3a7c1f0e2b11"

func TestFaultsAreReadAsWritten(t *testing.T) {
	t.Parallel()
	for _, want := range []*Fault{
		{Code: FaultClient, String: "personId: missing or out of place", LogID: someUUID},
		{Code: FaultServer, VP: "VP007", String: "Obehörigt anrop för system SE2321000016-1", LogID: someUUID},
		{Code: FaultMustUnderstand, String: "<&>", LogID: someUUID},
		{Code: FaultServer, VP: "VP009", LogID: someUUID},
	} {
		root, err := parse(string(envelope(want.append(nil))))
		if err != nil {
			t.Fatal(err)
		}
		m, err := openEnvelope(root)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, faultOf(m.body)); diff != "" {
			t.Errorf("(-written +read):\n%s", diff)
		}
	}
}

func TestFaultsOfOtherPlatforms(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		sentence, text string
		want           Fault
	}{
		{"the service platform's", `<soap:Fault xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">` +
			`<faultcode>soap:Server</faultcode><faultstring>VP009 [NODE-1] Fel vid kontakt</faultstring></soap:Fault>`,
			Fault{Code: FaultServer, VP: "VP009", String: "Fel vid kontakt"}},
		{"with a colon", `<f><faultcode>x:Client</faultcode><faultstring>VP004: no route</faultstring></f>`,
			Fault{Code: FaultClient, VP: "VP004", String: "no route"}},
		{"a code inside the text is not the platform's own", `<f><faultcode>Server</faultcode><faultstring>got VP004</faultstring></f>`,
			Fault{Code: FaultServer, String: "got VP004"}},
		{"another prefix", `<f><faultcode>SOAP-ENV:Client</faultcode><faultstring>a</faultstring></f>`, Fault{Code: FaultClient, String: "a"}},
		{"a subcode", `<f><faultcode> ns1:Client.Authentication </faultcode></f>`, Fault{Code: FaultClient}},
		{"a code of its own", `<f><faultcode>q:TooBusy</faultcode></f>`, Fault{Code: FaultServer}},
		{"SOAP 1.2's name", `<f><faultcode>env:Sender</faultcode></f>`, Fault{Code: FaultClient}},
		{"children in a namespace", `<f xmlns="urn:x"><faultcode>Client</faultcode><faultstring>a</faultstring></f>`,
			Fault{Code: FaultClient, String: "a"}},
		{"a log-id in the text", `<f><faultstring>fel, logg-id ` + someUUID + `</faultstring></f>`,
			Fault{Code: FaultServer, String: "fel, logg-id " + someUUID, LogID: someUUID}},
		{"a log-id in an attribute of the detail", `<f><detail><x id="` + someUUID + `"/></detail></f>`,
			Fault{Code: FaultServer, LogID: someUUID}},
		{"nothing at all", `<f/>`, Fault{Code: FaultServer}},
	} {
		e, err := parse(row.text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(row.want, *faultOf(e)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.sentence, diff)
		}
	}
}

func TestAFaultAsErrorKeepsTheTextToItself(t *testing.T) {
	t.Parallel()
	text := (&Fault{Code: FaultClient, VP: "VP007", String: "person 201701012393", LogID: someUUID}).Error()
	if text != "fault Client VP007 "+someUUID {
		t.Error(text)
	}
}

func TestEnvelopes(t *testing.T) {
	t.Parallel()
	const start = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">`
	for sentence, row := range map[string]struct {
		text string
		good bool
	}{
		"without a header":              {start + `<s:Body><a/></s:Body></s:Envelope>`, true},
		"with an empty header":          {start + `<s:Header/><s:Body><a/></s:Body></s:Envelope>`, true},
		"nothing in it":                 {start + `</s:Envelope>`, false},
		"a header only":                 {start + `<s:Header/></s:Envelope>`, false},
		"a header behind the body":      {start + `<s:Body><a/></s:Body><s:Header/></s:Envelope>`, false},
		"two bodies":                    {start + `<s:Body><a/></s:Body><s:Body/></s:Envelope>`, false},
		"an empty body":                 {start + `<s:Body/></s:Envelope>`, false},
		"two elements in the body":      {start + `<s:Body><a/><a/></s:Body></s:Envelope>`, false},
		"something behind the body":     {start + `<s:Body><a/></s:Body><a/></s:Envelope>`, false},
		"no envelope":                   {`<a><b/></a>`, false},
		"an envelope of no namespace":   {`<Envelope><Body><a/></Body></Envelope>`, false},
		"the envelope of SOAP 1.2":      {`<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"><Body><a/></Body></Envelope>`, false},
		"a body of another namespace":   {start + `<Body><a/></Body></s:Envelope>`, false},
		"a header of another namespace": {start + `<Header/><s:Body><a/></s:Body></s:Envelope>`, false},
	} {
		root, err := parse(row.text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := openEnvelope(root); (err == nil) != row.good {
			t.Errorf("%s: error %v, want good %v", sentence, err, row.good)
		}
	}
}

func TestHeadersThatMustBeUnderstood(t *testing.T) {
	t.Parallel()
	for sentence, row := range map[string]struct {
		header  string
		demands bool
	}{
		"none":                            {``, false},
		"an unknown one that need not":    {`<x/>`, false},
		"an unknown one that says 0":      {`<x s:mustUnderstand="0"/>`, false},
		"an unknown one that must":        {`<x s:mustUnderstand="1"/>`, true},
		"one for whoever comes first":     {`<x s:mustUnderstand="1" s:actor="http://schemas.xmlsoap.org/soap/actor/next"/>`, true},
		"one for somebody else":           {`<x s:mustUnderstand="1" s:actor="urn:somebody"/>`, false},
		"the address, which we know":      {`<LogicalAddress xmlns="urn:riv:itintegration:registry:1" s:mustUnderstand="1"/>`, false},
		"an attribute of no namespace":    {`<x mustUnderstand="1"/>`, false},
		"the second of two is an unknown": {`<x/><y s:mustUnderstand="1"/>`, true},
	} {
		root, err := parse(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Header>` + row.header +
			`</s:Header><s:Body><a/></s:Body></s:Envelope>`)
		if err != nil {
			t.Fatal(err)
		}
		m, err := openEnvelope(root)
		if err != nil {
			t.Fatal(err)
		}
		if m.demandsUnknown() != row.demands {
			t.Errorf("%s: demands %v", sentence, !row.demands)
		}
	}
}
