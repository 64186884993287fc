package expression

import "slices"

// CheckKeyPaths refuses paths that lead into key attributes, which are scalars.
func CheckKeyPaths(paths []Path, keys ...string) error {
	for _, path := range paths {
		if path.Nested() && slices.Contains(keys, path.Attribute()) {
			return nestedKey(path)
		}
	}
	return nil
}

// CheckFilter refuses a query's filter that looks at key attributes; a nil one is none. The filter is called
// "QueryFilter" or "Filter Expression".
func (c *Condition) CheckFilter(called string, keys ...string) error {
	if c == nil {
		return nil
	}
	paths := c.Paths()
	if err := CheckKeyPaths(paths, keys...); err != nil {
		return err
	}
	for _, key := range keys {
		if slices.ContainsFunc(paths, func(p Path) bool { return p.Attribute() == key }) {
			return invalid("%s can only contain non-primary key attributes: Primary key attribute: %s", called, key)
		}
	}
	return nil
}

// CheckUpdate refuses an update of key attributes.
func (u *Update) CheckUpdate(keys ...string) error {
	for _, path := range u.touched.paths {
		if slices.Contains(keys, path.Attribute()) {
			return refused("Cannot update attribute %s. This attribute is part of the key", path.Attribute())
		}
	}
	return nil
}

func nestedKey(path Path) error {
	return invalid("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: %s", path.Attribute())
}
