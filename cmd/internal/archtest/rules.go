package archtest

type rules struct {
	module          string
	arrows          map[string][]string // from a tree to the trees it may import
	leaves          map[string][]string // packages of other trees that a tree may import nevertheless
	rows            map[string][]string // packages of a tree, each of which knows only those before it; "." is the tree's root
	forTests        []string            // packages that only tests import
	reserved        map[string][]string // from a library to the only packages that import it
	testLibraries   []string
	testLibrariesIn map[string][]string // production packages that use one nevertheless
	vagueNames      []string
}

// projectRules are ours. A new package gets its row here.
func projectRules() rules {
	return rules{
		module: "contactsync",
		arrows: map[string][]string{
			"sync": {"consent", "contracts"},
			"cmd":  {"consent", "contracts", "sync"},
		},
		leaves: map[string][]string{"contracts": {"consent/audit", "consent/pgschema"}},
		rows: map[string][]string{
			"consent": {
				"trouble", "group", "reason", "contact", "event", "audit", "eservice", "pgschema", "consentpg", "stream", "outbox", "web", "portal",
				"pgcluster", "pgtest", "kafkatest", "webtest",
			},
			"contracts": {
				".", "problem", "testca", "rivta", "xsd", "wiretest", "personv4", "personv3", "personprofilev5", "contactsv1",
				"mockregister", "contracttest",
			},
			"sync": {"plan", "intake", "push", "register", "reconcile", "syncpg", "support", "desk"},
			"cmd": {
				"internal/run", "internal/config", "internal/database", "internal/devstack", "internal/auditing", "internal/worker", "internal/messenger", "internal/bench",
				"contactsync", "internal/archtest", "internal/e2e",
			},
		},
		forTests: []string{"consent/pgtest", "consent/kafkatest", "consent/webtest", "contracts/contracttest", "contracts/wiretest", "cmd/internal/archtest", "cmd/internal/e2e"},
		// bench compares with the loop that people write over kafka-go's Reader, and that loop has to be written somewhere.
		reserved: map[string][]string{"github.com/segmentio/kafka-go": {"consent/stream", "cmd/internal/bench"}},
		testLibraries: []string{
			"testing", "net/http/httptest", "github.com/google/go-cmp", "pgregory.net/rapid", "go.uber.org/goleak",
			"github.com/anishathalye/porcupine", "github.com/rogpeppe/go-internal",
			"github.com/santhosh-tekuri/jsonschema/v6", "github.com/chromedp/chromedp", "github.com/twmb/franz-go",
		},
		testLibrariesIn: map[string][]string{"github.com/twmb/franz-go": {"cmd/internal/devstack"}},
		vagueNames:      []string{"util", "utils", "common", "helpers", "models", "types", "interfaces", "mocks", "base", "lib"},
	}
}
