package sandbox

import (
	"context"
	"errors"
	"testing"
)

func TestAdmission(t *testing.T) {
	a := admission(make(chan struct{}, 1))
	leave, err := a.enter(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.enter(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("a second place was given: %v", err)
	}
	leave()
	leave()
	if _, err := a.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Who does not leave loses its place after a while.
	if _, err := a.enter(context.Background()); err != nil {
		t.Fatal(err)
	}
}
