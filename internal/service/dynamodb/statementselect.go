package dynamodb

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/partiql"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// executeSelect reads a page of what a SELECT selects: of the hash keys that its WHERE clause demands, one after the
// other, or, where it demands none, of the whole table or index.
func (s *Service) executeSelect(ctx context.Context, st *partiql.Select, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	t, err := s.use(ctx, &st.Table)
	if err != nil {
		return nil, err
	}
	defer t.End()
	p := page{table: t.Table, limit: int(awsapi.Val(in.Limit)), read: &parsed{condition: st.Where}, shows: st.Of,
		meter: newMeter(in.ReturnConsumedCapacity, &st.Table, false, 1)}
	if err := p.selectFrom(st, awsapi.Val(in.ConsistentRead)); err != nil {
		return nil, err
	}
	spans, err := p.selectSpans(st)
	if err != nil {
		return nil, err
	}
	place, err := s.placeOf(in)
	if err != nil {
		return nil, err
	}
	if place.span >= len(spans) {
		return nil, invalid("Invalid NextToken")
	}
	err = s.Store.View(ctx, func(r store.Reader) error { return p.fillAll(r, spans, &place) })
	if err != nil {
		return nil, err
	}
	out := &api.ExecuteStatementOutput{Items: p.items, LastEvaluatedKey: p.last.API(), ConsumedCapacity: p.meter.report()}
	if out.Items == nil {
		out.Items = []map[string]api.AttributeValue{}
	}
	if place.span < len(spans) {
		place.made = s.Clock()
		out.NextToken = new(place.String())
	}
	return out, nil
}

// fillAll reads span after span from a place on, until the page is full. The place is then where the next one begins.
func (p *page) fillAll(r store.Reader, spans []table.Span, at *place) error {
	for ; at.span < len(spans); at.span++ {
		p.span = spans[at.span]
		if at.last != nil {
			position, err := p.table.Position(p.index, at.last)
			if err != nil {
				return err
			}
			p.span.After(position)
			at.last = nil
		}
		if err := p.fill(r); err != nil {
			return err
		}
		if p.last != nil {
			at.last = p.last
			return nil
		}
		if p.bytes >= maxPage || p.scanned == p.limit && p.limit > 0 {
			at.span++
			return nil
		}
	}
	return nil
}

// selectFrom finds the index, and checks that it has what the statement names.
func (p *page) selectFrom(st *partiql.Select, consistent bool) error {
	p.consistent = consistent
	if st.Index != "" {
		if p.index = p.table.Index(st.Index); p.index == nil {
			return invalid("The table does not have the specified index")
		}
		if !p.index.Readable {
			return invalid("Cannot read from backfilling global secondary index: %s", st.Index)
		}
		if consistent && !p.index.Local {
			return invalid("Strongly consistent read is not supported on Global Secondary Indexes")
		}
	}
	if err := p.checkProjected(st); err != nil {
		return err
	}
	if err := checkScalars(p.table, st.Paths()); err != nil {
		return err
	}
	return p.read.check(p.table)
}

// checkProjected checks that the index has what is asked for. What a local one has not is had from the table.
func (p *page) checkProjected(st *partiql.Select) error {
	if p.index == nil {
		return nil
	}
	if missing := p.missing(st.Paths()); missing != nil {
		if !p.index.Local {
			return wrong("Global secondary index %s does not project %s", p.index.Name, listed(missing))
		}
		p.whole = true
	}
	// A filter matters only beside a key: without one, what the index lacks is missing, and no error.
	if st.Where == nil || !st.Where.Keyed(p.index.Schema.Hash.Name) {
		return nil
	}
	if missing := p.missing(st.Where.Paths()); missing != nil {
		return wrong("Secondary index %s does not project one or more filter attributes: %s", p.index.Name, listed(missing))
	}
	return nil
}

func (p *page) missing(paths []expression.Path) (names []string) {
	for _, path := range paths {
		if name := path.Attribute(); !p.index.Projects(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// selectSpans are the ranges that the statement reads.
func (p *page) selectSpans(st *partiql.Select) ([]table.Span, error) {
	schema := p.schema()
	var hashes []item.Value
	demanded := false
	if st.Where != nil {
		hashes, demanded = st.Where.EqualTo(schema.Hash.Name)
	}
	reverse, err := p.selectOrder(st, demanded, &hashes)
	if err != nil {
		return nil, err
	}
	if !demanded {
		return []table.Span{p.table.All(p.index)}, nil
	}
	spans := make([]table.Span, 0, len(hashes))
	for i, hash := range hashes {
		if hash.Kind != schema.Hash.Kind {
			return nil, keyMismatch(schema.Hash.Name)
		}
		if slices.ContainsFunc(hashes[:i], hash.Equal) {
			continue
		}
		span := p.table.Of(p.index, hash)
		if err := p.selectSorted(st.Where, &span); err != nil {
			return nil, err
		}
		span.Range.Reverse = reverse
		spans = append(spans, span)
	}
	return spans, nil
}

// selectSorted limits a span to the sort keys that the WHERE clause demands in every case.
func (p *page) selectSorted(where *expression.Condition, span *table.Span) error {
	sort := p.schema().Range
	if sort.Name == "" {
		return nil
	}
	comparison, values, ok := where.Range(sort.Name)
	if !ok || slices.ContainsFunc(values, func(v item.Value) bool { return v.Kind != sort.Kind }) {
		return nil // all are looked at
	}
	return limit(span, expression.KeyRange{Limited: true, Comparison: comparison, Values: values})
}

// selectOrder reads ORDER BY: it sorts the hash keys and says whether the sort keys go backwards.
func (p *page) selectOrder(st *partiql.Select, demanded bool, hashes *[]item.Value) (reverse bool, err error) {
	if len(st.OrderBy) == 0 {
		return false, nil
	}
	if !demanded {
		return false, invalid("Must have at least one non-optional hash key condition in WHERE clause when using ORDER BY clause.")
	}
	schema := p.schema()
	byHash := false
	for _, o := range st.OrderBy {
		switch o.Attribute {
		case schema.Hash.Name:
			byHash = true
			slices.SortFunc(*hashes, func(a, b item.Value) int {
				order, _ := item.Compare(a, b)
				if o.Descending {
					return -order
				}
				return order
			})
		case schema.Range.Name:
			reverse = o.Descending
		default:
			return false, invalid("Variable reference %s in ORDER BY clause must be part of the primary key", o.Attribute)
		}
	}
	if len(*hashes) > 1 && !byHash {
		return false, invalid("Must have hash key in ORDER BY clause when more than one hash key condition specified in WHERE clause.")
	}
	return reverse, nil
}

// place is where a SELECT goes on: what a NextToken says.
type place struct {
	digest [8]byte   // of the statement
	span   int       // of those that the statement reads
	last   item.Item // the key of the item that comes before; nil for none
	made   time.Time // seconds
}

// placeLife is how long a NextToken is good.
const placeLife = time.Hour

// placeOf is where a request begins.
func (s *Service) placeOf(in *api.ExecuteStatementInput) (p place, err error) {
	payload, err := json.Marshal([]any{strings.TrimSpace(awsapi.Val(in.Statement)), in.Parameters})
	if err != nil {
		return p, err
	}
	sum := sha256.Sum256(payload)
	if in.NextToken == nil {
		copy(p.digest[:], sum[:])
		return p, nil
	}
	p, ok := parsePlace(*in.NextToken)
	switch {
	case !ok:
		return p, invalid("Invalid NextToken")
	case string(p.digest[:]) != string(sum[:len(p.digest)]):
		return p, invalid("NextToken does not match request")
	case s.Clock().Sub(p.made) > placeLife:
		return p, invalid("Given NextToken has already expired")
	}
	return p, nil
}

func (p place) String() string {
	b := append([]byte(nil), p.digest[:]...)
	b = binary.AppendUvarint(b, uint64(p.made.Unix()))
	b = binary.AppendUvarint(b, uint64(p.span))
	if p.last != nil {
		b = p.last.Append(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func parsePlace(text string) (p place, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < len(p.digest) {
		return p, false
	}
	b = b[copy(p.digest[:], b):]
	var numbers [2]uint64
	for i := range numbers {
		n := 0
		if numbers[i], n = binary.Uvarint(b); n <= 0 || numbers[i] > 1<<40 {
			return p, false
		}
		b = b[n:]
	}
	p.made, p.span = time.Unix(int64(numbers[0]), 0), int(numbers[1])
	if len(b) > 0 {
		p.last, err = item.Decode(b)
	}
	return p, err == nil
}
