package states

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"testing"

	api "cirro/internal/awsapi/states"
	"cirro/internal/store"
)

// counting counts what is read of a store in views.
type counting struct {
	store.Store
	read int
}

type countingReader struct {
	store.Reader
	c *counting
}

func (r countingReader) Get(key []byte) ([]byte, error) {
	r.c.read++
	return r.Reader.Get(key)
}

func (r countingReader) Range(over store.Range) iter.Seq2[store.KV, error] {
	return func(yield func(store.KV, error) bool) {
		for kv, err := range r.Reader.Range(over) {
			if r.c.read++; !yield(kv, err) {
				return
			}
		}
	}
}

func (c *counting) View(ctx context.Context, f func(store.Reader) error) error {
	return c.Store.View(ctx, func(r store.Reader) error { return f(countingReader{r, c}) })
}

// TestListsGoByIndex lists few and many executions by what they are: a page reads as much as it tells, however many
// executions there are, or looks at a thousand.
func TestListsGoByIndex(t *testing.T) {
	s, ctx := atHome(t, nil)
	arn := s.make(ctx, t, "m", `{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$.do","StringEquals":"fail","Next":"F"},
		{"Variable":"$.do","StringEquals":"wait","Next":"W"}],"Default":"S"},"F":{"Type":"Fail"},"W":{"Type":"Wait","Seconds":1000,"Next":"S"},"S":{"Type":"Succeed"}}}`)
	c := &counting{Store: s.Store}
	s.Store = c
	n := 0
	start := func(many int, do string) {
		t.Helper()
		var done sync.WaitGroup
		slots := make(chan struct{}, 64)
		for range many {
			n++
			name := fmt.Sprint("x", n)
			slots <- struct{}{}
			done.Go(func() {
				defer func() { <-slots }()
				_, err := s.StartExecution(ctx, &api.StartExecutionInput{StateMachineArn: arn, Name: &name, Input: new(fmt.Sprintf(`{"do":%q}`, do))})
				if err != nil {
					t.Error(err)
				}
			})
		}
		done.Wait()
	}
	// pages reads a whole list, and answers how many executions it has and how much a page reads at most.
	pages := func(in api.ListExecutionsInput) (all, most int) {
		t.Helper()
		for in.StateMachineArn = arn; ; {
			c.read = 0
			out, err := s.ListExecutions(ctx, &in)
			if err != nil {
				t.Fatal(err)
			}
			all, most = all+len(out.Executions), max(most, c.read)
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return all, most
			}
		}
	}
	const some = 10 // reads of a page that are not for its executions
	start(3, "fail")
	start(4, "wait")
	for _, many := range []int{20, 2200} {
		start(many, "succeed")
		for _, l := range []struct {
			what string
			in   api.ListExecutionsInput
			all  int
			read int
		}{
			{"failed", api.ListExecutionsInput{StatusFilter: new("FAILED")}, 3, 2*3 + some},
			{"running", api.ListExecutionsInput{StatusFilter: new("RUNNING")}, 4, 2*4 + some},
			{"running, two a page", api.ListExecutionsInput{StatusFilter: new("RUNNING"), MaxResults: new(int32(2))}, 4, 2*2 + some},
			{"aborted", api.ListExecutionsInput{StatusFilter: new("ABORTED")}, 0, some},
			{"succeeded", api.ListExecutionsInput{StatusFilter: new("SUCCEEDED"), MaxResults: new(int32(50))}, n - 7, 2*(50+7) + some},
			{"all", api.ListExecutionsInput{MaxResults: new(int32(50))}, n, 2*50 + some},
			{"redriven", api.ListExecutionsInput{RedriveFilter: new("REDRIVEN")}, 0, 2*lookedAt + some},
		} {
			all, most := pages(l.in)
			if all != l.all || most > l.read {
				t.Errorf("%s of %d: %d, not %d; a page reads %d, not %d at most", l.what, n, all, l.all, most, l.read)
			}
		}
	}
	c.read = 0
	if _, err := s.DescribeExecution(ctx, &api.DescribeExecutionInput{ExecutionArn: new(executionOf(*arn, "x1"))}); err != nil || c.read > some {
		t.Error(err, c.read)
	}
	for _, name := range []string{"x1", "x4"} { // one that has failed is redriven, and one that waits is stopped
		var err error
		if name == "x1" {
			_, err = s.RedriveExecution(ctx, &api.RedriveExecutionInput{ExecutionArn: new(executionOf(*arn, name))})
		} else {
			_, err = s.StopExecution(ctx, &api.StopExecutionInput{ExecutionArn: new(executionOf(*arn, name))})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for status, want := range map[string]int{"RUNNING": 3, "ABORTED": 1, "FAILED": 3} {
		if all, _ := pages(api.ListExecutionsInput{StatusFilter: &status}); all != want {
			t.Errorf("%d are %s, not %d", all, status, want)
		}
	}
}

// executionOf is the ARN of a machine's execution.
func executionOf(machine, name string) string {
	res, _ := parseARN(machine, "stateMachine")
	return res.arn("execution", res.Rest+":"+name)
}
