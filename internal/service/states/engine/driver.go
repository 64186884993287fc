package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/google/uuid"
)

const mapQueue = "states/mapruns"

// How a map run is driven.
const (
	mapRunsAtOnce    = 100
	standardChildren = 10_000 // at once, where the state has no bound of its own
	expressChildren  = 1_000
	childrenAtATime  = 200 // begun, and taken when they have ended, in one transaction
	lookAgain        = 200 * time.Millisecond
	briefly          = 10 * time.Second // a lease for one transaction
)

// Item is one item of a map run.
type Item struct {
	Value  any
	Key    string // of a member of an object
	HasKey bool
	Source string // of the file that it is from
}

// Items are the items of a map run, in order. Next answers false after the last.
type Items interface {
	Next(ctx context.Context) (Item, bool, error)
	Close() error
}

// failedReading is an error of a reader that the map run fails with.
type failedReading struct{ *asl.Failure }

func (f failedReading) Error() string { return f.Failure.Error + ": " + f.Cause }

// ReaderFailed makes an error of Items that the map run fails with; any other is tried again.
func ReaderFailed(cause string, args ...any) error {
	return failedReading{&asl.Failure{Error: asl.ItemReaderFailed, Cause: fmt.Sprintf(cause, args...)}}
}

// IsReaderFailure reports whether a map run fails with an error.
func IsReaderFailure(err error) bool {
	_, ok := errors.AsType[failedReading](err)
	return ok
}

// driver drives one map run: one process does, under the lease of the map run's message.
type driver struct {
	*Engine
	run     *MapRun
	state   *asl.State
	items   Items
	held    *Item // read, but not begun with
	ended   chan *Child
	again   []*Child // of an express run that was broken off: children begun, and not ended
	failure *asl.Failure
	begun   int64 // children, as it was last written down
}

// drive drives a map run to its end.
func (e *Engine) drive(ctx context.Context, m store.Message) courier.Verdict {
	id := string(m.Body)
	d := &driver{Engine: e, ended: make(chan *Child, expressChildren)}
	h, err := d.drive(ctx, id)
	switch {
	case errors.Is(err, ErrNoMapRun) || errors.Is(err, ErrNoRun):
		return courier.Verdict{}
	case errors.Is(err, errDriven):
		return courier.Again(0) // of no effect where the other has the message
	case ctx.Err() != nil:
		return courier.Again(0)
	case err != nil:
		e.Log.Error("states: a map run is driven on later", "map run", id, "error", err)
		return courier.Again(time.Second)
	}
	unlock := e.lock(h.Run)
	return courier.Verdict{Finally: unlock, Then: func(tx store.Tx) error {
		if stopped, err := d.close(tx); stopped || err != nil {
			return err // who stopped it waits for nothing
		}
		return e.settled(e.step(tx, h.Run, h), h.Run)
	}}
}

// errDriven says that another has driven the map run on: this one's lease was lost, as where the clock was set.
var errDriven = errors.New("states: the map run is driven by another")

func (d *driver) drive(ctx context.Context, id string) (h Happening, err error) {
	if err := d.open(ctx, id); err != nil {
		return h, err
	}
	defer func() {
		if d.items != nil {
			err = errors.Join(err, d.items.Close())
		}
	}()
	for {
		more, err := d.round(ctx)
		if err != nil {
			return h, err
		}
		if !more {
			return d.conclude(ctx)
		}
	}
}

// open finds where the run stands.
func (d *driver) open(ctx context.Context, id string) error {
	err := d.Store.View(ctx, func(r store.Reader) error {
		var err error
		if d.run, err = FindMapRun(r, id); err != nil {
			return err
		}
		if d.again = nil; !d.run.Express {
			return nil
		}
		return Children(r, id, 0, func(c *Child) (bool, error) {
			if !c.Ended {
				d.again = append(d.again, c)
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	root, err := d.Machines(nowhere{}, &d.run.Run)
	if err != nil {
		return err
	}
	part := d.run.Run.Part
	d.state = within(root, part[:len(part)-1]).States[d.run.State]
	d.begun = d.run.Begun
	if d.look(); d.failure != nil || d.run.Status != Running {
		return nil
	}
	return d.resume(ctx)
}

// nowhere is a transaction that has nothing: whoever finds nothing there looks elsewhere.
type nowhere struct{ *memory }

func (nowhere) Get([]byte) ([]byte, error) { return nil, store.ErrNotFound }

// resume goes on with the items after those that were begun with, and runs anew what was broken off.
func (d *driver) resume(ctx context.Context) error {
	for _, c := range d.again {
		d.launch(ctx, c)
	}
	if d.run.Exhausted {
		return nil
	}
	if r := d.run.Reader; r != nil && r.MaxItems < 0 {
		return d.readingFailed(ReaderFailed("field MaxItems must be positive"))
	}
	var err error
	if d.items, err = d.OpenItems(ctx, d.run, d.state); err != nil {
		return d.readingFailed(err)
	}
	for range d.run.Read {
		_, ok, err := d.items.Next(ctx)
		if err == nil && !ok {
			err = ReaderFailed("The items are not what they were")
		}
		if err != nil {
			return d.readingFailed(err)
		}
	}
	return nil
}

// readingFailed keeps what the run fails with.
func (d *driver) readingFailed(err error) error {
	if f, ok := errors.AsType[failedReading](err); ok {
		d.failure = f.Failure
		return nil
	}
	return err
}

// bound is how many children may run at once.
func (d *driver) bound() int64 {
	most := int64(standardChildren)
	if d.run.Express {
		most = expressChildren
	}
	if d.run.MaxConcurrency > 0 {
		most = min(most, d.run.MaxConcurrency)
	}
	return most
}

// round takes children that have ended and begins others, in one transaction; it reports whether there is more
// to do.
func (d *driver) round(ctx context.Context) (more bool, err error) {
	var begin []*Child
	redrive, looked, err := d.toRedrive(ctx)
	if err != nil {
		return false, err
	}
	for !d.run.Redriving && d.items != nil && !d.run.Exhausted && d.failure == nil && d.run.Executed.Running+int64(len(begin)) < d.bound() && len(begin) < childrenAtATime {
		c, err := d.next(ctx)
		if err != nil {
			if err := d.readingFailed(err); err != nil {
				return false, err
			}
			break
		}
		if c == nil {
			d.run.Exhausted = true
			break
		}
		begin = append(begin, c)
	}
	wait := lookAgain
	if len(begin) > 0 || len(redrive) > 0 || d.run.Executed.Running == 0 {
		wait = 0
	}
	ended, leases, err := d.take(ctx, wait)
	if err != nil {
		return false, err
	}
	run, err := d.commit(ctx, begin, ended, leases, func(tx store.Tx, run *MapRun) error { return d.redriveChildren(tx, run, redrive, looked) })
	if errors.Is(err, errDriven) {
		err = errors.Join(err, d.putBack(ctx, leases))
	}
	if err != nil {
		return false, err
	}
	d.run = run
	if d.run.Status != Running {
		return false, nil
	}
	if d.run.Express {
		for _, c := range append(redrive, begin...) {
			d.launch(ctx, c)
		}
	}
	if d.look(); d.failure != nil {
		return false, nil
	}
	return d.run.Redriving || !d.run.Exhausted || d.run.Executed.Running > 0, nil
}

// look has the run fail where more items have failed than it tolerates.
func (d *driver) look() {
	if d.failure == nil && d.exceeded() {
		d.failure = &asl.Failure{Error: asl.ExceedToleratedFailureThreshold, Cause: "The specified tolerated failure threshold was exceeded"}
	}
}

// exceeded reports whether more items have failed than the run tolerates.
func (d *driver) exceeded() bool {
	bad := d.run.Items.Unwell()
	if bad == 0 || bad <= d.run.ToleratedCount {
		return false
	}
	if d.run.ToleratedPercent == 0 {
		return true
	}
	total := d.run.Read
	return d.run.Exhausted && float64(bad) > d.run.ToleratedPercent/100*float64(total)
}

// next makes the next child of the items; nil after the last.
func (d *driver) next(ctx context.Context) (*Child, error) {
	c, from := &Child{Index: d.run.Begun}, d.run.Read
	var inputs []any
	size := int64(len(d.run.BatchInput))
	for {
		item, ok, err := d.read(ctx)
		if err != nil {
			d.run.Read = from
			return nil, err
		}
		if !ok {
			break
		}
		input, failure := d.input(item)
		if failure != nil {
			d.run.Read = from
			return nil, failedReading{failure}
		}
		n := int64(len(document.Encode(input)))
		if d.run.BatchBytes > 0 && len(inputs) > 0 && size+n > d.run.BatchBytes {
			d.held = item
			break
		}
		size += n
		inputs = append(inputs, input)
		d.run.Read++
		if d.run.BatchItems == 0 && d.run.BatchBytes == 0 || d.run.BatchItems > 0 && int64(len(inputs)) == d.run.BatchItems {
			break
		}
	}
	if len(inputs) == 0 {
		return nil, nil
	}
	c.Items = int64(len(inputs))
	c.Input = d.together(inputs)
	if len(c.Input) > document.MaxSize {
		return nil, failedReading{asl.TooLarge(d.run.State)}
	}
	d.run.Begun++
	c.Run = d.child()
	return c, nil
}

// together is the input of a child: the item, or the items of a batch.
func (d *driver) together(inputs []any) string {
	if d.run.BatchItems == 0 && d.run.BatchBytes == 0 {
		return string(document.Encode(inputs[0]))
	}
	batch := document.NewObject("Items", inputs)
	if v, err := document.Decode([]byte(d.run.BatchInput)); err == nil {
		batch.Set("BatchInput", v)
	}
	return string(document.Encode(batch))
}

func (d *driver) read(ctx context.Context) (*Item, bool, error) {
	if d.held != nil {
		item := d.held
		d.held = nil
		return item, true, nil
	}
	if r := d.run.Reader; r != nil && r.MaxItems > 0 && d.run.Read >= r.MaxItems {
		return nil, false, nil
	}
	item, ok, err := d.items.Next(ctx)
	return &item, ok, err
}

// input is what ItemSelector makes of an item.
func (d *driver) input(item *Item) (any, *asl.Failure) {
	if !d.state.SelectsItems() {
		return item.Value, nil
	}
	effective, err := document.Decode([]byte(d.run.Effective))
	if err != nil {
		return nil, &asl.Failure{Error: asl.Runtime, Cause: err.Error()}
	}
	input, err := document.Decode([]byte(d.run.Input))
	if err != nil {
		return nil, &asl.Failure{Error: asl.Runtime, Cause: err.Error()}
	}
	sc := &asl.Scope{Input: input, Variables: map[string]any{}, Context: func() any {
		of := document.NewObject("Index", d.run.Read, "Value", item.Value)
		if item.HasKey {
			of.Set("Key", item.Key)
		}
		if item.Source != "" {
			of.Set("Source", item.Source)
		}
		return document.NewObject("Execution", document.NewObject("RoleArn", d.run.Run.Role), "State", document.NewObject("Name", d.run.State),
			"Map", document.NewObject("Item", of))
	}}
	for name, text := range d.run.Variables {
		if sc.Variables[name], err = document.Decode([]byte(text)); err != nil {
			return nil, &asl.Failure{Error: asl.Runtime, Cause: err.Error()}
		}
	}
	return d.state.Item(sc, effective, item.Value)
}

// child readies the execution of a child.
func (d *driver) child() *Run {
	r := d.run.Run
	r.ID = uuid.NewString()
	r.Name = r.ID // its ARN leads to it
	kind, more := "execution", ""
	if d.run.Express {
		kind, more = "express", ":"+d.run.ID
	}
	r.ARN = fmt.Sprintf("arn:aws:states:%s:%s:%s:%s:%s%s", r.Region, r.Account, kind, machineName(r.Machine), r.Name, more)
	return &r
}

// take takes children that have ended, waiting a while for the first.
func (d *driver) take(ctx context.Context, wait time.Duration) (ended []*Child, leases []store.Lease, err error) {
	if d.run.Express {
		return d.takeExpress(ctx, wait), nil, nil
	}
	messages, err := d.Store.Receive(ctx, EndedQueue(&d.run.Run), store.ReceiveOptions{Max: childrenAtATime, Lease: briefly, Wait: wait})
	if err != nil {
		return nil, nil, err
	}
	for _, m := range messages {
		leases = append(leases, m.Lease)
		ended = append(ended, &Child{Run: &Run{ID: string(m.Body)}})
	}
	return ended, leases, nil
}

// putBack leaves children that were taken to others.
func (d *driver) putBack(ctx context.Context, leases []store.Lease) error {
	return d.Store.Update(ctx, func(tx store.Tx) error {
		for _, l := range leases {
			if err := tx.Extend(l, 0); err != nil && !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
		}
		return nil
	})
}

func (d *driver) takeExpress(ctx context.Context, wait time.Duration) (ended []*Child) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for len(ended) < childrenAtATime {
		if len(ended) > 0 || wait == 0 {
			select {
			case c := <-d.ended:
				ended = append(ended, c)
				continue
			default:
				return ended
			}
		}
		select {
		case c := <-d.ended:
			ended = append(ended, c)
		case <-timer.C:
			return ended
		case <-ctx.Done():
			return ended
		}
	}
	return ended
}

// launch runs an express child in memory.
func (d *driver) launch(ctx context.Context, c *Child) {
	go func() {
		r := *c.Run
		out, err := d.Engine.Express(ctx, &r, c.Input)
		if err != nil {
			return // ctx has ended: it is run anew
		}
		select {
		case d.ended <- &Child{Index: c.Index, Run: out.Run, Items: c.Items, Input: c.Input, Output: out.Output, Ended: true}:
		case <-ctx.Done():
		}
	}()
}

// commit writes down which children have begun and ended.
func (d *driver) commit(ctx context.Context, begin, ended []*Child, leases []store.Lease, and func(store.Tx, *MapRun) error) (run *MapRun, err error) {
	err = d.Store.Update(ctx, func(tx store.Tx) error {
		now, err := FindMapRun(tx, d.run.ID)
		if err != nil {
			return err
		}
		run = now
		if run.Status != Running {
			return nil
		}
		if run.Begun != d.begun {
			return errDriven
		}
		run.Begun, run.Read, run.Exhausted = d.run.Begun, d.run.Read, d.run.Exhausted
		for _, l := range leases {
			if err := tx.Ack(l); err != nil && !errors.Is(err, store.ErrLeaseLost) {
				return err
			}
		}
		for _, c := range begin {
			if err := d.begin(tx, run, c); err != nil {
				return err
			}
		}
		for _, c := range ended {
			if err := d.end(tx, run, c); err != nil {
				return err
			}
		}
		if err := and(tx, run); err != nil {
			return err
		}
		return tx.Set(mapRunKey(run.ID), encode(run))
	})
	if err == nil && run.Status == Running {
		d.begun = run.Begun
	}
	return run, err
}

// begin begins a child.
func (d *driver) begin(tx store.Tx, run *MapRun, c *Child) error {
	run.Executed.Running++
	run.Items.Running += c.Items
	kept := *c
	r := *c.Run
	kept.Run = &r
	if err := tx.Set(childKey(run.ID, c.Index), encode(&kept)); err != nil {
		return err
	}
	if run.Express {
		return nil
	}
	if err := tx.Set(indexKey(r.ID), encode(c.Index)); err != nil {
		return err
	}
	return d.Engine.Begin(tx, &r, c.Input)
}

// indexKey says which child of its map run an execution is.
func indexKey(run string) []byte { return store.Key("states", "mapindex", run) }

// end counts a child that has ended, once.
func (d *driver) end(tx store.Tx, run *MapRun, ended *Child) error {
	index := ended.Index
	if !run.Express {
		var err error
		if index, err = indexOf(tx, ended.Run.ID); err != nil {
			return err
		}
	}
	c, err := childAt(tx, run.ID, index)
	if err != nil || c == nil || c.Ended {
		return err
	}
	if run.Express {
		c = ended
	} else {
		if err := c.read(tx); err != nil || c.Run.Status == Running {
			return err // what is told of an end before a redrive is late
		}
	}
	c.Ended = true
	run.Executed.end(c.Run.Status, 1)
	run.Items.end(c.Run.Status, c.Items)
	return tx.Set(childKey(run.ID, index), encode(c))
}
