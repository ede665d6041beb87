package event

import (
	"embed"
	"io/fs"
)

//go:embed decision.v1.schema.json outcome.v1.schema.json changed.v1.schema.json asyncapi.yaml
var contract embed.FS // read-only: the one way Go offers to embed a file

// Contract gives the published event contract: decision.v1.schema.json, outcome.v1.schema.json, changed.v1.schema.json and asyncapi.yaml.
func Contract() fs.FS { return contract }
