package asl

import (
	"cirro/internal/asl/document"
)

// Items are the items of a Map state, effective being what its input was filtered to: a list, or, of a
// distributed Map, an object whose members are its items.
func (s *State) Items(sc *Scope, effective any) ([]any, *Failure) {
	v := s.view(sc, effective)
	value, field := effective, "ItemsPath"
	var failure *Failure
	switch {
	case s.items != nil:
		field = "Items"
		value, failure = s.items.eval(v, field)
	case s.itemsPath != nil:
		value, failure = s.itemsPath.filtered(v)
	}
	if failure != nil {
		return nil, failure
	}
	switch value := value.(type) {
	case []any:
		return value, nil
	case *document.Object:
		if s.Distributed {
			items := make([]any, 0, value.Len())
			for name, v := range value.All() {
				items = append(items, document.NewObject("Key", name, "Value", v))
			}
			return items, nil
		}
	}
	if s.Language == JSONata {
		return nil, v.mistyped(s.items, field, "array", value)
	}
	return nil, v.runtime("Reference path \"%s\" must point to array.", s.itemsPath.text())
}

func (f *filter) text() string {
	if f == nil || f.Path == nil {
		return "$"
	}
	return f.Text
}

// Item is the input of an iteration. sc.Context has the item under Map.Item.
func (s *State) Item(sc *Scope, effective, item any) (any, *Failure) {
	if s.itemSelector == nil {
		return item, nil
	}
	return s.itemSelector.eval(s.view(sc, effective), "ItemSelector")
}

// SelectsItems reports whether the input of an iteration is made from more than the item.
func (s *State) SelectsItems() bool { return s.itemSelector != nil }

// MaxConcurrency is how many iterations may run at once; 0 for no bound.
func (s *State) MaxConcurrency(sc *Scope) (int64, *Failure) {
	if s.maxConcurrency == nil {
		return 0, nil
	}
	return s.whole(sc, s.maxConcurrency, "MaxConcurrency", 0, 1<<31-1)
}

// Tolerated are how many items of a distributed Map may fail, as a number and in percent.
func (s *State) Tolerated(sc *Scope) (count int64, percent float64, failure *Failure) {
	if s.toleratedCount != nil {
		if count, failure = s.whole(sc, s.toleratedCount, "ToleratedFailureCount", 0, 1<<31-1); failure != nil {
			return 0, 0, failure
		}
	}
	if s.toleratedPercent == nil {
		return count, 0, nil
	}
	v := s.view(sc, sc.Input)
	value, failure := s.toleratedPercent.eval(v, named(s.toleratedPercent, "ToleratedFailurePercentage"))
	if failure != nil {
		return 0, 0, failure
	}
	percent, ok := document.Float(value)
	switch {
	case !ok:
		return 0, 0, v.unfit(s.toleratedPercent, "ToleratedFailurePercentage", "float", value)
	case percent < 0 || percent > 100:
		return 0, 0, v.misused("ToleratedFailurePercentage", "ToleratedFailurePercentage must be between 0 and 100.")
	}
	return count, percent, nil
}

// Tolerates reports whether a Map says anything about failures.
func (s *State) Tolerates() bool { return s.toleratedCount != nil || s.toleratedPercent != nil }

// Parameters are those of a reader.
func (r *ItemReader) Parameters(s *State, sc *Scope) (any, *Failure) {
	return given(s, sc, r.parameters, "ItemReader/"+s.argumentsField())
}

// MaxItems is how many items are read at most; 0 for all, and less for what the reader fails of.
func (r *ItemReader) MaxItems(s *State, sc *Scope) (int64, *Failure) {
	if r.Config.maxItems == nil {
		return 0, nil
	}
	return s.whole(sc, r.Config.maxItems, "MaxItems", -1<<31, 1<<31-1)
}

// Parameters are those of a writer.
func (w *ResultWriter) Parameters(s *State, sc *Scope) (any, *Failure) {
	return given(s, sc, w.parameters, "ResultWriter/"+s.argumentsField())
}

func (s *State) argumentsField() string {
	if s.Language == JSONata {
		return "Arguments"
	}
	return "Parameters"
}

func given(s *State, sc *Scope, e expression, field string) (any, *Failure) {
	if e == nil {
		return document.NewObject(), nil
	}
	return e.eval(s.view(sc, sc.Input), field)
}

// Limits are how many items, and how many bytes of input, a batch has at most; 0 for no bound.
func (b *ItemBatcher) Limits(s *State, sc *Scope) (items, bytes int64, failure *Failure) {
	if b.maxItems != nil {
		if items, failure = s.whole(sc, b.maxItems, "MaxItemsPerBatch", 1, 1<<31-1); failure != nil {
			return 0, 0, failure
		}
	}
	if b.maxBytes != nil {
		bytes, failure = s.whole(sc, b.maxBytes, "MaxInputBytesPerBatch", 1, document.MaxSize)
	}
	return items, bytes, failure
}

// Input is what each batch has beside its items, or nil.
func (b *ItemBatcher) Input(s *State, sc *Scope) (any, *Failure) {
	if b.input == nil {
		return nil, nil
	}
	return b.input.eval(s.view(sc, sc.Input), "BatchInput")
}
