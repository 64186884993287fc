package route

import (
	"maps"
	"strings"
	"testing"
)

func tree(paths ...string) *Tree[string] {
	var t Tree[string]
	for _, p := range paths {
		t.Add(p, p)
	}
	return &t
}

func TestFind(t *testing.T) {
	api := tree("/", "/users", "/users/{id}", "/users/me", "/users/{id}/posts", "/users/me/likes/{n}",
		"/files/{proxy+}", "/a/{x}/c", "/a/b/d", "/p-{x}", "/p.q")
	for _, c := range []struct{ path, want, variables string }{
		{"", "/", ""},
		{"/", "/", ""},
		{"/users", "/users", ""},
		{"/users/", "/users", ""},
		{"/users//", "/users", ""},
		{"/users/42", "/users/{id}", "id=42"},
		{"/users/me", "/users/me", ""},
		{"/users/m%65", "/users/me", ""},
		{"/users/a%2Fb", "/users/{id}", "id=a%2Fb"},
		{"/users/a+b%20c", "/users/{id}", "id=a+b%20c"},
		{"/users/%zz", "/users/{id}", "id=%zz"},
		{"/users/me/posts", "/users/{id}/posts", "id=me"}, // back from the static part
		{"/users/me/likes/1", "/users/me/likes/{n}", "n=1"},
		{"/a/b/c", "/a/{x}/c", "x=b"},
		{"/a/b/d", "/a/b/d", ""},
		{"/files/x", "/files/{proxy+}", "proxy=x"},
		{"/files/x/y//z/", "/files/{proxy+}", "proxy=x/y//z"},
		{"/files", "", ""},
		{"/files/", "", ""},
		{"/users//posts", "", ""}, // a variable stands for something
		{"/nope", "", ""},
		{"/p-{x}", "/p-{x}", ""}, // braces within a part are no variable
		{"/p%2Eq", "/p.q", ""},
	} {
		got, variables, ok := api.Find(c.path)
		if got != c.want || ok != (c.want != "") || format(variables) != c.variables {
			t.Errorf("%q: got %q %v %v, want %q %s", c.path, got, variables, ok, c.want, c.variables)
		}
	}
}

func TestPriority(t *testing.T) {
	api := tree("/{proxy+}", "/x/{proxy+}", "/x/{id}/y")
	for path, want := range map[string]string{
		"/x": "/{proxy+}", "/x/1": "/x/{proxy+}", "/x/1/y": "/x/{id}/y", "/x/1/z": "/x/{proxy+}", "/y/x": "/{proxy+}",
	} {
		if got, _, _ := api.Find(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func format(variables map[string]string) string {
	var parts []string
	for k, v := range variables {
		parts = append(parts, k+"="+v)
	}
	return strings.Join(parts, ",")
}

func TestVariable(t *testing.T) {
	for part, want := range map[string]struct {
		name string
		kind Kind
	}{"x": {"", Static}, "{x}": {"x", Param}, "{x+}": {"x", Greedy}, "{}": {"", Static}, "{x": {"", Static}, "": {"", Static}} {
		if name, kind := Variable(part); name != want.name || kind != want.kind {
			t.Errorf("%q: got %q %d", part, name, kind)
		}
	}
}

// A path that matches gives back the resource's path when its variables are put in.
func FuzzFind(f *testing.F) {
	api := tree("/", "/users/{id}", "/users/{id}/posts/{n}", "/static/x", "/files/{proxy+}")
	for _, p := range []string{"/", "/users/1", "/users/%2F/posts/..", "/files//a/../b", "//", "/static/%78", "/users/%", "x"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		found, variables, ok := api.Find(path)
		if !ok {
			return
		}
		back := found
		for name, value := range maps.All(variables) {
			if value == "" {
				t.Fatalf("%q: %s is empty", path, name)
			}
			back = strings.NewReplacer("{"+name+"}", value, "{"+name+"+}", value).Replace(back)
		}
		if strings.Contains(found, "{") && strings.Trim(back, "/") != strings.Trim(path, "/") && !strings.Contains(path, "%") {
			t.Errorf("%q matched %s with %v", path, found, variables)
		}
	})
}
