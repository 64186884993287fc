package storetest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"cirro/internal/store"
)

func serializable(s *suite) {
	s.each("Linearizable", func(s *suite) { s.testLinearizable() })
	s.each("WriteSkew", func(s *suite) { s.testWriteSkew() })
	s.each("Bank", func(s *suite) { s.testBank() })
}

// registers is how many keys the linearizability test has.
const registers = 4

// access is one transaction on the registers: it reads some and writes others.
type access struct {
	reads  []int
	writes map[int]int
}

// model is registers that a transaction reads and writes in one step.
var model = porcupine.Model{
	Init: func() any { return [registers]int{} },
	Step: func(state, input, output any) (bool, any) {
		now, in := state.([registers]int), input.(access)
		for i, r := range in.reads {
			if output.([]int)[i] != now[r] {
				return false, state
			}
		}
		for r, v := range in.writes {
			now[r] = v
		}
		return true, now
	},
	Equal: func(a, b any) bool { return a == b },
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v: %v", input, output)
	},
}

func (s *suite) testLinearizable() {
	sides, each := 6, 60
	if long() {
		each = 1000
	}
	var mu sync.Mutex
	var history []porcupine.Operation
	var wg sync.WaitGroup
	begin := time.Now()
	for side := range sides {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(side)))
			for i := range each {
				a := randomAccess(random, side*1_000_000+i+1)
				called := time.Since(begin)
				read, err := s.access(a)
				returned := time.Since(begin)
				if err != nil {
					s.Error(err)
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: side, Input: a, Call: int64(called), Output: read, Return: int64(returned)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if result := porcupine.CheckOperationsTimeout(model, history, patient); result != porcupine.Ok {
		s.Errorf("the history of %d transactions is %s", len(history), result)
	}
}

func randomAccess(random *rand.Rand, value int) access {
	a := access{reads: random.Perm(registers)[:random.IntN(registers)], writes: map[int]int{}}
	if random.IntN(3) > 0 {
		for _, r := range random.Perm(registers)[:1+random.IntN(2)] {
			a.writes[r] = value
		}
	}
	return a
}

// access does a; one that only reads uses either kind of transaction, and a range now and then.
func (s *suite) access(a access) (read []int, err error) {
	readAll := func(r store.Reader) error {
		read = nil
		all := make([]int, registers)
		if len(a.reads) == registers-1 {
			for kv, err := range r.Range(store.Range{}) {
				if err != nil {
					return err
				}
				register, err1 := strconv.Atoi(string(kv.Key))
				n, err2 := strconv.Atoi(string(kv.Value))
				if err := errors.Join(err1, err2); err != nil {
					return err
				}
				all[register] = n
			}
		}
		for _, i := range a.reads {
			n := all[i]
			if len(a.reads) < registers-1 {
				if n, err = number(r, strconv.Itoa(i)); err != nil {
					return err
				}
			}
			read = append(read, n)
		}
		return nil
	}
	if len(a.writes) == 0 && len(a.reads)%2 == 0 {
		err = s.s.View(s.Context(), readAll)
		return read, err
	}
	err = s.s.Update(s.Context(), func(tx store.Tx) error {
		if err := readAll(tx); err != nil {
			return err
		}
		for r, v := range a.writes {
			if err := tx.Set([]byte(strconv.Itoa(r)), []byte(strconv.Itoa(v))); err != nil {
				return err
			}
		}
		return nil
	})
	return read, err
}

// testWriteSkew lets pairs of transactions each read what the other writes: at most one of two doctors
// may go off call.
func (s *suite) testWriteSkew() {
	for round := range 50 {
		doctors := []string{fmt.Sprint("a", round), fmt.Sprint("b", round)}
		s.put(doctors...)
		var wg sync.WaitGroup
		for _, leaving := range doctors {
			wg.Go(func() {
				err := s.s.Update(s.Context(), func(tx store.Tx) error {
					on := 0
					for _, d := range doctors {
						if _, err := tx.Get([]byte(d)); err == nil {
							on++
						}
					}
					if on < 2 {
						return nil
					}
					return tx.Delete([]byte(leaving))
				})
				if err != nil {
					s.Error(err)
				}
			})
		}
		wg.Wait()
		s.view(func(r store.Reader) error {
			_, err1 := r.Get([]byte(doctors[0]))
			_, err2 := r.Get([]byte(doctors[1]))
			if (err1 == nil) == (err2 == nil) {
				s.Errorf("round %d: %v, %v", round, err1, err2)
			}
			return nil
		})
	}
}

// testBank moves money between accounts while others count it.
func (s *suite) testBank() {
	const accounts, each = 8, 100
	s.update(func(tx store.Tx) error {
		for i := range accounts {
			if err := tx.Set(store.Key("account", i), []byte("100")); err != nil {
				return err
			}
		}
		return nil
	})
	var wg sync.WaitGroup
	for side := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(side)))
			for range each {
				from, to, sum := random.IntN(accounts), random.IntN(accounts), random.IntN(50)
				if err := s.s.Update(s.Context(), transfer(from, to, sum)); err != nil {
					s.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range each {
				s.audit(accounts * 100)
			}
		})
	}
	wg.Wait()
	s.audit(accounts * 100)
}

func transfer(from, to, sum int) func(store.Tx) error {
	return func(tx store.Tx) error {
		a, err := number(tx, string(store.Key("account", from)))
		if err != nil || a < sum {
			return err
		}
		if err := tx.Set(store.Key("account", from), []byte(strconv.Itoa(a-sum))); err != nil {
			return err
		}
		b, err := number(tx, string(store.Key("account", to)))
		if err != nil {
			return err
		}
		return tx.Set(store.Key("account", to), []byte(strconv.Itoa(b+sum)))
	}
}

func (s *suite) audit(want int) {
	balances := map[string]int{}
	err := s.s.View(s.Context(), func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("account")) {
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(kv.Value))
			if err != nil {
				return err
			}
			balances[string(kv.Key)] = n
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
	sum := 0
	for n := range maps.Values(balances) {
		sum += n
	}
	if sum != want {
		s.Errorf("the accounts hold %d: %v", sum, balances)
	}
}
