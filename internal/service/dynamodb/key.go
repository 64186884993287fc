package dynamodb

import (
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
)

// Limits of an item and its keys, in bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const (
	maxItem     = 400 << 10
	maxHashKey  = 2048
	maxRangeKey = 1024
)

// errSchema is the answer to a key that is not what the table's schema says.
func errSchema() error { return invalid("The provided key element does not match the schema") }

// keyOf checks a key as a request has it, and returns it with its place in the table.
func keyOf(t *table.Table, attributes map[string]api.AttributeValue, wording item.Wording) (item.Item, table.Key, error) {
	key, err := wording.FromAPI(attributes)
	if err != nil {
		return nil, nil, err
	}
	k, err := placeOf(t, key)
	return key, k, err
}

// placeOf checks a key, and returns its place in the table.
func placeOf(t *table.Table, key item.Item) (table.Key, error) {
	if err := checkWhole(t, key); err != nil {
		return nil, err
	}
	return t.KeyOf(key)
}

// errReturnValues is the answer to ReturnValues that only an update can have.
func errReturnValues() error { return invalid("ReturnValues can only be ALL_OLD or NONE") }

// checkWhole checks a key that has no more attributes than it should.
func checkWhole(t *table.Table, key item.Item) error {
	if len(key) != len(t.Schema.Attributes()) {
		return errSchema()
	}
	return checkKey(t, key)
}

// checkKey checks that key has the attributes of the table's key, with values that can be one.
func checkKey(t *table.Table, key item.Item) error {
	for i, a := range t.Schema.Attributes() {
		v, has := key[a.Name]
		if !has || v.Kind != a.Kind {
			return errSchema()
		}
		if err := checkKeyValue(a.Name, v, i == 0); err != nil {
			return err
		}
	}
	return nil
}

func checkKeyValue(name string, v item.Value, hash bool) error {
	if isEmpty(v) {
		return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s",
			emptyKind(v), name)
	}
	return checkKeySize(v, hash)
}

func emptyKind(v item.Value) string {
	if v.Kind == item.B {
		return "binary"
	}
	return "string"
}

// checkKeySize has AWS's words, with the space that they lack.
func checkKeySize(v item.Value, hash bool) error {
	switch {
	case v.Kind == item.N:
		return nil
	case hash && len(v.Text) > maxHashKey:
		return wrong("Size of hashkey has exceeded the maximum size limit of2048 bytes")
	case !hash && len(v.Text) > maxRangeKey:
		return wrong("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

// checkItem checks an item that is to be put: that it has the table's key, that what it has of the keys of
// indexes can be one, and its size.
func checkItem(t *table.Table, it item.Item) error {
	for i, a := range t.Schema.Attributes() {
		v, has := it[a.Name]
		if !has {
			return wrong("Missing the key %s in the item", a.Name)
		}
		if v.Kind != a.Kind {
			return wrong("Type mismatch for key %s expected: %s actual: %s", a.Name, a.Kind, v.Kind)
		}
		if err := checkKeyValue(a.Name, v, i == 0); err != nil {
			return err
		}
	}
	if err := checkIndexKeys(t, it); err != nil {
		return err
	}
	return checkSize(it)
}

// checkSize checks the size of an item that is to be put.
func checkSize(it item.Item) error {
	if it.Size() > maxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// checkIndexKeys checks the values that an item has of the keys of indexes.
func checkIndexKeys(t *table.Table, it item.Item) error {
	for _, x := range t.ByName {
		for i, a := range x.Schema.Attributes() {
			v, has := it[a.Name]
			if !has {
				continue
			}
			if v.Kind != a.Kind {
				return errIndexKind(x, a, v)
			}
			if isEmpty(v) {
				return invalid("One or more parameter values are not valid. A value specified for a secondary index key is not supported. "+
					"The AttributeValue for a key attribute cannot contain an empty %s value. IndexName: %s, IndexKey: %s", emptyKind(v), x.Name, a.Name)
			}
			if err := checkKeySize(v, i == 0); err != nil {
				return err
			}
		}
	}
	return nil
}

func isEmpty(v item.Value) bool { return v.Kind != item.N && v.Text == "" }

func errIndexKind(x *table.Index, a table.Attribute, v item.Value) error {
	return wrong("Type mismatch for Index Key %s Expected: %s Actual: %s IndexName: %s", a.Name, a.Kind, v.Kind, x.Name)
}

// checkNoneEmpty checks that what an item that is to be put, or a key, has of keys is not empty.
func checkNoneEmpty(t *table.Table, it item.Item) error {
	for i, a := range t.Schema.Attributes() {
		if v := it[a.Name]; v.Kind == a.Kind && isEmpty(v) {
			return checkKeyValue(a.Name, v, i == 0)
		}
	}
	for _, x := range t.ByName {
		for _, a := range x.Schema.Attributes() {
			if v := it[a.Name]; v.Kind == a.Kind && isEmpty(v) {
				return checkIndexKeys(t, it)
			}
		}
	}
	return nil
}

// checkAssigned checks the values that an update gives to keys of indexes: empty is of those that are empty, kind
// of those of another type.
func checkAssigned(t *table.Table, assigned item.Item) (empty, kind error) {
	for _, x := range t.ByName {
		for _, a := range x.Schema.Attributes() {
			v, has := assigned[a.Name]
			if has && v.Kind != a.Kind {
				return nil, errIndexKind(x, a, v)
			}
			if has && isEmpty(v) {
				return errEmptied(v), nil
			}
		}
	}
	return nil, nil
}

func errEmptied(v item.Value) error {
	return invalid("One or more parameter values are not valid. The update expression attempted to update a secondary index key "+
		"to a value that is not supported. The AttributeValue for a key attribute cannot contain an empty %s value.", emptyKind(v))
}

// checkUpdated checks what an update has made of an item, whose key it has not touched.
func checkUpdated(t *table.Table, it item.Item) error {
	for _, x := range t.ByName {
		for i, a := range x.Schema.Attributes() {
			v, has := it[a.Name]
			if !has {
				continue
			}
			if v.Kind != a.Kind {
				return invalid("The update expression attempted to update the secondary index key to unsupported type")
			}
			if isEmpty(v) {
				return errEmptied(v)
			}
			if err := checkKeySize(v, i == 0); err != nil {
				return err
			}
		}
	}
	if it.Size() > maxItem {
		return invalid("Item size to update has exceeded the maximum allowed size")
	}
	return nil
}
