package jsonata

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"cirro/internal/asl/digest"
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

// maxItems bounds the list that $range makes, as measured of the service.
const maxItems = 360_145

const errMemoryLimit = sentence("Expression evaluation memory limit exceeded")

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

// whole is a number of which nothing but the whole is left.
func whole(args []any, i int) (float64, error) {
	n, err := number(args, i)
	return math.Trunc(n), err
}

// partition finds nothing where there is nothing to part, or no part has an item.
func partition(args []any, _ any) (any, error) {
	list, ok := gnata.NormalizeValue(argument(args, 0)).([]any)
	if !ok {
		return nil, errors.New("argument 1 of $partition must be an array")
	}
	size, err := whole(args, 1)
	if err != nil {
		return nil, err
	}
	n := int(size)
	if n < 1 || len(list) == 0 {
		return nil, nil
	}
	chunks := []any{}
	for len(list) > 0 {
		m := min(n, len(list))
		chunks = append(chunks, append([]any{}, list[:m]...))
		list = list[m:]
	}
	return chunks, nil
}

// numbers finds nothing where a step leads nowhere; one number is not in a list.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/intrinsic_functions/test_array_jsonata.snapshot.json
func numbers(args []any, _ any) (any, error) {
	if argument(args, 2) == nil {
		return nil, nil
	}
	var n [3]float64
	for i := range n {
		var err error
		if n[i], err = whole(args, i); err != nil {
			return nil, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	count := math.Floor((last-first)/step) + 1
	switch {
	case step == 0 || count < 1:
		return nil, nil
	case count == 1:
		return first, nil
	case count > maxItems:
		return nil, errMemoryLimit
	}
	list := make([]any, int(count))
	for i := range list {
		list[i] = first + float64(i)*step
	}
	return list, nil
}

func hashOf(args []any, _ any) (any, error) {
	if argument(args, 1) == nil {
		return nil, nil
	}
	data, ok := argument(args, 0).(string)
	if !ok {
		v, err := outward(argument(args, 0))
		if err != nil {
			return nil, err
		}
		data = string(document.Encode(v))
	}
	name, _ := argument(args, 1).(string)
	sum, ok := digest.Of(name, data)
	if !ok {
		return nil, fmt.Errorf("the algorithm %q is not supported", name)
	}
	return sum, nil
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
