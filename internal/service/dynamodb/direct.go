package dynamodb

import (
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// Most of what is read is items that go into a reply as they are. Where the reply is JSON, they become it without
// becoming values first.

// show is what a reply has of a stored item, and the item's size; ready may take the item instead.
func (p *parsed) show(stored []byte, ready *awsapi.Ready) (shown map[string]api.AttributeValue, size int, err error) {
	if stored == nil {
		return nil, 0, nil
	}
	if ready != nil && p.projection == nil {
		ready.Member = "Item"
		ready.JSON, size, err = item.AppendJSON(ready.JSON, stored)
		return nil, size, err
	}
	it, err := item.Decode(stored)
	return p.project(it).API(), it.Size(), err
}

// direct says whether the page needs none of its items as a value, but for a filter.
func (p *page) direct() bool {
	return !p.whole && p.shows == nil && (p.count || p.ready != nil && p.read.projection == nil)
}

// fillDirect is fill for such a page.
func (p *page) fillDirect(r store.Reader) error {
	if !p.count {
		p.ready.Member, p.ready.JSON = "Items", append(p.ready.JSON, '[')
	}
	size := 0
	for stored, err := range table.WalkStored(r, p.span) {
		if err != nil {
			return err
		}
		n, err := p.takeDirect(stored)
		if err != nil {
			return err
		}
		size += n
		p.scanned++
		if size >= maxPage || p.scanned == p.limit {
			it, err := item.Decode(stored)
			if err != nil {
				return err
			}
			p.last = p.table.PositionOf(p.index, it)
			break
		}
	}
	if !p.count {
		p.ready.JSON = append(p.ready.JSON, ']')
	}
	p.looked(size)
	return nil
}

// takeDirect adds an item to the page if the filter lets it, and returns its size.
func (p *page) takeDirect(stored []byte) (size int, err error) {
	if p.read.condition != nil {
		it, err := item.Decode(stored)
		if err != nil || !p.read.condition.Holds(it) {
			return it.Size(), err
		}
	}
	p.found++
	if p.count {
		return item.StoredSize(stored)
	}
	if p.found > 1 {
		p.ready.JSON = append(p.ready.JSON, ',')
	}
	p.ready.JSON, size, err = item.AppendJSON(p.ready.JSON, stored)
	return size, err
}
