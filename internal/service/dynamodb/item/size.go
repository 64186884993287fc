package item

import "strings"

// Size is the item's size in bytes as AWS counts it: the names and the values.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func (it Item) Size() int {
	size := 0
	for name, v := range it {
		size += len(name) + v.Size()
	}
	return size
}

// Size is the value's size in bytes. A list or a map takes 3 bytes and 1 for each member, besides the members.
func (v Value) Size() int {
	switch v.Kind {
	case S, B:
		return len(v.Text)
	case N:
		return numberSize(v.Text)
	case SS, BS:
		size := 0
		for _, element := range v.Set {
			size += len(element)
		}
		return size
	case NS:
		size := 0
		for _, element := range v.Set {
			size += numberSize(element)
		}
		return size
	case M:
		return 3 + len(v.Map) + v.Map.Size()
	case L:
		size := 3 + len(v.List)
		for _, element := range v.List {
			size += element.Size()
		}
		return size
	}
	return 1 // NULL, BOOL
}

// numberSize is a byte, one for each two digits before the point, one for each two after it, and one for a sign. Zeros at
// either end are free; zero itself takes a byte. AWS's pages say less than its answers show:
// https://github.com/paritysuite/dynamodb-conformance/blob/main/src/item-size.ts
func numberSize(n string) int {
	if n == "0" {
		return 1
	}
	size := 1
	digits, negative := strings.CutPrefix(n, "-")
	if negative {
		size++
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "0" {
		return size + pairs(strings.TrimLeft(fraction, "0"))
	}
	if fraction == "" {
		return size + pairs(strings.TrimRight(whole, "0"))
	}
	return size + pairs(whole) + pairs(fraction)
}

func pairs(digits string) int { return (len(digits) + 1) / 2 }
