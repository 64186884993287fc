package eventbridge

import (
	"errors"
	"sync"

	"cirro/internal/eventpattern"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// book is what a bus's events are matched against, compiled.
type book struct {
	version  string
	set      *eventpattern.Set
	rules    map[string]*rule // by name; those that are disabled too
	matched  []string         // names of the rules in the set, by their place in it
	archives []*archive       // those in the set come behind the rules
	always   []*archive       // those that take all events
	policy   *policy          // who else may put events
}

// bookshelf keeps the books of buses while they stay as they are.
type bookshelf struct {
	mu    sync.Mutex
	books map[busRef]*book
}

// touch says in a transaction that a bus's rules, archives or policy change.
func touch(tx store.Tx, ref busRef) error {
	return tx.Set(ref.place.key("version", ref.Name), []byte(uuid.NewString()))
}

// book is the book of a bus as r shows it.
func (s *Service) book(r store.Reader, ref busRef) (*book, error) {
	version, err := r.Get(ref.place.key("version", ref.Name))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	s.books.mu.Lock()
	b := s.books.books[ref]
	s.books.mu.Unlock()
	if b != nil && b.version == string(version) {
		return b, nil
	}
	if b, err = s.write(r, ref, string(version)); err != nil {
		return nil, err
	}
	s.books.mu.Lock()
	defer s.books.mu.Unlock()
	if s.books.books == nil {
		s.books.books = map[busRef]*book{}
	}
	s.books.books[ref] = b
	return b, nil
}

// write compiles the book of a bus. Of a bus that is not there it is empty.
func (s *Service) write(r store.Reader, ref busRef, version string) (*book, error) {
	b := &book{version: version, rules: map[string]*rule{}}
	record, _, err := store.GetRecord[bus](r, ref.key())
	if err != nil {
		return nil, err
	}
	b.policy = record.Policy
	var patterns []*eventpattern.Pattern
	for u, err := range store.Records[rule](r, ref.rules()) {
		if err != nil {
			return nil, err
		}
		b.rules[u.Name] = &u
		if !u.enabled() || u.Pattern == nil || len(u.Targets) == 0 {
			continue // nobody wants its events
		}
		p, err := compile(*u.Pattern)
		if err != nil {
			return nil, err
		}
		patterns, b.matched = append(patterns, p), append(b.matched, u.Name)
	}
	for a, err := range store.Records[archive](r, ref.place.all("archive")) {
		if err != nil {
			return nil, err
		}
		if a.Bus != ref.Name {
			continue
		}
		if a.Pattern == nil {
			b.always = append(b.always, &a)
			continue
		}
		p, err := compile(*a.Pattern)
		if err != nil {
			return nil, err
		}
		patterns, b.archives = append(patterns, p), append(b.archives, &a)
	}
	b.set = eventpattern.NewSet(patterns)
	return b, nil
}

// match finds the rules that an event matches, and the archives that keep it.
func (b *book) match(event []byte) (rules []string, archives []*archive) {
	archives = append(archives, b.always...)
	for _, i := range b.set.Match(event) {
		if i < len(b.matched) {
			rules = append(rules, b.matched[i])
		} else {
			archives = append(archives, b.archives[i-len(b.matched)])
		}
	}
	return rules, archives
}
