package apigateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"

	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/route"
	"cirro/internal/store"
)

// live is a stage that is ready to answer: its record, and its deployment's API compiled. It is never
// changed.
type live struct {
	home     home
	raw      []byte // the stage's record as it was read
	stage    api.Stage
	api      *restAPI
	compiled *route.Tree[api.Resource]
}

// stageCache keeps stages ready. What tells whether one still is as it was is its record: the one read
// that each request costs. So a change is seen by the next request, on every node of a shared store.
type stageCache struct{ byName sync.Map } // of stageName to *live

type stageID struct{ apiID, name string }

var errNotServed = errors.New("apigateway: no such API or stage")

// liveStage returns a stage ready to answer, or errNotServed.
func (s *Service) liveStage(ctx context.Context, apiID, name string) (*live, error) {
	id := stageID{apiID, name}
	var cached *live
	if c, ok := s.stages.byName.Load(id); ok {
		cached = c.(*live)
	}
	var found *live
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		found, err = readLive(r, id, cached)
		return err
	})
	switch {
	case errors.Is(err, errNotServed):
		s.stages.byName.Delete(id)
	case err == nil && found != cached:
		s.stages.byName.Store(id, found)
	}
	return found, err
}

// readLive reads a stage; cached is returned where it is still as it was.
func readLive(r store.Reader, id stageID, cached *live) (*live, error) {
	h, err := homeOf(r, id.apiID, cached)
	if err != nil {
		return nil, err
	}
	raw, err := r.Get(store.Key("apigateway", "stage", h.Account, h.Region, id.apiID, id.name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNotServed
	}
	if err != nil || cached != nil && bytes.Equal(raw, cached.raw) {
		return cached, err
	}
	l := &live{home: h, raw: raw}
	if err := json.Unmarshal(raw, &l.stage); err != nil {
		return nil, err
	}
	if cached != nil && *cached.stage.DeploymentId == *l.stage.DeploymentId {
		l.api, l.compiled = cached.api, cached.compiled
		return l, nil
	}
	d, found, err := store.GetRecord[deployment](r,
		store.Key("apigateway", "deployment", h.Account, h.Region, id.apiID, *l.stage.DeploymentId))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNotServed
	}
	l.api, l.compiled = &d.Snapshot, compile(&d.Snapshot)
	return l, nil
}

func homeOf(r store.Reader, apiID string, cached *live) (home, error) {
	if cached != nil {
		return cached.home, nil
	}
	h, found, err := store.GetRecord[home](r, homeKey(apiID))
	if err == nil && !found {
		err = errNotServed
	}
	return h, err
}

// compile makes the tree of an API's resources. Those without methods are no targets.
func compile(a *restAPI) *route.Tree[api.Resource] {
	var t route.Tree[api.Resource]
	for _, r := range a.Resources {
		if len(r.ResourceMethods) > 0 {
			t.Add(*r.Path, r)
		}
	}
	return &t
}
