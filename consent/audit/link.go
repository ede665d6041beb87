package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"
)

// Place orders rows by the transaction that wrote them. A transaction that is over can get no more rows, which is why a chain
// follows transactions and not ids: those are drawn before the commit, and may appear in any order.
//
// Transactions are numbered by the database cluster. Era counts the clusters that a log has lived in: one that was restored from a
// dump begins to number anew.
type Place struct {
	Era int16
	Tx  uint64
}

func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Era, q.Era), cmp.Compare(p.Tx, q.Tx))
}

// Link seals the rows of all transactions from From up to but not including To.
type Link struct {
	Number   int64 // 1, 2, …
	From, To Place
	Entries  int64
	First    int64 // least and greatest id among the rows
	Last     int64
	SealedAt time.Time
	Hash     []byte
}

// Head is where a chain stands.
type Head struct {
	Number int64 // of the last link; 0: none
	Hash   []byte
}

// gathering digests a link's rows, in the order of (era, tx, id).
type gathering struct {
	digest      hash.Hash
	entries     int64
	first, last int64
	row         []byte
}

func gather() *gathering { return &gathering{digest: sha256.New()} }

func (g *gathering) add(at Place, id int64, mac []byte) {
	g.row = binary.BigEndian.AppendUint16(g.row[:0], uint16(at.Era))
	g.row = binary.BigEndian.AppendUint64(g.row, at.Tx)
	g.row = binary.BigEndian.AppendUint64(g.row, uint64(id))
	g.row = binary.BigEndian.AppendUint32(g.row, uint32(len(mac)))
	g.row = append(g.row, mac...)
	g.digest.Write(g.row)
	if g.entries == 0 || id < g.first {
		g.first = id
	}
	g.last = max(g.last, id)
	g.entries++
}

// hash is the link's MAC: over the link before it, all that it tells, and its rows.
func (g *gathering) hash(k Key, log string, before []byte, l Link) []byte {
	h := k.begin("link", log)
	fixed := binary.BigEndian.AppendUint64(nil, uint64(l.Number))
	for _, p := range []Place{l.From, l.To} {
		fixed = binary.BigEndian.AppendUint16(fixed, uint16(p.Era))
		fixed = binary.BigEndian.AppendUint64(fixed, p.Tx)
	}
	for _, n := range []int64{l.Entries, l.First, l.Last, l.SealedAt.UnixMicro(), int64(len(before))} {
		fixed = binary.BigEndian.AppendUint64(fixed, uint64(n))
	}
	h.Write(fixed)
	h.Write(before)
	h.Write(g.digest.Sum(nil))
	return h.Sum(nil)
}
