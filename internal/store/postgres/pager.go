package postgres

import (
	"bytes"

	"github.com/jackc/pgx/v5"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// A range is read by pages, the later the larger, up to so many keys or bytes.
const (
	firstPage = 32
	lastPage  = 1024
	pageBytes = 1 << 20
)

const (
	selectPage = `select key, value from (
		(select key, value from kv where key >= $1 and key < $2 order by key limit $3)
		union all
		(select key, value from kv_long where head >= $4 and key >= $1 and key < $2 order by head, key limit $3)
	) both_kinds order by key limit $3`
	selectPageReverse = `select key, value from (
		(select key, value from kv where key >= $1 and key < $2 order by key desc limit $3)
		union all
		(select key, value from kv_long where head >= $4 and key >= $1 and key < $2 order by head desc, key desc limit $3)
	) both_kinds order by key desc limit $3`
)

// pager is a cursor over the keys of a span.
type pager struct {
	v       *snapshot
	rest    optimistic.Span // what is beyond the page
	reverse bool
	size    int // of the next page
	page    []store.KV
	last    bool // no page follows
	err     error
}

func (p *pager) Valid() bool   { return len(p.page) > 0 }
func (p *pager) Key() []byte   { return p.page[0].Key }
func (p *pager) Value() []byte { return p.page[0].Value }

func (p *pager) Advance() {
	p.page = p.page[1:]
	if len(p.page) == 0 && !p.last {
		p.load()
	}
}

// load reads the next page.
func (p *pager) load() {
	if p.rest.Empty() {
		p.last = true
		return
	}
	sql := selectPage
	if p.reverse {
		sql = selectPageReverse
	}
	read, asked := 0, p.size
	p.page = nil
	p.err = p.v.query(sql, []any{p.rest.Start, p.rest.End, asked, head(p.rest.Start)}, func(rows pgx.Rows) error {
		for rows.Next() {
			raw := rows.RawValues()
			kv := store.KV{Key: bytes.Clone(raw[0]), Value: append(make([]byte, 0, len(raw[1])), raw[1]...)}
			read += len(kv.Key) + len(kv.Value)
			p.page = append(p.page, kv)
		}
		return nil
	})
	if p.err != nil || len(p.page) < asked {
		p.last = true
	}
	if p.err != nil {
		p.page = nil
	}
	if len(p.page) == 0 {
		return
	}
	end := p.page[len(p.page)-1].Key
	if p.reverse {
		p.rest.End = end
	} else {
		p.rest.Start = append(bytes.Clone(end), 0)
	}
	p.size = max(1, min(asked*4, lastPage, pageBytes*len(p.page)/max(1, read)))
}
