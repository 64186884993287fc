package asl

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/asl/document"
	"cirro/internal/asl/intrinsic"
	"cirro/internal/asl/jsonpath"
)

// Parse reads a definition. There is a machine only where no diagnostic is an error.
func Parse(definition []byte) (*Machine, []Diagnostic) {
	if len(definition) > maxDefinition {
		return nil, []Diagnostic{{severityError, schemaFailed, fmt.Sprintf("Definition must be at most %d bytes", maxDefinition), ""}}
	}
	if strings.TrimSpace(string(definition)) == "" {
		return nil, []Diagnostic{{severityError, schemaFailed, "Definition must be a valid JSON object", ""}}
	}
	v, err := document.Decode(definition)
	if err != nil {
		return nil, []Diagnostic{notJSON(definition, err)}
	}
	if _, ok := v.(*document.Object); !ok {
		return nil, []Diagnostic{{severityError, schemaFailed, "Definition must be a valid JSON object", ""}}
	}
	r := newReader()
	m := r.machine(v, "", 0)
	if len(r.diagnostics) > 0 {
		return nil, r.diagnostics
	}
	for name, variables := range r.references {
		slices.Sort(variables)
		if m.References == nil {
			m.References = map[string][]string{}
		}
		m.References[name] = variables
	}
	return m, nil
}

// ParseState reads the definition of one state by itself; where what it leads to is, nobody asks.
func ParseState(definition []byte, name string) (*State, []Diagnostic) {
	v, err := document.Decode(definition)
	if err != nil {
		return nil, []Diagnostic{notJSON(definition, err)}
	}
	if _, ok := v.(*document.Object); !ok {
		return nil, []Diagnostic{{severityError, schemaFailed, "Definition must be a valid JSON object", ""}}
	}
	r := newReader()
	s := r.readState(name, v, "", 0)
	if len(r.diagnostics) > 0 {
		return nil, r.diagnostics
	}
	return s, nil
}

func newReader() *reader {
	return &reader{names: map[string]bool{}, labels: map[string]bool{}, language: JSONPath, references: map[string][]string{}}
}

// queryLanguage reads the field QueryLanguage. Whatever is there but is not JSONPath stands for JSONata.
func (f *fields) queryLanguage(otherwise QueryLanguage) QueryLanguage {
	l := f.choice("QueryLanguage", string(JSONPath), string(JSONata))
	switch {
	case !f.has("QueryLanguage"):
		return otherwise
	case l == string(JSONPath):
		return JSONPath
	}
	return JSONata
}

// machine reads a machine, or a part of one.
func (r *reader) machine(v any, at string, depth int) *Machine {
	if depth > maxNesting {
		r.schema(at, "States nest too deep")
		return nil
	}
	f := r.fields(v, at, r.language)
	m := &Machine{Comment: f.text("Comment")}
	if depth == 0 {
		m.Version = f.choice("Version", "1.0")
		m.TimeoutSeconds = f.integer("TimeoutSeconds", 0, 0, DefaultTimeout)
		r.language = f.queryLanguage(JSONPath)
	}
	m.Language = r.language
	complete := f.require("States", "StartAt")
	m.StartAt = f.text("StartAt")
	states, _ := f.take("States")
	if depth > 0 {
		f.take("ProcessorConfig")
	}
	f.done()
	if !complete {
		return m
	}
	m.States = map[string]*State{}
	object, ok := states.(*document.Object)
	if !ok || object.Len() == 0 {
		r.schema(at+"/States", "Expected a non-empty value of type Object")
		return m
	}
	for name, v := range object.All() {
		below := at + "/States/" + name
		switch {
		case name == "":
			r.report(stateName, below, "The name of a state is empty")
		case utf8.RuneCountInString(name) > maxStateName:
			r.report(stateName, below, "The state name '%s' exceeds the %d-character limit allowed by the service", name, maxStateName)
		}
		if r.names[name] {
			r.report(duplicateState, below, "Duplicate State name: %s", name)
		}
		r.names[name] = true
		m.States[name] = r.readState(name, v, below, depth)
	}
	r.transitions(m, object, at, depth == 0)
	return m
}

// transitions checks that states lead to states, that all can be reached, and that the whole machine ends: of one
// that does not, what cannot be reached is not told.
func (r *reader) transitions(m *Machine, states *document.Object, at string, whole bool) {
	if m.States[m.StartAt] == nil {
		r.report(missingTarget, at+"/StartAt", "Missing 'Next' target: %s", m.StartAt)
	}
	reached, ends := map[string]bool{m.StartAt: true}, false
	for name := range states.All() {
		s := m.States[name]
		below := at + "/States/" + name
		ends = ends || s.End || s.Type == Succeed || s.Type == Fail
		for _, t := range s.targets() {
			reached[t.name] = true
			if t.name != "" && m.States[t.name] == nil {
				r.report(missingTarget, below+t.at, "Missing 'Next' target: %s", t.name)
			}
		}
	}
	if whole && !ends {
		r.diagnostics = append(r.diagnostics, Diagnostic{severityError, missingEnd, "Workflow has no terminal state", ""})
		return
	}
	for name := range states.All() {
		if !reached[name] {
			r.report(missingTarget, at+"/States/"+name, "State \"%s\" is not reachable.", name)
		}
	}
}

// target is a state that follows another, and where that is said.
type target struct{ name, at string }

func (s *State) targets() (targets []target) {
	if s.Next != "" {
		targets = append(targets, target{s.Next, "/Next"})
	}
	if s.Fallback != "" {
		targets = append(targets, target{s.Fallback, "/Default"})
	}
	for i, rule := range s.rules {
		targets = append(targets, target{rule.next, fmt.Sprintf("/Choices[%d]/Next", i)})
	}
	for i, c := range s.Catchers {
		targets = append(targets, target{c.Next, fmt.Sprintf("/Catch[%d]/Next", i)})
	}
	return targets
}

// readState reads a state. What QueryLanguage a state around it has, makes no difference.
func (r *reader) readState(name string, v any, at string, depth int) *State {
	around := r.state
	r.state = name
	defer func() { r.state = around }()
	f := r.fields(v, at, r.language)
	f.language = f.queryLanguage(r.language)
	s := &State{Name: name, Language: f.language}
	if f.downgraded = r.language == JSONata && s.Language == JSONPath; f.downgraded {
		r.schema(at, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	if !f.require("Type") {
		return s
	}
	s.Type = f.choice("Type", Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map)
	s.Comment = f.text("Comment")
	read, ok := map[string]func(*State, *fields, int){Pass: readPass, Task: readTask, Choice: readChoice, Wait: readWait,
		Succeed: readSucceed, Fail: readFail, Parallel: readParallel, Map: readMap}[s.Type]
	if !ok {
		return s
	}
	if s.Type != Fail {
		s.InputPath, s.OutputPath = f.filter("InputPath"), f.filter("OutputPath")
		s.output = f.queries("Output")
	}
	if s.Type != Fail && s.Type != Succeed {
		s.assign = f.assign()
	}
	read(s, f, depth)
	f.done()
	return s
}

// variableName is how a variable is called.
// https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html
var variableName = regexp.MustCompile(`^[\p{L}_][\p{L}\p{N}_]*$`)

// assign reads the field Assign, of both languages.
func (f *fields) assign() expression {
	v, ok := f.object.Get("Assign")
	if !ok {
		return nil
	}
	e := f.either("Assign")
	object, ok := v.(*document.Object)
	if !ok {
		f.schema(f.at+"/Assign", "Expected value of type Object")
		return nil
	}
	for name := range object.All() {
		plain := strings.TrimSuffix(name, ".$")
		switch {
		case plain == "states":
			f.report(reservedName, f.at+"/Assign/"+name, "Cannot assign to reserved variable '$states'.")
		case utf8.RuneCountInString(plain) > maxStateName:
			f.report(variableNamed, f.at+"/Assign/"+name, "Invalid variable name '%s': the variable name exceeds %d characters.", plain, maxStateName)
		case !variableName.MatchString(plain):
			f.report(variableNamed, f.at+"/Assign/"+name, "Invalid variable name '%s': the variable name contains invalid characters.", plain)
		}
	}
	return e
}

// follow reads what comes after a state.
func (f *fields) follow(s *State) {
	s.Next, s.End = f.text("Next"), f.flag("End")
	switch {
	case s.Next != "" && s.End:
		f.one("Next", "End")
	case s.Next == "" && !s.End:
		f.schema(f.at, "This object should have only one of the following fields: [Next, End]")
	}
}

// shape reads how input and result of a state are changed.
func (f *fields) shape(s *State) {
	s.ResultPath, s.DiscardResult = f.reference("ResultPath")
}

func readPass(s *State, f *fields, _ int) {
	f.follow(s)
	f.shape(s)
	s.parameters = f.template("Parameters")
	f.only(JSONPath, "Result")
	if v, ok := f.take("Result"); ok && s.Language == JSONPath {
		s.result = literal{v}
	}
}

func readSucceed(*State, *fields, int) {}

func readWait(s *State, f *fields, _ int) {
	f.follow(s)
	s.seconds = f.quantity("Seconds", 0, longestWait)
	if v, ok := f.object.Get("TimestampPath"); ok && s.Language == JSONPath {
		f.take("TimestampPath")
		if p := f.path(v, "TimestampPath"); p != nil {
			s.timestamp = path{p}
		}
	} else if v, ok := f.object.Get("Timestamp"); ok {
		f.take("Timestamp")
		s.timestamp = literal{v}
		if text, isText := v.(string); isText && s.Language == JSONata {
			if q := f.query(text, f.at+"/Timestamp"); q != nil {
				s.timestamp = q
			}
		}
		if l, ok := s.timestamp.(literal); ok && l.value != nil {
			text, _ := l.value.(string)
			if _, ok := Timestamp(text); !ok {
				f.schema(f.at+"/Timestamp", "String does not match RFC3339 timestamp")
			}
		}
	}
	f.one("SecondsPath", "Seconds", "TimestampPath", "Timestamp")
}

func readFail(s *State, f *fields, _ int) {
	s.errorName, s.errorCause = f.words("Error"), f.words("Cause")
}

// words reads a text of a Fail state: as it is, by a path or a call, or by a query.
func (f *fields) words(name string) expression {
	f.only(JSONPath, name+"Path")
	if v, ok := f.object.Get(name + "Path"); ok && f.language == JSONPath {
		f.take(name + "Path")
		if f.has(name) {
			f.take(name)
			f.one(name, name+"Path")
		}
		if text, ok := v.(string); ok && intrinsic.Is(text) {
			return f.dynamic(v, name+"Path", f.at+"/"+name+"Path")
		}
		if p := f.path(v, name+"Path"); p != nil {
			return path{p}
		}
		return nil
	}
	if !f.has(name) {
		return nil
	}
	text := f.text(name)
	if f.language == JSONata {
		if q := f.query(text, f.at+"/"+name); q != nil {
			return q
		}
	}
	return literal{text}
}

func readTask(s *State, f *fields, _ int) {
	f.follow(s)
	f.shape(s)
	f.require("Resource")
	s.Resource = f.text("Resource")
	if s.Resource != "" && !strings.HasPrefix(s.Resource, "arn:") {
		f.schema(f.at+"/Resource", "Value is not a valid resource ARN")
	}
	s.parameters, s.resultSelector, s.arguments = f.template("Parameters"), f.template("ResultSelector"), f.queries("Arguments")
	s.credentials = f.credentials(s)
	s.timeout, s.heartbeat = f.quantity("TimeoutSeconds", 1, DefaultTimeout), f.quantity("HeartbeatSeconds", 1, DefaultTimeout)
	if t, ok := s.timeout.(literal); ok {
		if h, ok := s.heartbeat.(literal); ok && h.value.(int64) >= t.value.(int64) {
			f.schema(f.at, "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'")
		}
	}
	f.failures(s)
}

// credentials reads the role that a task assumes.
func (f *fields) credentials(s *State) expression {
	v, ok := f.object.Get("Credentials")
	if !ok {
		return nil
	}
	if object, ok := v.(*document.Object); ok {
		_, fixed := object.Get("RoleArn")
		_, byPath := object.Get("RoleArn.$")
		if !fixed && !byPath {
			f.schema(f.at+"/Credentials", "The field 'RoleArn' is required but was missing")
		}
	}
	if parts := strings.Split(s.Resource, ":"); len(parts) > 5 && parts[2] == "states" && parts[5] == "activity" {
		f.schema(f.at+"/Credentials", "The field 'Credentials' is not supported for activities")
	}
	return f.either("Credentials")
}

// failures reads Retry and Catch.
func (f *fields) failures(s *State) {
	for i, v := range f.objects("Retry") {
		s.Retriers = append(s.Retriers, f.retrier(v, fmt.Sprintf("%s/Retry[%d]", f.at, i)))
	}
	for i, v := range f.objects("Catch") {
		s.Catchers = append(s.Catchers, f.catcher(v, fmt.Sprintf("%s/Catch[%d]", f.at, i)))
	}
	f.wildcards("Retry", len(s.Retriers), func(i int) []string { return s.Retriers[i].ErrorEquals })
	f.wildcards("Catch", len(s.Catchers), func(i int) []string { return s.Catchers[i].ErrorEquals })
}

// wildcards checks that States.ALL stands alone, and last.
func (f *fields) wildcards(field string, n int, names func(int) []string) {
	for i := range n {
		if slices.Contains(names(i), All) && (len(names(i)) > 1 || i < n-1) {
			f.schema(fmt.Sprintf("%s/%s[%d]/ErrorEquals", f.at, field, i), "States.ALL must appear alone and at end of list")
		}
	}
}

func (f *fields) objects(name string) []any {
	v, ok := f.take(name)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		f.schema(f.at+"/"+name, "Expected value of type Array")
	}
	return list
}

func (f *fields) retrier(v any, at string) Retrier {
	in := f.fields(v, at, f.language)
	in.require("ErrorEquals")
	in.text("Comment")
	r := Retrier{
		ErrorEquals:     in.errors(),
		IntervalSeconds: float64(in.integer("IntervalSeconds", 1, 0, longestWait)),
		MaxAttempts:     in.integer("MaxAttempts", 3, 0, longestWait),
		BackoffRate:     in.number("BackoffRate", 2, 1, 1e9),
		MaxDelaySeconds: float64(in.integer("MaxDelaySeconds", 0, 1, 31_622_400)),
		FullJitter:      in.choice("JitterStrategy", "NONE", "FULL") == "FULL",
	}
	in.done()
	return r
}

// errors reads the names of errors that a retrier or catcher is for.
func (f *fields) errors() []string {
	names := f.texts("ErrorEquals")
	if v, _ := f.object.Get("ErrorEquals"); len(names) == 0 && v != nil {
		f.empty("ErrorEquals")
	}
	return names
}

func (f *fields) empty(name string) { f.schema(f.at+"/"+name, "Value cannot be empty") }

func (f *fields) catcher(v any, at string) Catcher {
	in := f.fields(v, at, f.language)
	in.require("ErrorEquals", "Next")
	in.text("Comment")
	f.caught = true
	defer func() { f.caught = false }()
	c := Catcher{ErrorEquals: in.errors(), Next: in.text("Next"), assign: in.assign(), output: in.queries("Output")}
	c.ResultPath, c.DiscardResult = in.reference("ResultPath")
	in.done()
	return c
}

func readParallel(s *State, f *fields, depth int) {
	f.follow(s)
	f.shape(s)
	s.parameters, s.resultSelector, s.arguments = f.template("Parameters"), f.template("ResultSelector"), f.queries("Arguments")
	f.failures(s)
	f.require("Branches")
	for i, v := range f.objects("Branches") {
		s.Branches = append(s.Branches, f.machine(v, fmt.Sprintf("%s/Branches[%d]", f.at, i), depth+1))
	}
	if f.has("Branches") && len(s.Branches) == 0 {
		f.empty("Branches")
	}
}

func readChoice(s *State, f *fields, _ int) {
	f.require("Choices")
	s.Fallback = f.text("Default")
	choices := f.objects("Choices")
	if f.has("Choices") && len(choices) == 0 {
		f.empty("Choices")
	}
	for i, v := range choices {
		at := fmt.Sprintf("%s/Choices[%d]", f.at, i)
		in := f.fields(v, at, s.Language)
		in.require("Next")
		in.text("Comment")
		r := rule{next: in.text("Next"), assign: in.assign(), output: in.queries("Output")}
		if s.Language == JSONata {
			in.require("Condition")
			in.only(JSONPath, "Variable", "And", "Or", "Not")
			r.query = in.truth("Condition")
		} else {
			in.only(JSONata, "Condition")
			r.condition = in.condition(0)
		}
		in.done()
		s.rules = append(s.rules, r)
	}
}

// condition reads a condition of JSONPath.
func (f *fields) condition(depth int) condition {
	if depth > maxNesting {
		f.schema(f.at, "Conditions nest too deep")
		return and{}
	}
	if !f.selects() {
		return and{}
	}
	for _, name := range []string{"And", "Or"} {
		if !f.has(name) {
			continue
		}
		var all []condition
		for i, v := range f.objects(name) {
			in := f.fields(v, fmt.Sprintf("%s/%s[%d]", f.at, name, i), f.language)
			all = append(all, in.condition(depth+1))
			in.done()
		}
		if len(all) == 0 {
			f.empty(name)
		}
		if name == "And" {
			return and(all)
		}
		return or(all)
	}
	if v, ok := f.take("Not"); ok {
		in := f.fields(v, f.at+"/Not", f.language)
		c := in.condition(depth + 1)
		in.done()
		return not{c}
	}
	return f.test()
}

// selects reports whether a condition says once what it asks; of one that does not, no more is told.
func (f *fields) selects() bool {
	n := 0
	for _, name := range []string{"And", "Or", "Not", "Variable", "Condition"} {
		if f.has(name) {
			n++
		}
	}
	if n == 1 {
		return !f.has("Condition") // which was told
	}
	f.schema(f.at, "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]")
	for name := range f.object.All() {
		if operators[name] || name == "And" || name == "Or" || name == "Not" || name == "Variable" {
			f.take(name)
		}
	}
	return false
}

// test reads a comparison.
func (f *fields) test() condition {
	t := &test{}
	v, _ := f.take("Variable")
	t.variable = f.compared(v, "Variable")
	found := 0
	for name, v := range f.object.All() {
		plain, byPath := strings.CutSuffix(name, "Path")
		if kind, ok := kinds[name]; ok {
			f.take(name)
			found++
			want, ok := v.(bool)
			if !ok {
				f.schema(f.at+"/"+name, "Expected value of type Boolean")
			}
			t.operator, t.value = name, want
			t.compare = func(a, b any) bool { return kind(a) == b }
			continue
		}
		compare, ok := comparisons[name]
		if name == "StringMatches" {
			compare, ok = matches, true
		} else if !ok && byPath {
			if compare, ok = comparisons[plain]; ok {
				t.path = f.compared(v, name)
			}
		}
		if !ok {
			continue
		}
		f.take(name)
		found++
		t.operator, t.value, t.compare = name, v, compare
		if t.path == nil {
			f.fits(name, v)
		}
	}
	if found != 1 {
		f.one(slices.Sorted(maps.Keys(operators))...)
	}
	return t
}

// compared reads a path of a comparison.
func (f *fields) compared(v any, name string) *jsonpath.Path {
	if text, ok := v.(string); ok && !strings.HasPrefix(text, "$") {
		f.schema(f.at+"/"+name, "Value is not a Reference Path: Reference path didn't start with '$'")
		return nil
	}
	return f.path(v, name)
}

// operators are the names of all comparisons.
var operators = func() map[string]bool {
	names := map[string]bool{"StringMatches": true}
	for name := range kinds {
		names[name] = true
	}
	for name := range comparisons {
		names[name], names[name+"Path"] = true, true
	}
	return names
}()

// fits checks that a value is one that an operator compares with.
func (f *fields) fits(operator string, v any) {
	want, ok := "String", false
	switch {
	case strings.HasPrefix(operator, "Boolean"):
		want = "Boolean"
		_, ok = v.(bool)
	case strings.HasPrefix(operator, "Numeric"):
		want = "Number"
		_, ok = document.Float(v)
	default:
		var s string
		if s, ok = v.(string); !ok || !strings.HasPrefix(operator, "Timestamp") {
			break
		}
		if _, valid := Timestamp(s); !valid {
			f.schema(f.at+"/"+operator, "String does not match RFC3339 timestamp")
		}
	}
	if !ok {
		f.schema(f.at+"/"+operator, "Expected value of type %s", want)
	}
}

func readMap(s *State, f *fields, depth int) {
	f.follow(s)
	f.shape(s)
	s.MapState = &MapState{}
	s.resultSelector = f.template("ResultSelector")
	f.failures(s)
	processor := "ItemProcessor"
	if !f.has(processor) && f.has("Iterator") {
		processor = "Iterator" // the older name
	}
	f.one("ItemProcessor", "Iterator")
	f.take("Iterator")
	s.itemSelector = f.either("ItemSelector")
	if f.has("ItemSelector") && f.has("Parameters") {
		f.one("ItemSelector", "Parameters")
	}
	if parameters := f.template("Parameters"); parameters != nil && s.itemSelector == nil {
		s.itemSelector = parameters // the older name
	}
	f.only(JSONPath, "ItemsPath")
	if v, ok := f.object.Get("ItemsPath"); ok && s.Language == JSONPath {
		f.take("ItemsPath")
		s.itemsPath = &filter{field: "ItemsPath"}
		if text, _ := v.(string); intrinsic.Is(text) {
			s.itemsPath.call = f.dynamic(v, "ItemsPath", f.at+"/ItemsPath")
		} else if s.itemsPath.Path = f.path(v, "ItemsPath"); s.itemsPath.Path == nil {
			s.itemsPath = nil
		}
	}
	s.items = f.queries("Items")
	if l, ok := s.items.(literal); ok && l.value != nil {
		switch l.value.(type) {
		case []any, *document.Object:
		default:
			f.schema(f.at+"/Items", "Expected value of type Array, Object or a JSONata expression")
		}
	}
	s.maxConcurrency = f.quantity("MaxConcurrency", 0, 1<<31-1)
	if v, ok := f.take(processor); ok {
		s.processor(v, f, depth, processor)
	}
	s.distributed(f)
}

// processor reads what a Map does with each item, and how.
func (s *State) processor(v any, f *fields, depth int, field string) {
	at := f.at + "/" + field
	if object, ok := v.(*document.Object); ok {
		if config, ok := object.Get("ProcessorConfig"); ok {
			in := f.fields(config, at+"/ProcessorConfig", f.language)
			s.Distributed = in.choice("Mode", "INLINE", "DISTRIBUTED") == "DISTRIBUTED"
			if s.Distributed {
				in.require("ExecutionType")
				s.ExecutionType = in.choice("ExecutionType", "STANDARD", "EXPRESS")
			}
			in.done()
		}
	}
	s.Processor = f.machine(v, at, depth+1)
}

// distributed reads what only a distributed Map has.
func (s *State) distributed(f *fields) {
	s.Label = f.text("Label")
	if utf8.RuneCountInString(s.Label) > maxLabel {
		f.report(labelName, f.at+"/Label", "The label '%s' exceeds the %d-character limit allowed by the service", s.Label, maxLabel)
	}
	if s.Label != "" && f.labels[s.Label] {
		f.report(duplicateLabel, f.at+"/Label", "Duplicate Label name: %s", s.Label)
	}
	f.labels[s.Label] = true
	s.toleratedCount = f.quantity("ToleratedFailureCount", 0, 1<<31-1)
	s.toleratedPercent = f.quantity("ToleratedFailurePercentage", 0, 100)
	if v, ok := f.take("ItemReader"); ok {
		s.Reader = f.itemReader(v)
	}
	if v, ok := f.take("ItemBatcher"); ok {
		s.Batcher = f.itemBatcher(v)
	}
	if v, ok := f.take("ResultWriter"); ok {
		s.Writer = f.resultWriter(v)
	}
	if s.Distributed {
		return
	}
	// How many failures are tolerated may stand there, and means nothing:
	// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/evaluate_jsonata/test_base_evaluate_expressions.snapshot.json
	for _, name := range []string{"Label", "ItemReader", "ItemBatcher", "ResultWriter"} {
		if f.has(name) {
			f.schema(f.at+"/"+name, "The field '%s' is supported only when the mode of the processor is 'DISTRIBUTED'", name)
		}
	}
}

func (f *fields) itemReader(v any) *ItemReader {
	in := f.fields(v, f.at+"/ItemReader", f.language)
	in.require("Resource")
	reader := &ItemReader{Resource: in.text("Resource")}
	if in.has("Resource") && !itemSource.MatchString(reader.Resource) {
		in.schema(in.at+"/Resource", "The field 'Resource' does not match any of the allowed values")
	}
	if reader.parameters = in.template("Parameters"); f.language == JSONata {
		reader.parameters = in.queries("Arguments")
	}
	if config, ok := in.take("ReaderConfig"); ok {
		c := f.fields(config, f.at+"/ItemReader/ReaderConfig", f.language)
		reader.Config = ReaderConfig{
			InputType:         c.choice("InputType", "CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"),
			Transformation:    c.choice("Transformation", "NONE", "LOAD_AND_FLATTEN"),
			ManifestType:      c.choice("ManifestType", "ATHENA_DATA", "S3_INVENTORY"),
			CSVDelimiter:      c.choice("CSVDelimiter", "COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
			CSVHeaderLocation: c.choice("CSVHeaderLocation", "FIRST_ROW", "GIVEN"),
			CSVHeaders:        c.texts("CSVHeaders"),
			ItemsPointer:      c.text("ItemsPointer"),
			maxItems:          c.quantity("MaxItems", 1, 100_000_000),
		}
		c.header(reader.Config)
		c.done()
	}
	in.done()
	return reader
}

// header checks what is said of the names of columns: that, of CSV alone, it is said.
func (f *fields) header(c ReaderConfig) {
	switch {
	case c.InputType != "CSV" && f.has("CSVHeaderLocation"):
		f.schema(f.at, "Field 'CSVHeaderLocation' is not supported")
	case c.InputType == "CSV" && !f.has("CSVHeaderLocation"):
		f.schema(f.at, "The field 'CSVHeaderLocation' is required")
	case c.CSVHeaderLocation == "GIVEN":
		f.require("CSVHeaders")
	}
}

// itemSource is what an ItemReader may call.
var itemSource = regexp.MustCompile(`^arn:[^:]+:states:::s3:(getObject|listObjectsV2)$`)

func (f *fields) itemBatcher(v any) *ItemBatcher {
	in := f.fields(v, f.at+"/ItemBatcher", f.language)
	b := &ItemBatcher{input: in.either("BatchInput"), maxItems: in.quantity("MaxItemsPerBatch", 1, 100_000_000),
		maxBytes: in.quantity("MaxInputBytesPerBatch", 1, document.MaxSize)}
	b.HasMaxBytes = b.maxBytes != nil
	if b.maxItems == nil && b.maxBytes == nil {
		f.schema(in.at, "One of these fields is required: [MaxItemsPerBatch, MaxInputBytesPerBatch]")
	}
	in.done()
	return b
}

func (f *fields) resultWriter(v any) *ResultWriter {
	in := f.fields(v, f.at+"/ResultWriter", f.language)
	w := &ResultWriter{Resource: in.text("Resource")}
	if !in.has("Resource") && !in.has("WriterConfig") {
		in.schema(in.at, "One of these fields is required: [Resource, WriterConfig]")
	}
	if w.parameters = in.template("Parameters"); f.language == JSONata {
		w.parameters = in.queries("Arguments")
	}
	if config, ok := in.take("WriterConfig"); ok {
		c := f.fields(config, in.at+"/WriterConfig", f.language)
		w.Transformation, w.OutputType = c.choice("Transformation", "NONE", "COMPACT", "FLATTEN"), c.choice("OutputType", "JSON", "JSONL")
		c.done()
	}
	in.done()
	return w
}
