package audit

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Check says what to verify a log against.
type Check struct {
	Key Key
	// Noted is a head that was noted elsewhere; nil: none was.
	Noted *Head
	// UnsignedUntil is the last link whose rows may lack a MAC, because programs wrote them that knew none yet. 1 if zero: what was
	// there when the chain began.
	UnsignedUntil int64
}

// Report tells what was verified.
type Report struct {
	Links, Rows int64 // sound ones, as far as was looked
	Unsealed    int64 // rows that no link has yet
	Unsigned    int64 // rows without a MAC, from before the chain: it tells that they are all there, not that they are unchanged
	Head        Head
	Fault       *Fault // nil: all is sound
}

// Fault is the first thing that is wrong.
type Fault struct {
	Link int64 // 0: of no link
	Row  int64 // id; 0: which one cannot be told
	What string
}

// Error tells it in a sentence.
func (f *Fault) Error() string {
	where := ""
	if f.Link > 0 {
		where = "link " + strconv.FormatInt(f.Link, 10) + ": "
	}
	return where + f.What
}

// Verify recomputes every MAC and every link in one snapshot, in bounded memory. The error says that it could not be done, the
// report's Fault that the log is not as it was written.
func Verify(ctx context.Context, pool *pgxpool.Pool, log Log, c Check) (Report, error) {
	if c.UnsignedUntil == 0 {
		c.UnsignedUntil = 1
	}
	v := &verification{Log: log, Check: c}
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		v.tx = tx
		return v.run(ctx)
	})
	fault, found := errors.AsType[*Fault](err)
	if err != nil && !found {
		return v.report, fmt.Errorf("verify the log %s: %w", log.Name, err)
	}
	v.report.Fault = fault
	return v.report, nil
}

type verification struct {
	Log
	Check
	tx     pgx.Tx
	report Report
	links  *cursor[Link]
	rows   *cursor[row]
	last   Link
	noted  bool // the noted head was met
}

// row is one of the log, as far as it is verified.
type row struct {
	at   Place
	id   int64
	mac  []byte
	text []string
}

func (v *verification) run(ctx context.Context) error {
	if err := errors.Join(v.unique(ctx), v.restarted(ctx)); err != nil {
		return err
	}
	v.links = newCursor(v.tx, "links_"+v.Name, 1000, scanLink)
	v.rows = newCursor(v.tx, "rows_"+v.Name, 5000, v.scanRow)
	err := errors.Join(
		v.links.open(ctx, `select number, from_era, from_tx, to_era, to_tx, entries, first_id, last_id, sealed_at, hash
			from `+v.Log.links()+` order by number`),
		v.rows.open(ctx, `select era, tx, id, mac, array[`+v.texts()+`] from `+v.table()+` order by era, tx, id`))
	if err != nil {
		return err
	}
	for {
		link, err := v.links.next(ctx)
		if err != nil {
			return err
		}
		if link == nil {
			break
		}
		if err := v.link(ctx, *link); err != nil {
			return err
		}
	}
	if err := v.head(ctx); err != nil {
		return err
	}
	return v.unsealed(ctx)
}

// unique looks for the index that keeps an entry from standing there twice.
func (v *verification) unique(ctx context.Context) error {
	var there bool
	err := v.tx.QueryRow(ctx, `
		select exists (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
			where i.indrelid = $1::regclass and i.indisunique and i.indisvalid and i.indnkeyatts = 1 and i.indpred is null and a.attname = 'log_id')`,
		v.table()).Scan(&there)
	if err == nil && !there {
		return &Fault{What: "the index that keeps entries from being copied (unique on log_id) is gone"}
	}
	return err
}

// restarted looks whether the chain can go on: if not, rows stand in what looks like the middle of it.
func (v *verification) restarted(ctx context.Context) error {
	var reached, now Place
	err := v.tx.QueryRow(ctx, `
		select coalesce(l.to_era, 0), coalesce(l.to_tx, '0'), coalesce(h.era, 1), pg_snapshot_xmin(pg_current_snapshot())
		from (values ($1)) as one (chain) left join `+v.heads()+` h on h.chain = one.chain
		left join (select to_era, to_tx from `+v.Log.links()+` order by number desc limit 1) l on true`, v.Name).Scan(
		&reached.Era, &reached.Tx, &now.Era, &now.Tx)
	if err == nil && now.compare(reached) < 0 {
		return &Fault{What: ErrRestarted.Error()}
	}
	return err
}

// link verifies one link with its rows.
func (v *verification) link(ctx context.Context, l Link) error {
	if l.Number != v.last.Number+1 {
		return &Fault{Link: v.last.Number + 1, What: missing(v.last.Number+1, l.Number-1) + " before link " + strconv.FormatInt(l.Number, 10)}
	}
	if l.From != v.last.To {
		return &Fault{Link: l.Number, What: "the link was changed: it does not begin where the one before ends"}
	}
	g, forged, err := v.group(ctx, l)
	if err != nil {
		return err
	}
	switch {
	case forged != nil && v.report.Rows == 0 && g.entries == l.Entries && forged.all:
		return &Fault{Link: l.Number, What: "no MAC fits: the key is another one, or every row was changed"}
	case forged != nil && g.entries > l.Entries:
		return &Fault{l.Number, forged.id, fmt.Sprintf("row %d was added behind the log's back: its MAC is not by us", forged.id)}
	case forged != nil:
		return &Fault{l.Number, forged.id, fmt.Sprintf("row %d was changed: its MAC does not fit", forged.id)}
	case g.entries < l.Entries:
		return v.removed(ctx, l, g)
	case g.entries > l.Entries:
		return &Fault{Link: l.Number, What: fmt.Sprintf("%d rows were added behind the log's back: it sealed %d rows, and %d are there",
			g.entries-l.Entries, l.Entries, g.entries)}
	case !bytes.Equal(g.hash(v.Key, v.Name, v.last.Hash, l), l.Hash):
		return &Fault{Link: l.Number, What: fmt.Sprintf("its hash does not fit: the link was changed, or rows %d to %d were exchanged", l.First, l.Last)}
	}
	v.report.Links++
	v.report.Rows += g.entries
	v.last, v.report.Head = l, Head{l.Number, l.Hash}
	return v.meet()
}

func missing(first, last int64) string {
	if first == last {
		return "the link was removed"
	}
	return fmt.Sprintf("links %d to %d were removed", first, last)
}

// meet compares with the head that was noted elsewhere.
func (v *verification) meet() error {
	if v.Noted == nil || v.Noted.Number != v.last.Number {
		return nil
	}
	v.noted = true
	if !bytes.Equal(v.Noted.Hash, v.last.Hash) {
		return &Fault{Link: v.last.Number, What: "its hash is not the one that was noted: the chain was made anew"}
	}
	return nil
}

// group gathers a link's rows and judges each.
func (v *verification) group(ctx context.Context, l Link) (g *gathering, forged *forgery, err error) {
	g = gather()
	sound := false
	for {
		r, err := v.rows.peek(ctx)
		if err != nil || r == nil || r.at.compare(l.To) >= 0 {
			if forged != nil {
				forged.all = !sound
			}
			return g, forged, err
		}
		v.rows.take()
		g.add(r.at, r.id, r.mac)
		if v.signed(r, l.Number) {
			sound = true
		} else if forged == nil {
			forged = &forgery{id: r.id}
		}
	}
}

// forgery is the first row of a link whose MAC is wrong.
type forgery struct {
	id  int64
	all bool // so are all others
}

func (v *verification) signed(r *row, link int64) bool {
	if len(r.mac) == 0 && link <= v.UnsignedUntil {
		v.report.Unsigned++
		return true
	}
	return bytes.Equal(r.mac, v.MAC(v.Key, r.text...))
}

// removed names rows that may be the removed ones: those that were never committed leave a gap too.
func (v *verification) removed(ctx context.Context, l Link, g *gathering) error {
	f := &Fault{Link: l.Number, What: fmt.Sprintf("%d rows were removed: it sealed %d rows with ids from %d to %d", l.Entries-g.entries, l.Entries, l.First, l.Last)}
	const most = 5
	rows, err := v.tx.Query(ctx, `
		select n from generate_series($1::bigint, least($2::bigint, $1 + 1000000)) as n
		where not exists (select from `+v.table()+` where id = n) limit $3`, l.First, l.Last, most)
	if err != nil {
		return err
	}
	gaps, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	if len(gaps) == 1 {
		f.Row = gaps[0]
	}
	if len(gaps) > 0 {
		f.What += "; no row has the id " + strings.ReplaceAll(strings.Trim(fmt.Sprint(gaps), "[]"), " ", ", ")
	}
	return f
}

// head compares the end of the chain with the head that is kept apart, and with the one noted elsewhere.
func (v *verification) head(ctx context.Context) error {
	var h Head
	err := v.tx.QueryRow(ctx, `select number, hash from `+v.heads()+` where chain = $1`, v.Name).Scan(&h.Number, &h.Hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	at := v.last.Number
	switch {
	case err != nil:
		return err
	case h.Number > at:
		return &Fault{Link: at + 1, What: fmt.Sprintf("the tail was cut: the head stands at link %d, and the last one there is %d", h.Number, at)}
	case h.Number < at:
		return &Fault{Link: h.Number + 1, What: fmt.Sprintf("the head was rolled back: it stands at link %d, and the last one is %d", h.Number, at)}
	case !bytes.Equal(h.Hash, v.last.Hash):
		return &Fault{Link: at, What: "the head was changed: its hash is not that of the last link"}
	case v.Noted != nil && !v.noted:
		return &Fault{Link: at + 1, What: fmt.Sprintf("the tail was cut: link %d was noted, and the last one there is %d", v.Noted.Number, at)}
	}
	return nil
}

// unsealed judges the rows that no link has yet.
func (v *verification) unsealed(ctx context.Context) error {
	for {
		r, err := v.rows.next(ctx)
		if err != nil || r == nil {
			return err
		}
		if !v.signed(r, v.last.Number+1) {
			return &Fault{Row: r.id, What: fmt.Sprintf("row %d, which no link has, was changed or added behind the log's back: its MAC does not fit", r.id)}
		}
		v.report.Unsealed++
	}
}

func scanLink(rows pgx.Rows) (l Link, err error) {
	err = rows.Scan(&l.Number, &l.From.Era, &l.From.Tx, &l.To.Era, &l.To.Tx, &l.Entries, &l.First, &l.Last, &l.SealedAt, &l.Hash)
	return l, err
}

func (v *verification) scanRow(rows pgx.Rows) (r row, err error) {
	r.text = make([]string, 0, len(v.Columns))
	err = rows.Scan(&r.at.Era, &r.at.Tx, &r.id, &r.mac, &r.text)
	return r, err
}

// ParseHead reads a head as Head.String writes it.
func ParseHead(text string) (Head, error) {
	number, hash, _ := strings.Cut(text, ":")
	n, err1 := strconv.ParseInt(number, 10, 64)
	sum, err2 := hex.DecodeString(hash)
	if err1 != nil || err2 != nil || n < 1 || len(sum) != 32 {
		return Head{}, errors.New("a head is written as NUMBER:HASH, with 64 hex digits")
	}
	return Head{n, sum}, nil
}

// String writes a head as people note it; empty: there is no link.
func (h Head) String() string {
	if h.Number == 0 {
		return ""
	}
	return strconv.FormatInt(h.Number, 10) + ":" + hex.EncodeToString(h.Hash)
}
