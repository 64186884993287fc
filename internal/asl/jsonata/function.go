package jsonata

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"

	"cirro/internal/asl/document"

	"github.com/google/uuid"
	"github.com/recolabs/gnata"
)

// functions are those that the service adds to JSONata, and $random, which takes a seed here.
// https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn
func functions() map[string]gnata.CustomFunc {
	return map[string]gnata.CustomFunc{
		"partition": partition,
		"range":     numbers,
		"hash":      hashOf,
		"random":    random,
		"uuid":      func([]any, any) (any, error) { return uuid.NewString(), nil },
		"parse":     parseJSON,
		"eval":      func([]any, any) (any, error) { return nil, errors.New("the function $eval is not supported") },
	}
}

// maxItems bounds the list that $range makes.
const maxItems = 10_000

func argument(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

func number(args []any, i int) (float64, error) {
	switch v := argument(args, i).(type) {
	case float64:
		return v, nil
	case json.Number:
		return v.Float64()
	}
	return 0, fmt.Errorf("argument %d must be a number", i+1)
}

func partition(args []any, _ any) (any, error) {
	list, ok := argument(args, 0).([]any)
	if !ok {
		return nil, errors.New("argument 1 of $partition must be an array")
	}
	size, err := number(args, 1)
	if err != nil {
		return nil, err
	}
	n := int(math.Floor(size))
	if n < 1 {
		return nil, errors.New("argument 2 of $partition must be a positive number")
	}
	chunks := []any{}
	for len(list) > 0 {
		m := min(n, len(list))
		chunks = append(chunks, append([]any{}, list[:m]...))
		list = list[m:]
	}
	return chunks, nil
}

func numbers(args []any, _ any) (any, error) {
	var n [3]float64
	for i := range n {
		var err error
		if n[i], err = number(args, i); err != nil {
			return nil, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	if step == 0 {
		return nil, errors.New("argument 3 of $range must not be zero")
	}
	count := math.Floor((last-first)/step) + 1
	if count > maxItems {
		return nil, fmt.Errorf("$range makes at most %d items", maxItems)
	}
	list := []any{}
	for i := range int(max(0, count)) {
		list = append(list, first+float64(i)*step)
	}
	return list, nil
}

func hashOf(args []any, _ any) (any, error) {
	algorithms := map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}
	name, _ := argument(args, 1).(string)
	algorithm, ok := algorithms[name]
	if !ok {
		return nil, fmt.Errorf("the algorithm %q is not supported", name)
	}
	data, ok := argument(args, 0).(string)
	if !ok {
		v, err := outward(argument(args, 0))
		if err != nil {
			return nil, err
		}
		data = string(document.Encode(v))
	}
	h := algorithm()
	h.Write([]byte(data))
	return hex.EncodeToString(h.Sum(nil)), nil
}

func random(args []any, _ any) (any, error) {
	if len(args) == 0 {
		return rand.Float64(), nil
	}
	seed, err := number(args, 0)
	if err != nil {
		return nil, err
	}
	return rand.New(rand.NewPCG(uint64(int64(seed)), 0)).Float64(), nil
}

func parseJSON(args []any, _ any) (any, error) {
	s, ok := argument(args, 0).(string)
	if !ok {
		return nil, errors.New("argument 1 of $parse must be a string")
	}
	v, err := document.Decode([]byte(s))
	if err != nil {
		return nil, errors.New("argument 1 of $parse is not valid JSON")
	}
	return inward(v)
}
