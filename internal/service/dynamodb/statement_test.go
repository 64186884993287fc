package dynamodb

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

// newStatements is a plane with a table "music" of artists and songs, and two indexes.
func newStatements(t *testing.T) *plane {
	p := newPlane(t)
	p.create("music", func(in *api.CreateTableInput) {
		in.AttributeDefinitions = definitions("artist", "song", "genre", "album")
		in.KeySchema = keySchema("artist", "song")
		in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{{IndexName: new("by-genre"), KeySchema: keySchema("genre", "song"),
			Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}
		in.LocalSecondaryIndexes = []api.LocalSecondaryIndex{{IndexName: new("by-album"), KeySchema: keySchema("artist", "album"),
			Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}
	})
	for _, artist := range []string{"A", "B"} {
		for i := range 3 {
			p.run(fmt.Sprintf("INSERT INTO music VALUE {'artist': '%s', 'song': 's%d', 'genre': 'g%d', 'album': 'x%d', 'plays': %d, 'deep': {'tags': ['t', 'u']}}",
				artist, i, i%2, 9-i, i*10))
		}
	}
	return p
}

// text is a list of parameters.
func text(parameters ...string) (all []api.AttributeValue) {
	for _, p := range parameters {
		all = append(all, api.AttributeValue{S: &p})
	}
	return all
}

func (p *plane) try(statement string, parameters ...api.AttributeValue) (*api.ExecuteStatementOutput, error) {
	return p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: &statement, Parameters: parameters})
}

func (p *plane) run(statement string, parameters ...api.AttributeValue) *api.ExecuteStatementOutput {
	p.Helper()
	out, err := p.try(statement, parameters...)
	if err != nil {
		p.Fatalf("%s: %v", statement, err)
	}
	return out
}

// brief writes items shortly: artist and song, and the rest as JSON where it is asked for.
func brief(items []map[string]api.AttributeValue) string {
	var all []string
	for _, it := range items {
		var parts []string
		for name, v := range it {
			switch {
			case v.S != nil:
				parts = append(parts, name+"="+*v.S)
			case v.N != nil:
				parts = append(parts, name+"="+*v.N)
			default:
				b, _ := json.Marshal(v)
				parts = append(parts, name+"="+string(b))
			}
		}
		sort.Strings(parts)
		all = append(all, strings.Join(parts, " "))
	}
	return strings.Join(all, "; ")
}

func TestSelect(t *testing.T) {
	p := newStatements(t)
	for _, c := range []struct {
		statement  string
		parameters []api.AttributeValue
		want       string
		unordered  bool
	}{
		{"SELECT song FROM music WHERE artist = 'A'", nil, "song=s0; song=s1; song=s2", false},
		{"SELECT song FROM music WHERE artist = ? AND song > ?", text("A", "s0"), "song=s1; song=s2", false},
		{"SELECT song FROM music WHERE artist = 'A' AND begins_with(song, 's1')", nil, "song=s1", false},
		{"SELECT song FROM music WHERE artist = 'A' AND song BETWEEN 's1' AND 's2' ORDER BY song DESC", nil, "song=s2; song=s1", false},
		{"SELECT artist, song FROM music WHERE artist IN ['B', 'A'] AND plays = 10", nil, "artist=B song=s1; artist=A song=s1", false},
		{"SELECT artist FROM music WHERE artist IN ['A', 'B'] AND song = 's0' ORDER BY artist DESC", nil, "artist=B; artist=A", false},
		{"SELECT artist FROM music WHERE artist = 'A' AND song = 's0' OR artist = 'B' AND song = 's0'", nil, "artist=A; artist=B", false},
		{"SELECT artist FROM music WHERE plays = 20", nil, "artist=A; artist=B", true},
		{"SELECT deep.tags[1] FROM music WHERE artist = 'A' AND song = 's0'", nil, "tags[1]=u", false},
		{"SELECT song FROM music WHERE artist = 'A' AND absent IS NOT MISSING", nil, "", false},
		{`SELECT song FROM "music"."by-genre" WHERE genre = 'g0' AND artist = 'A'`, nil, "song=s0; song=s2", false},
		{`SELECT song, plays FROM "music"."by-album" WHERE artist = 'A' AND album >= 'x8'`, nil, "plays=10 song=s1; plays=0 song=s0", false},
		{`SELECT song FROM "music"."by-genre" WHERE artist = 'A'`, nil, "song=s0; song=s1; song=s2", true},
		{`SELECT song FROM "music"."by-genre" WHERE plays = 10`, nil, "", false}, // the index lacks it
		{`SELECT song FROM "music"."by-genre" WHERE genre = 'g1' AND plays = 1 OR genre = 'g1' AND artist = 'B'`, nil, "song=s1", false},
		{"SELECT * FROM music WHERE artist = 'nobody'", nil, "", false},
	} {
		out, err := p.try(c.statement, c.parameters...)
		if err != nil {
			t.Errorf("%s: %v", c.statement, err)
			continue
		}
		got := brief(out.Items)
		if c.unordered {
			parts := strings.Split(got, "; ")
			sort.Strings(parts)
			got = strings.Join(parts, "; ")
		}
		if got != c.want || out.Items == nil || out.NextToken != nil {
			t.Errorf("%s: %q, not %q", c.statement, got, c.want)
		}
	}
}

func TestSelectPages(t *testing.T) {
	p := newStatements(t)
	for _, c := range []struct {
		statement string
		want      int
	}{
		{"SELECT * FROM music", 6},
		{"SELECT * FROM music WHERE artist IN ['A', 'B', 'C']", 6},
		{"SELECT * FROM music WHERE artist = 'A' ORDER BY song DESC", 3},
		{"SELECT * FROM music WHERE plays = 0", 2},
		{`SELECT * FROM "music"."by-genre" WHERE genre = 'g0'`, 4},
	} {
		for limit := int32(1); limit <= 4; limit++ {
			seen := map[string]bool{}
			in := &api.ExecuteStatementInput{Statement: &c.statement, Limit: &limit}
			for pages := 0; ; pages++ {
				out, err := p.ExecuteStatement(p.ctx, in)
				if err != nil {
					t.Fatalf("%s: %v", c.statement, err)
				}
				if len(out.Items) > int(limit) || pages > 10 {
					t.Fatalf("%s: %d items on page %d", c.statement, len(out.Items), pages)
				}
				for _, it := range out.Items {
					seen[*it["artist"].S+*it["song"].S] = true
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					break
				}
			}
			if len(seen) != c.want {
				t.Errorf("%s: %d items by %d", c.statement, len(seen), limit)
			}
		}
	}
	first, err := p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: new("SELECT * FROM music"), Limit: new(int32(1))})
	p.must(err)
	_, err = p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: new("SELECT song FROM music"), NextToken: first.NextToken})
	fails(t, err, awsapi.ValidationException, "NextToken does not match request")
	_, err = p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: new("SELECT * FROM music"), NextToken: new("nonsense")})
	fails(t, err, awsapi.ValidationException, "Invalid NextToken")
	p.ahead.Store(int64(2 * time.Hour))
	_, err = p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: new("SELECT * FROM music"), NextToken: first.NextToken})
	fails(t, err, awsapi.ValidationException, "Given NextToken has already expired")
}

func TestStatementsThatWrite(t *testing.T) {
	p := newStatements(t)
	key := " WHERE artist = 'A' AND song = 's0'"
	for _, c := range []struct{ statement, want string }{
		{"UPDATE music SET plays = plays + 1" + key + " RETURNING MODIFIED NEW *", "plays=1"},
		{"UPDATE music SET plays = 7 SET rating = 5" + key + " RETURNING MODIFIED OLD *", "plays=1"},
		{"UPDATE music REMOVE rating REMOVE deep" + key + " RETURNING ALL NEW *", "album=x9 artist=A genre=g0 plays=7 song=s0"},
		{"UPDATE music REMOVE genre" + key + " RETURNING MODIFIED NEW *", ""},
		{"UPDATE music SET plays = 8" + key + " AND plays = 7", ""},
		{"DELETE FROM music" + key + " RETURNING ALL OLD *", "album=x9 artist=A plays=8 song=s0"},
		{"DELETE FROM music" + key + " RETURNING ALL OLD *", ""},
		{"DELETE FROM music" + key + " AND plays = 3", ""},
		{"DELETE FROM music WHERE artist = 'nobody' AND song = 's' AND plays = 3 RETURNING ALL OLD *", ""},
	} {
		if out := p.run(c.statement); brief(out.Items) != c.want || out.Items == nil {
			t.Errorf("%s: %q, not %q", c.statement, brief(out.Items), c.want)
		}
	}
	for _, c := range []struct {
		statement string
		kind      *awsapi.ErrorType
		part      string
	}{
		{"INSERT INTO music VALUE {'artist': 'A', 'song': 's1'}", api.DuplicateItemException, "Duplicate primary key exists in table"},
		{"INSERT INTO music VALUE {'artist': 'A'}", awsapi.ValidationException, "Key attribute should be present in the item: Key song"},
		{"INSERT INTO music VALUE {'artist': 1, 'song': 's'}", awsapi.ValidationException, "Key attribute's data type should match its data type in table's schema: Key artist"},
		{"UPDATE music SET v = 1 WHERE artist = 'A' AND song = 'none'", api.ConditionalCheckFailedException, "The conditional request failed"},
		{"UPDATE music SET v = 1 WHERE artist = 'A' AND song = 's1' AND plays = 99", api.ConditionalCheckFailedException, "The conditional request failed"},
		{"DELETE FROM music WHERE artist = 'A' AND song = 's1' AND plays = 99", api.ConditionalCheckFailedException, "The conditional request failed"},
		{"UPDATE music SET v = 1 WHERE artist = 'A'", awsapi.ValidationException, "Where clause does not contain a mandatory equality on all key attributes"},
		{"DELETE FROM music WHERE artist = 'A' AND song > 's1'", awsapi.ValidationException, "Where clause does not contain a mandatory equality on all key attributes"},
		{"DELETE FROM music WHERE artist = 'A' AND song IN ['s1', 's2']", awsapi.ValidationException, "Where clause does not contain a mandatory equality on all key attributes"},
		{`DELETE FROM "music"."by-genre" WHERE artist = 'A' AND song = 's1'`, awsapi.ValidationException, "This operation is not supported on an index"},
		{`INSERT INTO "music"."by-genre" VALUE {'artist': 'A'}`, awsapi.ValidationException, "FROM clause may only contain a single table name"},
		{"UPDATE music SET song = 'x' WHERE artist = 'A' AND song = 's1'", awsapi.ValidationException, "Cannot update attribute song. This attribute is part of the key"},
		{"SELECT * FROM unmade WHERE artist = 'A'", api.ResourceNotFoundException, "Requested resource not found"},
		{`SELECT * FROM "music"."none" WHERE artist = 'A'`, awsapi.ValidationException, "The table does not have the specified index"},
		{`SELECT plays, deep FROM "music"."by-genre" WHERE genre = 'g0'`, awsapi.ValidationException, "Global secondary index by-genre does not project [plays, deep]"},
		{`SELECT song FROM "music"."by-album" WHERE artist = 'A' AND plays = 1`, awsapi.ValidationException, "Secondary index by-album does not project one or more filter attributes: [plays]"},
		{"SELECT * FROM music WHERE artist = 1", awsapi.ValidationException, "Key attribute's data type should match its data type in table's schema: Key artist"},
		{"SELECT * FROM music WHERE plays = 1 ORDER BY song", awsapi.ValidationException, "Must have at least one non-optional hash key condition in WHERE clause"},
		{"SELECT * FROM music WHERE artist = 'A' ORDER BY plays", awsapi.ValidationException, "Variable reference plays in ORDER BY clause must be part of the primary key"},
		{"EXISTS(SELECT * FROM music WHERE artist = 'A' AND song = 's1')", awsapi.ValidationException, "EXISTS can only be used in ExecuteTransaction write requests."},
		{"SLECT", awsapi.ValidationException, "Statement wasn't well formed, can't be processed"},
		{"SELECT * FROM music WHERE artist = ?", awsapi.ValidationException, "Number of parameters in request and statement don't match."},
	} {
		_, err := p.try(c.statement)
		if err == nil {
			t.Errorf("%s: no error", c.statement)
		}
		fails(t, err, c.kind, c.part)
	}
	consistent := &api.ExecuteStatementInput{Statement: new(`SELECT song FROM "music"."by-genre" WHERE genre = 'g0'`), ConsistentRead: new(true)}
	_, err := p.ExecuteStatement(p.ctx, consistent)
	fails(t, err, awsapi.ValidationException, "Strongly consistent read is not supported on Global Secondary Indexes")
}

func TestStatementCapacity(t *testing.T) {
	p := newStatements(t)
	for _, c := range []struct {
		statement  string
		consistent bool
		want       float64
	}{
		{"SELECT * FROM music WHERE artist = 'A'", false, 0.5},
		{"SELECT * FROM music WHERE artist = 'A'", true, 1},
		{"UPDATE music SET plays = 3 WHERE artist = 'A' AND song = 's0'", false, 1},
		{"INSERT INTO music VALUE {'artist': 'C', 'song': 's', 'genre': 'g'}", false, 2},
	} {
		out, err := p.ExecuteStatement(p.ctx, &api.ExecuteStatementInput{Statement: &c.statement, ConsistentRead: &c.consistent, ReturnConsumedCapacity: new("TOTAL")})
		p.must(err)
		if got := *out.ConsumedCapacity.CapacityUnits; got != c.want || *out.ConsumedCapacity.TableName != "music" {
			t.Errorf("%s: %v units, not %v", c.statement, got, c.want)
		}
	}
}

func batchOf(statements ...string) *api.BatchExecuteStatementInput {
	in := &api.BatchExecuteStatementInput{ReturnConsumedCapacity: new("TOTAL")}
	for _, st := range statements {
		in.Statements = append(in.Statements, api.BatchStatementRequest{Statement: &st})
	}
	return in
}

func TestBatchOfStatements(t *testing.T) {
	p := newStatements(t)
	out, err := p.BatchExecuteStatement(p.ctx, batchOf("SELECT song FROM music WHERE artist = 'A' AND song = 's1'",
		"SELECT song FROM music WHERE artist = 'A'", "SELECT * FROM music WHERE artist = 'A' AND song = 'none'", "SLECT",
		"SELECT * FROM unmade WHERE artist = 'A' AND song = 's1'", "SELECT * FROM music WHERE artist = 'A' AND song = 's1' AND plays = 10"))
	p.must(err)
	if got := brief([]map[string]api.AttributeValue{out.Responses[0].Item}); got != "song=s1" || *out.Responses[0].TableName != "music" {
		t.Errorf("%q", got)
	}
	if out.Responses[2].Item != nil || out.Responses[2].Error != nil {
		t.Errorf("%+v", out.Responses[2])
	}
	for i, want := range map[int]string{1: "ValidationError", 3: "ValidationError", 4: "ResourceNotFound", 5: "ValidationError"} {
		if e := out.Responses[i].Error; e == nil || *e.Code != want || out.Responses[i].TableName != nil {
			t.Errorf("statement %d: %+v", i, out.Responses[i])
		}
	}
	if len(out.ConsumedCapacity) == 0 {
		t.Error("no capacity is told")
	}
	out, err = p.BatchExecuteStatement(p.ctx, batchOf("INSERT INTO music VALUE {'artist': 'A', 'song': 's1'}",
		"DELETE FROM music WHERE artist = 'A' AND song = 's2' RETURNING ALL OLD *", "UPDATE music SET v = 1 WHERE artist = 'A' AND song = 'none'"))
	p.must(err)
	if e := out.Responses[0].Error; e == nil || *e.Code != "DuplicateItem" || *out.Responses[0].TableName != "music" {
		t.Errorf("%+v", out.Responses[0])
	}
	if out.Responses[1].Item == nil || *out.Responses[2].Error.Code != "ConditionalCheckFailed" {
		t.Errorf("%+v", out.Responses)
	}
	_, err = p.BatchExecuteStatement(p.ctx, batchOf("SELECT * FROM music WHERE artist = 'A' AND song = 's1'", "DELETE FROM music WHERE artist = 'A' AND song = 's1'"))
	fails(t, err, awsapi.ValidationException, "does not support both read and write operations")
}

func TestTransactionOfStatements(t *testing.T) {
	p := newStatements(t)
	transact := func(token string, statements ...string) (*api.ExecuteTransactionOutput, error) {
		in := &api.ExecuteTransactionInput{}
		if token != "" {
			in.ClientRequestToken = &token
		}
		for _, st := range statements {
			in.TransactStatements = append(in.TransactStatements, api.ParameterizedStatement{Statement: &st})
		}
		return p.ExecuteTransaction(p.ctx, in)
	}
	at := func(song string) string { return " WHERE artist = 'A' AND song = '" + song + "'" }
	out, err := transact("", "INSERT INTO music VALUE {'artist': 'A', 'song': 'new'}", "UPDATE music SET plays = plays + 1"+at("s0"),
		"DELETE FROM music"+at("s1"), "DELETE FROM music"+at("none"), "EXISTS(SELECT * FROM music"+at("s2")+" AND plays = 20)",
		"EXISTS(SELECT * FROM music"+at("absent")+" AND plays IS MISSING)")
	if err != nil || out.Responses == nil || len(out.Responses) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	out, err = transact("", "SELECT plays FROM music"+at("s0"), "SELECT * FROM music"+at("s1"), "SELECT song FROM music"+at("new"))
	p.must(err)
	var items []map[string]api.AttributeValue
	for _, r := range out.Responses {
		items = append(items, r.Item)
	}
	if got := brief(items); got != "plays=1; ; song=new" {
		t.Errorf("%q", got)
	}
	for _, c := range []struct {
		statements []string
		kind       *awsapi.ErrorType
		part       string
	}{
		{[]string{"INSERT INTO music VALUE {'artist': 'A', 'song': 'new'}", "DELETE FROM music" + at("s2")}, api.TransactionCanceledException, "[DuplicateItem, None]"},
		{[]string{"DELETE FROM music" + at("s2"), "EXISTS(SELECT * FROM music" + at("s0") + " AND plays = 99)"}, api.TransactionCanceledException, "[None, ConditionalCheckFailed]"},
		{[]string{"DELETE FROM music" + at("s2"), "EXISTS(SELECT * FROM music" + at("s0") + ")"}, awsapi.ValidationException, "Validation failed in TransactStatements[1]: EXISTS() must contain a single item read with additional condition"},
		{[]string{"DELETE FROM music" + at("s2"), "SELECT * FROM music" + at("s0")}, awsapi.ValidationException, "does not support both read and write operations"},
		{[]string{"SELECT * FROM music WHERE artist = 'A'"}, awsapi.ValidationException, "Validation failed in TransactStatements[0]: Select statements within ExecuteTransaction must specify the primary key in the where clause."},
		{[]string{`SELECT * FROM "music"."by-genre" WHERE genre = 'g0'`}, awsapi.ValidationException, "Validation failed in TransactStatements[0]: Reads on indices are not supported within transactions."},
		{[]string{"DELETE FROM music" + at("s2") + " RETURNING ALL OLD *"}, awsapi.ValidationException, "Validation failed in TransactStatements[0]: RETURNING clause is not supported in ExecuteTransaction."},
		{[]string{"DELETE FROM music" + at("s2"), "UPDATE music SET v = 1" + at("s2")}, awsapi.ValidationException, "Transaction request cannot include multiple operations on one item"},
		{[]string{"UPDATE music SET v = 1" + at("none"), "DELETE FROM music" + at("s2")}, api.TransactionCanceledException, "[ConditionalCheckFailed, None]"},
	} {
		_, err := transact("", c.statements...)
		if err == nil {
			t.Errorf("%q: no error", c.statements)
		}
		fails(t, err, c.kind, c.part)
	}
	for range 2 {
		if _, err := transact("token", "UPDATE music SET plays = plays + 1"+at("s0")); err != nil {
			t.Error(err)
		}
	}
	if got := brief(p.run("SELECT plays FROM music" + at("s0")).Items); got != "plays=2" {
		t.Errorf("a repeated transaction left %s", got)
	}
	_, err = transact("token", "UPDATE music SET plays = 0"+at("s0"))
	fails(t, err, api.IdempotentParameterMismatchException, "different payload")
	in := &api.ExecuteTransactionInput{TransactStatements: []api.ParameterizedStatement{
		{Statement: new("UPDATE music SET v = 1" + at("s0") + " AND plays = 99"), ReturnValuesOnConditionCheckFailure: new("ALL_OLD")}}}
	_, err = p.ExecuteTransaction(p.ctx, in)
	var e *awsapi.Error
	if !errors.As(err, &e) || e.Fields["CancellationReasons"].([]api.CancellationReason)[0].Item == nil {
		t.Errorf("%v", err)
	}
}

// FuzzPlace reads any text: refused, or a place that is written as the same.
func FuzzPlace(f *testing.F) {
	f.Add(place{span: 3, made: time.Unix(1e9, 0)}.String())
	f.Add("AAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parsePlace(text)
		if !ok {
			return
		}
		again, ok := parsePlace(p.String())
		if !ok || again.span != p.span || !again.made.Equal(p.made) || again.digest != p.digest || !again.last.Equal(p.last) {
			t.Errorf("%+v became %+v", p, again)
		}
	})
}
