package mockregister

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/jackc/pgx/v5"
)

// copying puts rows into a table by COPY: PostgreSQL takes the rows of a bulk with a third of the work that an insert makes of them. They are
// written in its binary form by hand, since pgx would look up how to for every single value. Begin each row by row.
type copying struct{ data []byte }

// newCopying has room for so many bytes.
func newCopying(room int) *copying {
	const header = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // signature, flags, no extension
	return &copying{append(make([]byte, 0, room+len(header)), header...)}
}

func (c *copying) row(columns int) { c.data = binary.BigEndian.AppendUint16(c.data, uint16(columns)) }

func (c *copying) text(s string) {
	c.data = append(binary.BigEndian.AppendUint32(c.data, uint32(len(s))), s...)
}

func (c *copying) bytes(b []byte) {
	c.data = append(binary.BigEndian.AppendUint32(c.data, uint32(len(b))), b...)
}

func (c *copying) bigint(n int64) {
	c.data = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(c.data, 8), uint64(n))
}

func (c *copying) boolean(b bool) {
	c.data = append(binary.BigEndian.AppendUint32(c.data, 1), 0)
	if b {
		c.data[len(c.data)-1] = 1
	}
}

// timestamp is kept as microseconds since 2000.
func (c *copying) timestamp(t time.Time) {
	const year2000 = 946_684_800_000_000
	c.bigint(t.UnixMicro() - year2000)
}

// into sends the rows to the table and columns named, such as "register.fence (root, extension)".
func (c *copying) into(ctx context.Context, tx pgx.Tx, columns string) error {
	c.data = append(c.data, 0xff, 0xff) // no more rows
	_, err := tx.Conn().PgConn().CopyFrom(ctx, bytes.NewReader(c.data), "copy "+columns+" from stdin (format binary)")
	return err
}
