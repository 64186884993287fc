package dynamodb

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	api "cirro/internal/awsapi/dynamodb"
)

// registers is how many items the histories have.
const registers = 3

// access is one operation on them: it reads some items, adds to others, and may demand what one holds.
type access struct {
	reads   []int       // items; of a write those that it shows as they are afterwards
	adds    map[int]int // by item
	demands int         // the item that has to hold the value; -1 for none
	value   int
}

// answer is what it said: whether it was done, and what it read.
type answer struct {
	done bool
	read [registers]int
}

// registerModel does each access in one step.
var registerModel = porcupine.Model{
	Init: func() any { return [registers]int{} },
	Step: func(state, input, output any) (bool, any) {
		now, in, out := state.([registers]int), input.(access), output.(answer)
		if met := in.demands < 0 || now[in.demands] == in.value; met != out.done {
			return false, state
		}
		if !out.done {
			return true, state
		}
		for i, n := range in.adds {
			now[i] += n
		}
		for _, i := range in.reads {
			if out.read[i] != now[i] {
				return false, state
			}
		}
		return true, now
	},
	Equal:             func(a, b any) bool { return a == b },
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
}

func registerKey(i int) map[string]api.AttributeValue {
	return map[string]api.AttributeValue{"id": {S: new(strconv.Itoa(i))}}
}

// number is the register's value that an item holds; 0 for no item.
func number(t testing.TB, it map[string]api.AttributeValue) int {
	if it["n"].N == nil {
		return 0
	}
	n, err := strconv.Atoi(*it["n"].N)
	if err != nil {
		t.Error(err)
	}
	return n
}

// do does a random access, and returns it with its answer.
func (r *itemRig) access(random *rand.Rand) (access, answer) {
	a, out := access{demands: -1, adds: map[int]int{}}, answer{done: true}
	i, n := random.IntN(registers), 1+random.IntN(3)
	var err error
	switch random.IntN(5) {
	case 0: // read one
		a.reads = []int{i}
		var got *api.GetItemOutput
		if got, err = r.GetItem(r.ctx, &api.GetItemInput{TableName: new("ttt"), Key: registerKey(i), ConsistentRead: new(true)}); err == nil {
			out.read[i] = number(r, got.Item)
		}
	case 1: // read all
		a.reads = []int{0, 1, 2}
		in := &api.TransactGetItemsInput{}
		for _, i := range a.reads {
			in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: &api.Get{TableName: new("ttt"), Key: registerKey(i)}})
		}
		var got *api.TransactGetItemsOutput
		if got, err = r.TransactGetItems(r.ctx, in); err == nil {
			for i := range a.reads {
				out.read[i] = number(r, got.Responses[i].Item)
			}
		}
	case 2: // add, and see what became of it
		a.reads, a.adds[i] = []int{i}, n
		var got *api.UpdateItemOutput
		got, err = r.UpdateItem(r.ctx, &api.UpdateItemInput{TableName: new("ttt"), Key: registerKey(i), UpdateExpression: new("ADD n :n"),
			ExpressionAttributeValues: map[string]api.AttributeValue{":n": {N: new(strconv.Itoa(n))}}, ReturnValues: new("UPDATED_NEW")})
		if err == nil {
			out.read[i] = number(r, got.Attributes)
		}
	case 3: // add if the item holds what it did a moment ago
		var got *api.GetItemOutput
		if got, err = r.GetItem(r.ctx, &api.GetItemInput{TableName: new("ttt"), Key: registerKey(i)}); err != nil {
			break
		}
		a.demands, a.value, a.adds[i] = i, number(r, got.Item), n
		condition := "n = :v"
		if a.value == 0 {
			condition = "attribute_not_exists(n) OR n = :v"
		}
		_, err = r.UpdateItem(r.ctx, &api.UpdateItemInput{TableName: new("ttt"), Key: registerKey(i), UpdateExpression: new("ADD n :n"), ConditionExpression: new(condition),
			ExpressionAttributeValues: map[string]api.AttributeValue{":n": {N: new(strconv.Itoa(n))}, ":v": {N: new(strconv.Itoa(a.value))}}})
	case 4: // move between two
		j := (i + 1) % registers
		a.adds[i], a.adds[j] = n, -n
		_, err = r.TransactWriteItems(r.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{adding(i, n), adding(j, -n)}})
	}
	if errors.Is(err, api.ConditionalCheckFailedException) {
		out.done, err = false, nil
	}
	if err != nil {
		r.Error(err)
	}
	return a, out
}

func adding(i, n int) api.TransactWriteItem {
	return api.TransactWriteItem{Update: &api.Update{TableName: new("ttt"), Key: registerKey(i), UpdateExpression: new("ADD n :n"),
		ExpressionAttributeValues: map[string]api.AttributeValue{":n": {N: new(strconv.Itoa(n))}}}}
}

// TestSerializable: what many do to few items at a time, reading, adding, on conditions and in transactions, could
// have been done one after the other, each between its call and its return.
func TestSerializable(t *testing.T) {
	sides, each := 8, 40
	if os.Getenv("CIRRO_LONG") != "" {
		each = 400
	}
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	start := time.Now()
	var mu sync.Mutex
	var history []porcupine.Operation
	var all sync.WaitGroup
	for side := range sides {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(side), 9))
			for range each {
				call := time.Since(start).Nanoseconds()
				in, out := r.access(random)
				op := porcupine.Operation{ClientId: side, Input: in, Output: out, Call: call, Return: time.Since(start).Nanoseconds()}
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if res := porcupine.CheckOperationsTimeout(registerModel, history, time.Minute); res == porcupine.Illegal {
		t.Error("no order of the operations explains what they answered")
	} else if res == porcupine.Unknown {
		t.Skip("the history was too much to check in a minute")
	}
}
