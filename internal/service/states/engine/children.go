package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"
)

// inlineAtOnce is how many iterations of an inline Map run at once at most.
// https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
const inlineAtOnce = 40

// fork begins the branches of a Parallel state.
func (s *step) fork(f *frame, state *asl.State, sc *asl.Scope) error {
	effective, failure := state.Begin(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	input := string(document.Encode(effective))
	s.record(f, Event{Type: "ParallelStateStarted"})
	s.gather(f, len(state.Branches), len(state.Branches))
	for i, b := range state.Branches {
		s.spawn(f, i, b, hop{state.Name, i}, f.Previous, input)
	}
	return nil
}

// gather has a frame wait for children.
func (s *step) gather(f *frame, children, atOnce int) {
	f.Phase, f.Turn = joining, f.Turn+1
	f.Children, f.AtOnce, f.Next, f.Done, f.Kids = children, atOnce, 0, 0, nil
}

// spawn begins a child of a frame.
func (s *step) spawn(f *frame, place int, m *asl.Machine, at hop, previous int64, input string) *frame {
	s.run.LastFrame++
	kid := &frame{ID: s.run.LastFrame, Parent: f.ID, Place: place, Path: append(slices.Clone(f.Path), at), State: m.StartAt,
		Input: input, Outer: f.Outer || len(f.Variables) > 0, Previous: previous, Item: f.Item}
	f.Kids = append(f.Kids, kid.ID)
	f.Next = place + 1
	s.frames[kid.ID] = kid
	s.ready = append(s.ready, kid)
	return kid
}

// iterate begins the items of a Map state.
func (s *step) iterate(f *frame, state *asl.State, sc *asl.Scope) error {
	if state.Distributed {
		return s.distribute(f, state, sc)
	}
	effective, failure := state.Begin(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	items, failure := state.Items(sc, effective)
	if failure != nil {
		return s.failed(f, failure)
	}
	atOnce, failure := state.MaxConcurrency(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	if atOnce == 0 || atOnce > inlineAtOnce {
		atOnce = inlineAtOnce
	}
	f.Forked = s.record(f, Event{Type: "MapStateStarted", Length: int64(len(items))})
	if len(items) == 0 {
		return s.joined(f, state, []any{})
	}
	s.gather(f, len(items), int(atOnce))
	f.Effective = ""
	if state.SelectsItems() {
		f.Effective = string(document.Encode(effective))
	}
	if err := s.tx.Set(itemsKey(s.run.ID, f.ID), document.Encode(items)); err != nil {
		return err
	}
	return s.fill(f, state, sc, items)
}

// fill begins items while there is room for them.
func (s *step) fill(f *frame, state *asl.State, sc *asl.Scope, items []any) error {
	for len(f.Kids) < f.AtOnce && f.Next < f.Children {
		i := f.Next
		item := document.NewObject("Index", int64(i), "Value", items[i])
		input, failure := s.itemInput(f, state, sc, item, items[i])
		if failure != nil {
			f.Previous = f.Forked
			if err := s.scatter(f); err != nil {
				return err
			}
			s.record(f, Event{Type: "MapStateFailed"})
			return s.failed(f, failure)
		}
		started := s.note(f.Forked, Event{Type: "MapIterationStarted", Name: state.Name, Index: int64(i)})
		kid := s.spawn(f, i, state.Processor, hop{State: state.Name}, started, input)
		kid.Item, kid.IsItem = string(document.Encode(item)), true
	}
	return nil
}

// itemInput is the input of an item's machine.
func (s *step) itemInput(f *frame, state *asl.State, sc *asl.Scope, item *document.Object, value any) (string, *asl.Failure) {
	if !state.SelectsItems() {
		return string(document.Encode(value)), nil
	}
	effective, err := document.Decode([]byte(f.Effective))
	if err != nil {
		return "", &asl.Failure{Error: asl.Runtime, Cause: err.Error()}
	}
	inner := *sc
	inner.Context = func() any {
		context := s.context(f)
		context.Set("Map", document.NewObject("Item", item))
		return context
	}
	input, failure := state.Item(&inner, effective, value)
	if failure != nil {
		return "", failure
	}
	return string(document.Encode(input)), nil
}

// join takes the output of a child that has ended.
func (s *step) join(kid *frame, output string) error {
	f, err := s.load(kid.Parent)
	if err != nil {
		return err
	}
	state := s.state(f)
	if kid.IsItem {
		f.Forked = kid.Previous // the next item follows the last event of this one
		s.record(kid, Event{Type: "MapIterationSucceeded", Name: state.Name, Index: int64(kid.Place)})
	}
	if err := s.tx.Set(resultKey(s.run.ID, f.ID, kid.Place), []byte(output)); err != nil {
		return err
	}
	f.Kids = slices.DeleteFunc(f.Kids, func(id int64) bool { return id == kid.ID })
	f.Done++
	if err := s.drop(kid); err != nil {
		return err
	}
	if f.Done == f.Children {
		f.Previous = kid.Previous
		results, err := s.results(f)
		if err != nil {
			return err
		}
		return s.joined(f, state, results)
	}
	if state.Type == asl.Parallel || f.Next == f.Children {
		return nil
	}
	return s.refill(f, state)
}

// refill begins the next items of a Map.
func (s *step) refill(f *frame, state *asl.State) error {
	items, err := s.items(f)
	if err != nil {
		return err
	}
	sc, err := s.scope(f)
	if err != nil {
		return err
	}
	return s.fill(f, state, sc, items)
}

// items are those of a Map that runs.
func (s *step) items(f *frame) ([]any, error) {
	b, err := s.tx.Get(itemsKey(s.run.ID, f.ID))
	if err != nil {
		return nil, err
	}
	v, err := document.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("states: a Map's items are damaged: %w", err)
	}
	return v.([]any), nil
}

// results are what all children gave.
func (s *step) results(f *frame) ([]any, error) {
	results := make([]any, f.Children)
	for i := range results {
		b, err := s.tx.Get(resultKey(s.run.ID, f.ID, i))
		if errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("states: the result of child %d is missing", i)
		}
		if err != nil {
			return nil, err
		}
		results[i] = json.RawMessage(b)
	}
	return results, nil
}

// joined ends a Parallel or Map state whose children have ended well.
func (s *step) joined(f *frame, state *asl.State, results []any) error {
	if err := s.dropResults(f); err != nil {
		return err
	}
	text := document.Encode(results)
	if len(text) > document.MaxSize {
		failure := asl.TooLarge(state.Name)
		s.record(f, Event{Type: state.Type + "StateFailed"})
		return s.failed(f, failure)
	}
	s.note(f.Previous, Event{Type: state.Type + "StateSucceeded"})
	return s.done(f, state, text)
}

// done ends a state whose work gave a result.
func (s *step) done(f *frame, state *asl.State, result []byte) error {
	sc, err := s.scope(f)
	if err != nil {
		return err
	}
	if sc.Result, err = document.Decode(result); err != nil {
		return fmt.Errorf("states: a result is no JSON: %w", err)
	}
	f.Phase = going
	out, failure := state.Finish(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	if err := s.exit(f, sc, out); err != nil {
		return err
	}
	if s.frames[f.ID] == f && f.Phase == going {
		s.ready = append(s.ready, f)
	}
	return nil
}
