package rpcv2cbor

import (
	"encoding/hex"
	"reflect"
	"testing"
	"time"
)

func TestMilliseconds(t *testing.T) {
	c := Coder{Milliseconds: true}
	want := time.UnixMilli(1_422_172_800_500)
	for _, in := range []string{
		"a1645768656ec11b0000014b201ac5f4", // with the tag of times
		"a1645768656e1b0000014b201ac5f4",   // without
	} {
		b, err := hex.DecodeString(in)
		if err != nil {
			t.Fatal(err)
		}
		var v Everything
		if err := c.Decode(b, plan, reflect.ValueOf(&v).Elem()); err != nil || !v.When.Equal(want) {
			t.Errorf("%s is %v: %v", in, v.When, err)
		}
		if got := hex.EncodeToString(c.Append(nil, plan, reflect.ValueOf(&v).Elem())); got != "a1645768656ec11b0000014b201ac5f4" {
			t.Errorf("%v is written as %s", v.When, got)
		}
	}
}
