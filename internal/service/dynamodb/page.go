package dynamodb

import (
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// maxPage is how many bytes of items are read for one reply; the item that reaches it is the last.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html
const maxPage = 1 << 20

// page is what a reply of Query or Scan reads.
type page struct {
	table      *table.Table
	index      *table.Index // nil for the table itself
	span       table.Span
	limit      int // items looked at; 0 for no limit
	read       *parsed
	count      bool                      // count only
	shows      func(item.Item) item.Item // what the reply has of an item; nil for what read says
	whole      bool                      // get the items of a local index from the table
	consistent bool
	meter      *meter
	ready      *awsapi.Ready // takes the items, where the reply is JSON

	items          []map[string]api.AttributeValue
	found, scanned int
	bytes          int       // of what was looked at
	last           item.Item // the key of the last one where there may be more
}

// fill reads the page.
func (p *page) fill(r store.Reader) error {
	if p.direct() {
		return p.fillDirect(r)
	}
	if !p.count && p.items == nil {
		p.items = []map[string]api.AttributeValue{}
	}
	size := 0
	for it, err := range table.Walk(r, p.span) {
		if err != nil {
			return err
		}
		size += it.Size()
		p.scanned++
		if err := p.take(r, it); err != nil {
			return err
		}
		if size >= maxPage || p.scanned == p.limit {
			p.last = p.table.PositionOf(p.index, it)
			break
		}
	}
	p.looked(size)
	return nil
}

// looked counts what the page has read.
func (p *page) looked(size int) {
	p.bytes += size
	p.meter.read(p.index, size, p.consistent)
}

// take adds an item to the page if the filter lets it.
func (p *page) take(r store.Reader, it item.Item) error {
	if p.whole {
		k, err := p.table.KeyOf(it)
		if err != nil {
			return err
		}
		if it, err = p.table.Get(r, k); err != nil {
			return err
		}
		p.meter.read(nil, it.Size(), p.consistent)
	}
	if p.read.condition != nil {
		if !p.read.condition.Holds(it) {
			return nil
		}
	}
	p.found++
	if !p.count {
		p.items = append(p.items, p.show(it).API())
	}
	return nil
}

func (p *page) show(it item.Item) item.Item {
	if p.shows != nil {
		return p.shows(it)
	}
	return p.read.project(it)
}

// selects reads Select.
func (p *page) selects(what *string) error {
	named := p.read.projection != nil
	switch awsapi.Val(what) {
	case api.SelectCount:
		if named {
			return p.errNamed("only the Count")
		}
		p.count = true
	case api.SelectAllAttributes:
		if named {
			return p.errNamed(api.SelectAllAttributes)
		}
		return p.selectAll()
	case api.SelectAllProjectedAttributes:
		if named {
			return p.errNamed(api.SelectAllProjectedAttributes)
		}
		if p.index == nil {
			return invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
		}
	case api.SelectSpecificAttributes:
		if !named {
			return invalid("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
		}
	}
	return p.selectNamed()
}

// errNamed is the error of a request that names attributes and chooses something else.
func (p *page) errNamed(chosen string) error {
	return invalid("Cannot specify the %s when choosing to get %s", p.read.projectionParameter, chosen)
}

func (p *page) selectAll() error {
	if p.index == nil || p.index.All {
		return nil
	}
	if !p.index.Local {
		return wrong("Select type ALL_ATTRIBUTES is not supported for global secondary index %s because its projection type is not ALL", p.index.Name)
	}
	p.whole = true
	return nil
}

// selectNamed sees whether the index has the attributes that are asked for; those of a local one can be had
// from the table.
func (p *page) selectNamed() error {
	if p.index == nil || p.read.projection == nil {
		return nil
	}
	for _, name := range p.read.projection.Attributes() {
		if p.index.Projects(name) {
			continue
		}
		if !p.index.Local {
			return wrong("Global secondary index %s does not project [%s]", p.index.Name, name)
		}
		p.whole = true
	}
	return nil
}

// source finds the index, and sees whether it can be read like that.
func (p *page) source(name *string, consistent *bool) error {
	p.consistent = awsapi.Val(consistent)
	if name == nil {
		return nil
	}
	if p.index = p.table.Index(*name); p.index == nil {
		return invalid("The table does not have the specified index: %s", *name)
	}
	if !p.index.Readable {
		return invalid("Cannot read from backfilling global secondary index: %s", *name)
	}
	if p.consistent && !p.index.Local {
		return invalid("Consistent reads are not supported on global secondary indexes")
	}
	return nil
}

// schema is the key of what is read.
func (p *page) schema() *table.Schema {
	if p.index == nil {
		return &p.table.Schema
	}
	return &p.index.Schema
}

// after lets the page begin after a key that an earlier reply ended with. outside is the error of a key that
// the range does not have.
func (p *page) after(start map[string]api.AttributeValue, mismatch error, outside func(item.Item) error) error {
	if start == nil {
		return nil
	}
	key, err := item.FromAPI(start)
	if err != nil {
		return err
	}
	if !p.table.HasPosition(p.index, key) {
		return mismatch
	}
	for i, a := range p.schema().Attributes() {
		if v := key[a.Name]; v.Kind != a.Kind {
			return errSchema()
		} else if err := checkKeyValue(a.Name, v, i == 0); err != nil {
			return err
		}
	}
	if checkKey(p.table, key) != nil {
		return invalid("The provided starting key is invalid: The provided key element does not match the schema")
	}
	position, err := p.table.Position(p.index, key)
	if err != nil {
		return err
	}
	if !p.span.Holds(position) {
		return outside(key)
	}
	p.span.After(position)
	return nil
}
