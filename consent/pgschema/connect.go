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
	for _, off := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} { // jit: an unwanted plan's cost would call for it
		if _, chosen := c.ConnConfig.RuntimeParams[off]; !chosen {
			c.ConnConfig.RuntimeParams[off] = "off"
		}
	}
	return c, nil
}
