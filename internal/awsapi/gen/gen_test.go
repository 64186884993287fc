package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"cirro/internal/awsapi/upstream"
)

// TestGeneratedFilesAreCurrent generates everything anew and compares it with what is committed.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	if _, err := upstream.Dir(upstream.Models); err != nil {
		t.Skipf("the modules with AWS's models cannot be fetched: %v", err)
	}
	for _, s := range services {
		if _, err := upstream.Dir(upstream.Newer[s.Name]); err != nil {
			t.Skipf("the modules with AWS's models cannot be fetched: %v", err)
		}
	}
	dir := t.TempDir()
	if err := generateAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		files, err := filepath.Glob(filepath.Join(dir, s.Package, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files: %v", s.Package, err)
		}
		for _, file := range files {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			committed := filepath.Join("..", s.Package, filepath.Base(file))
			if got, err := os.ReadFile(committed); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is not what go generate makes (%v)", committed, err)
			}
		}
	}
}

// TestMergeKeepsWhatThereWas merges a newer model and expects additions only.
func TestMergeKeepsWhatThereWas(t *testing.T) {
	old := &model{Operations: map[string]*operation{"Get": {Input: &reference{Shape: "GetRequest"}}}, Shapes: map[string]*shape{
		"GetRequest": {Type: "structure", Members: map[string]*reference{"Name": {Shape: "Name"}, "Color": {Shape: "Color"}},
			MemberOrder: []string{"Name", "Color"}, Required: []string{"Name", "Color"}},
		"Name":  {Type: "string", Pattern: "[a-z]+"},
		"Color": {Type: "string", Enum: []string{"red"}},
	}}
	newer := &model{namesShapes: true, Operations: map[string]*operation{"Get": {Input: &reference{Shape: "GetRequest"}}, "Put": {Name: "Put"}}, Shapes: map[string]*shape{
		"GetRequest": {Type: "structure", Members: map[string]*reference{"Name": {Shape: "WiderName"}, "Color": {Shape: "Color"}, "Size": {Shape: "Size"}},
			MemberOrder: []string{"Size", "Name", "Color"}, Required: []string{"Name", "Size"}},
		"WiderName": {Type: "string"},
		"Color":     {Type: "string", Enum: []string{"blue", "red"}},
		"Size":      {Type: "integer"},
	}}
	if err := old.merge(newer); err != nil {
		t.Fatal(err)
	}
	in := old.Shapes["GetRequest"]
	for name, ok := range map[string]bool{
		"members keep their order":                  len(in.MemberOrder) == 3 && in.MemberOrder[0] == "Name" && in.MemberOrder[2] == "Size",
		"a constraint that no longer holds is gone": in.Members["Name"].Shape == "WiderName",
		"what is no longer required is optional":    in.required("Name") && !in.required("Color") && in.required("Size"),
		"values are added behind the old ones":      len(old.Shapes["Color"].Enum) == 2 && old.Shapes["Color"].Enum[0] == "red",
		"operations are added":                      old.Operations["Put"] != nil,
	} {
		if !ok {
			t.Error(name)
		}
	}
}
