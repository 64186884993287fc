package document

// Fits takes a value's size from what is left, about as it is in JSON, and reports whether there was enough. What a
// value has more than once counts each time. It takes no longer than what was left asks for.
func Fits(v any, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	switch v := v.(type) {
	case string:
		*left -= len(v)
	case []any:
		for _, e := range v {
			if !Fits(e, left) {
				return false
			}
		}
	case *Object:
		for i, name := range v.names {
			if *left -= len(name); !Fits(v.values[i], left) {
				return false
			}
		}
	}
	return *left >= 0
}
