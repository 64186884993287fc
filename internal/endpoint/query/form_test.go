package query

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"cirro/internal/endpoint/wire"
)

func TestPlant(t *testing.T) {
	form, err := ParseForm("A=1&L.member.2=b&L.member.10=c&L.member.1=a&A=2&&E&M.entry.1.key=k+%2B&x%2Ey=z")
	if err != nil {
		t.Fatal(err)
	}
	root, err := plant(form)
	if err != nil {
		t.Fatal(err)
	}
	var items []string
	for _, c := range root.child("L").child("member").numbered() {
		items = append(items, c.value)
	}
	for name, ok := range map[string]bool{
		"the last value counts":    root.child("A").value == "2",
		"numbers order a list":     strings.Join(items, "") == "abc",
		"a name without value":     root.child("E").set && root.child("E").value == "",
		"escapes are undone":       root.child("M").child("entry").child("1").child("key").value == "k +",
		"an escaped dot is a dot":  root.child("x").child("y").value == "z",
		"nobody is where none was": root.child("B") == nil,
	} {
		if !ok {
			t.Error(name)
		}
	}
}

func TestPlantMany(t *testing.T) {
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "L.member.%d=%d&", i+1, i)
	}
	form, _ := ParseForm(b.String())
	root, err := plant(form)
	if err != nil || len(root.child("L").child("member").numbered()) != 100 {
		t.Error(err)
	}
	for body, want := range map[string]error{
		strings.Repeat("a.", maxDepth) + "=1": wire.ErrTooDeep,
		strings.Repeat("x", 1):                nil,
	} {
		form, _ := ParseForm(body)
		if _, err := plant(form); !errors.Is(err, want) {
			t.Errorf("%.40s: %v", body, err)
		}
	}
	b.Reset()
	for i := range maxParts + 1 {
		fmt.Fprintf(&b, "%d&", i)
	}
	form, _ = ParseForm(b.String())
	if _, err := plant(form); !errors.Is(err, errTooManyParts) {
		t.Error(err)
	}
}
