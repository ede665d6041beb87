package pgschema

import (
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
)

// ParseConfig is pgxpool.ParseConfig for everybody who works on our schemas. Statements are prepared once a connection, and their plans are
// kept: one that was made while a table was empty would read all of it for as long as the connection lives. So rows are found by index,
// whatever PostgreSQL believes of a table's size, unless the address says otherwise. Its error never shows the address.
func ParseConfig(address string) (*pgxpool.Config, error) {
	c, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the address of PostgreSQL cannot be read") // pgx's error quotes it, with the password
	}
	for name, value := range map[string]string{
		"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off", // jit: an unwanted plan's cost would call for it
		"plan_cache_mode": "force_generic_plan", // for arrays shorter than PostgreSQL assumes it would plan anew each time
	} {
		if _, chosen := c.ConnConfig.RuntimeParams[name]; !chosen {
			c.ConnConfig.RuntimeParams[name] = value
		}
	}
	return c, nil
}
