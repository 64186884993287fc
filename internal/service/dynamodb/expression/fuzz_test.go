package expression

import (
	"strings"
	"testing"

	"cirro/internal/service/dynamodb/item"
)

// printed is the expression that a node was read from, with parentheses wherever they may be.
func (n *node) printed(top bool) string {
	args := make([]string, len(n.args))
	for i, arg := range n.args {
		args[i] = arg.printed(false)
	}
	text := ""
	switch {
	case n.op == opPath:
		return printedPath(n.steps)
	case n.op == opValue:
		return n.name
	case n.op == opNot:
		text = "NOT " + args[0]
	case n.op == opBetween:
		text = args[0] + " BETWEEN " + args[1] + " AND " + args[2]
	case n.op == opIn:
		text = args[0] + " IN (" + strings.Join(args[1:], ", ") + ")"
	case n.op.isFunction():
		return n.name + "(" + strings.Join(args, ", ") + ")"
	default:
		text = args[0] + " " + n.op.String() + " " + args[1]
	}
	if top {
		return text
	}
	return "(" + text + ")"
}

func printedPath(steps []writtenStep) string {
	text := ""
	for i, step := range steps {
		switch {
		case step.kind == tokenIndex:
			text += "[" + step.text + "]"
		case i > 0:
			text += "." + step.text
		default:
			text += step.text
		}
	}
	return text
}

// fuzzPlaceholders are the sample's values, and whatever names a text has.
func fuzzPlaceholders(t testing.TB, text string) *Placeholders {
	names := sampleNames()
	for _, token := range tokens(text) {
		if token.kind == tokenNamePlaceholder {
			names[token.text] = token.text[1:]
		}
	}
	p, err := NewPlaceholders(names, sampleValues(), item.Older)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func FuzzCondition(f *testing.F) {
	for _, text := range []string{"a = :n", "NOT (a.b[0] = :n OR size(#c) BETWEEN :n AND :m) AND d IN (:s, e)",
		"((a)) <> :n", "begins_with(a, :s) and not contains(b, :n)", "(size(s)) > :n", "a = :n )", "#", "é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition("ConditionExpression", text, fuzzPlaceholders(t, text))
		if err != nil {
			return
		}
		holds := c.Holds(sample())
		text2 := c.root.printed(true)
		if len(text2) > maxSize {
			return
		}
		again, err := ParseCondition("ConditionExpression", text2, fuzzPlaceholders(t, text2))
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", text, text2, err)
		}
		if text3 := again.root.printed(true); text3 != text2 {
			t.Fatalf("%q was printed as %q, then %q", text, text2, text3)
		}
		if again.Holds(sample()) != holds {
			t.Fatalf("%q is %v, and %q is not", text, holds, text2)
		}
	})
}

func (u *Update) printed() string {
	sections := map[verb][]string{}
	var order []verb
	for _, a := range u.actions {
		if sections[a.verb] == nil {
			order = append(order, a.verb)
		}
		text := printedPath(a.target.steps)
		switch a.verb {
		case verbSet:
			text += " = " + a.value.printed(true)
		case verbAdd, verbDelete:
			text += " " + a.value.name
		}
		sections[a.verb] = append(sections[a.verb], text)
	}
	var all []string
	for _, v := range order {
		all = append(all, string(v)+" "+strings.Join(sections[v], ", "))
	}
	return strings.Join(all, " ")
}

func FuzzUpdate(f *testing.F) {
	for _, text := range []string{"SET a = :n, b[0].c = if_not_exists(d, :n) + :m REMOVE #e, f[1] ADD g :n DELETE h :ss",
		"set l = list_append(l, :l)", "SET a = (n + :n)", "SET a = ((n))", "REMOVE l[0], l[1]", "SET a"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUpdate(text, fuzzPlaceholders(t, text))
		if err != nil {
			return
		}
		before := sample()
		after, applyErr := u.Apply(before)
		if !before.Equal(sample()) {
			t.Fatalf("%q changed the item before", text)
		}
		text2 := u.printed()
		if len(text2) > maxSize {
			return
		}
		again, err := ParseUpdate(text2, fuzzPlaceholders(t, text2))
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", text, text2, err)
		}
		after2, applyErr2 := again.Apply(before)
		if (applyErr == nil) != (applyErr2 == nil) || !after.Equal(after2) {
			t.Fatalf("%q gives %v, %v, and %q gives %v, %v", text, after, applyErr, text2, after2, applyErr2)
		}
	})
}

func FuzzProjection(f *testing.F) {
	for _, text := range []string{"a, b.c[0], #d", "l[1], l[0].a", "a,", "a b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseProjection(text, fuzzPlaceholders(t, text))
		if err != nil {
			return
		}
		for name := range p.Of(sample()) {
			if _, ok := sample()[name]; !ok {
				t.Fatalf("%q gave %s, which is not there", text, name)
			}
		}
	})
}

func FuzzKeyCondition(f *testing.F) {
	for _, text := range []string{"p = :s and r BETWEEN :n AND :m", ":n < r and p = :s", "begins_with(r, :s) AND p = :s", "p = :s OR r = :n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeyCondition(text, fuzzPlaceholders(t, text))
		if err != nil {
			return
		}
		c, err := ParseCondition("FilterExpression", text, fuzzPlaceholders(t, text))
		if err != nil {
			t.Fatalf("%q is a key condition and no condition: %v", text, err)
		}
		it := sample()
		r, err := k.Match(Key{"s", it["s"].Kind}, Key{"n", it["n"].Kind})
		if err != nil {
			return
		}
		if got, want := r.Hash.Equal(it["s"]) && r.Holds(it["n"]), c.Holds(it); got != want {
			t.Fatalf("%q selects the item: %v, as a condition %v", text, got, want)
		}
	})
}
