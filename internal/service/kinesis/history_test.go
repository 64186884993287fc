package kinesis

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
)

// Producers put while the shards change. Whoever reads parents before their children finds every record that was
// acknowledged, once, under the sequence number that was told, and those of a key in order.
func TestPutsWhileShardsChange(t *testing.T) {
	s := newStage(t)
	s.make("s", 2)
	const producers, each = 6, 60
	acknowledged := make([]map[string]string, producers) // data by sequence number
	var putting sync.WaitGroup
	for p := range producers {
		acknowledged[p] = make(map[string]string)
		putting.Go(func() {
			for i := range each {
				data := fmt.Sprintf("%d %d", p, i)
				out, err := s.PutRecords(s.ctx, &api.PutRecordsInput{StreamName: new("s"), Records: []api.PutRecordsRequestEntry{
					{Data: []byte(data), PartitionKey: new(fmt.Sprint("key", p))}}})
				if err != nil {
					t.Error(err)
					return
				}
				acknowledged[p][*out.Records[0].SequenceNumber] = data
			}
		})
	}
	over := make(chan struct{})
	go func() { putting.Wait(); close(over) }()
	random := rand.New(rand.NewPCG(3, 4))
	for n := 0; ; n++ {
		select {
		case <-over:
		default:
			open := s.look("s").opened
			if i := random.IntN(len(open)); len(open) < 6 && n%2 == 0 || len(open) == 1 {
				sh := s.look("s").record.Shards[open[i]]
				middle := new(big.Int).Add(sh.First.big(), sh.Last.big())
				s.must(s.split("s", shardID(open[i]), middle.Rsh(middle, 1).String()))
			} else if i+1 < len(open) {
				s.must(s.merge("s", shardID(open[i]), shardID(open[i+1])))
			}
			continue
		}
		break
	}
	want := make(map[string]string)
	for _, of := range acknowledged {
		maps.Copy(want, of)
	}
	last := make(map[string]int)
	for i := range s.look("s").record.Shards {
		for _, r := range s.all("s", i).Records {
			data := string(r.Data)
			if want[*r.SequenceNumber] != data {
				t.Errorf("%q is under %s, where %q was put", data, *r.SequenceNumber, want[*r.SequenceNumber])
			}
			delete(want, *r.SequenceNumber)
			_, number, _ := strings.Cut(data, " ")
			n, _ := strconv.Atoi(number)
			if key := awsapi.Val(r.PartitionKey); n != last[key] {
				t.Errorf("%s has %d where %d was next", key, n, last[key])
			} else {
				last[key]++
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("lost %v", slices.Collect(maps.Values(want)))
	}
}
