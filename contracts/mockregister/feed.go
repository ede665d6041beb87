package mockregister

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"contactsync/contracts/contactsv1"
	"contactsync/contracts/personv4"
)

// feed wakes the sequencer when something was written, and readers when there is news.
type feed struct {
	written chan struct{} // holds at most one
	closing chan struct{} // closed when readers are to be sent away
	once    sync.Once

	mu    sync.Mutex
	moved chan struct{} // closed at the next news
}

func newFeed() *feed {
	return &feed{written: make(chan struct{}, 1), closing: make(chan struct{}), moved: make(chan struct{})}
}

// wake is told of a write.
func (f *feed) wake() {
	select {
	case f.written <- struct{}{}:
	default: // it is awake
	}
}

// news returns a channel that is closed when there is more in the feed than now.
func (f *feed) news() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.moved
}

// tell wakes all readers.
func (f *feed) tell() {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.moved)
	f.moved = make(chan struct{})
}

func (f *feed) close() { f.once.Do(func() { close(f.closing) }) }

// place is where a reader of the feed stands: what it has read last.
type place struct {
	epoch uuid.UUID // of the feed; another one for each run of the database
	seq   int64
}

// cursorLength is that of a cursor before it becomes text: a form, epoch, number and checksum.
const cursorLength = 1 + 16 + 8 + 4

// cursor is the place as readers keep it. The checksum tells a cursor that was cut or mistyped from one that has expired; to
// make one up gives nobody anything.
func (p place) cursor() string {
	text := append([]byte{1}, p.epoch[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(p.seq))
	text = binary.BigEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
	return base64.RawURLEncoding.EncodeToString(text)
}

func placeOf(cursor string) (place, bool) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(text) != cursorLength || text[0] != 1 {
		return place{}, false
	}
	body := text[:cursorLength-4]
	if binary.BigEndian.Uint32(text[cursorLength-4:]) != crc32.ChecksumIEEE(body) {
		return place{}, false
	}
	return place{uuid.UUID(body[1:17]), int64(binary.BigEndian.Uint64(body[17:]))}, true
}

// Changes implements contactsv1.Service.
func (s contactsService) Changes(ctx context.Context, c contactsv1.Call, from contactsv1.From) (contactsv1.Page, error) {
	return passed(ctx, s.behindFaults, restCall(c), func(ctx context.Context) (contactsv1.Page, error) {
		page, err := s.awaitPage(ctx, from)
		if err == nil && len(page.Signals) > 0 {
			err = s.logReads(ctx, signalEntries(c, page.Signals))
		}
		return page, err
	})
}

// signalEntries has one entry for each person that a page of the feed tells of.
func signalEntries(c contactsv1.Call, signals []contactsv1.Signal) []accessEntry {
	entries := make([]accessEntry, len(signals))
	for i, s := range signals {
		entries[i] = restEntry(c, s.Person.ID(), personv4.OutcomeOK)
	}
	return entries
}

// awaitPage reads on from a cursor, and waits for news if there is none. A reader that waits holds no connection.
func (r *Register) awaitPage(ctx context.Context, from contactsv1.From) (contactsv1.Page, error) {
	patience := time.NewTimer(from.Wait)
	defer patience.Stop()
	for over := from.Wait == 0; ; {
		news := r.feed.news() // before looking: what comes in between must wake us
		page, err := r.page(ctx, from)
		if err != nil || len(page.Signals) > 0 || from.Cursor == contactsv1.CursorNow || over {
			return page, err
		}
		select {
		case <-news:
		case <-patience.C:
			over = true
		case <-r.feed.closing:
			over = true
		case <-ctx.Done():
			return page, ctx.Err()
		}
	}
}

// page reads on from a cursor. One statement reads signals and head, so that what is pruned in between cannot be missed.
func (r *Register) page(ctx context.Context, from contactsv1.From) (contactsv1.Page, error) {
	at, ok := placeOf(from.Cursor)
	named := from.Cursor != "" && from.Cursor != contactsv1.CursorNow
	if named && !ok {
		return contactsv1.Page{}, contactsv1.CursorMalformed()
	}
	limit := from.Limit
	if from.Cursor == contactsv1.CursorNow {
		limit = 0
	}
	rows, err := r.pool.Query(ctx, `
		select h.epoch, h.last, h.pruned, case when h.epoch = $3 then h.last else coalesce(e.last, -1) end,
			f.seq, f.root, f.extension, f.channel, f.version, f.at
		from register.feed_head h left join register.feed_epoch e on e.epoch = $3 left join lateral (
			select seq, root, extension, channel, version, at from register.feed where seq > $1 order by seq limit $2) f on true
		order by f.seq`, at.seq, limit, at.epoch)
	if err != nil {
		return contactsv1.Page{}, fmt.Errorf("read the feed: %w", err)
	}
	page, head := contactsv1.Page{Signals: []contactsv1.Signal{}}, place{}
	var pruned, known int64 // known: the last number of the cursor's epoch; negative if there was none
	var seq *int64
	var signal struct {
		root, extension, channel, version *string
		at                                *time.Time
	}
	last := at.seq
	_, err = pgx.ForEachRow(rows, []any{&head.epoch, &head.seq, &pruned, &known, &seq, &signal.root, &signal.extension, &signal.channel,
		&signal.version, &signal.at}, func() error {
		if seq == nil {
			return nil // only the head
		}
		last = *seq
		page.Signals = append(page.Signals, contactsv1.Signal{Person: contactsv1.Person{Root: *signal.root, Extension: *signal.extension},
			Channel: contactsv1.Channel(*signal.channel), Version: *signal.version, Time: signal.at.UTC()})
		return nil
	})
	switch {
	case err != nil:
		return contactsv1.Page{}, fmt.Errorf("read the feed: %w", err)
	case named && (at.seq > known || at.seq < pruned):
		return contactsv1.Page{}, contactsv1.CursorExpired()
	case len(page.Signals) == 0:
		last = head.seq
	}
	page.Cursor, page.More = place{head.epoch, last}.cursor(), last < head.seq
	return page, nil
}
