package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// readSchemas reads the shapes of a module of aws-sdk-go-v2 that carries its schemas as Go: newer than
// the model, but without lengths, ranges and patterns.
func readSchemas(dir string) (*model, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "schemas", "schemas.go"), nil, 0)
	if err != nil {
		return nil, err
	}
	r := &schemaReader{model: &model{namesShapes: true, Operations: map[string]*operation{}, Shapes: map[string]*shape{}}, byVar: map[string]*shape{}}
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == 1 {
					r.declare(v.Names[0].Name, v.Values[0])
				}
			}
		case *ast.FuncDecl:
			for _, statement := range d.Body.List {
				if a, ok := statement.(*ast.AssignStmt); ok {
					r.addMember(a.Rhs[0])
				}
			}
		}
	}
	enums, err := readEnums(dir)
	if err != nil {
		return nil, err
	}
	for _, s := range r.model.Shapes {
		if s.Type == "enum" {
			s.Type, s.Enum = "string", enums[strings.ToLower(s.Name)]
		}
		if s.EventStream {
			for _, m := range s.Members {
				r.model.Shapes[m.Shape].Event = true
			}
		}
	}
	if err := r.readOperations(dir); err != nil {
		return nil, err
	}
	return r.model, readRequired(dir, r.model)
}

type schemaReader struct {
	model *model
	byVar map[string]*shape
}

var schemaTypes = map[string]string{"Structure": "structure", "Union": "structure", "List": "list", "Map": "map",
	"String": "string", "Enum": "enum", "Blob": "blob", "Boolean": "boolean", "Integer": "integer", "IntEnum": "integer",
	"Long": "long", "Float": "float", "Double": "double", "Timestamp": "timestamp", "Document": "structure"}

// declare reads X = smithy.NewSchema(smithy.ShapeID{...}, smithy.ShapeTypeStructure, 2, traits...).
func (r *schemaReader) declare(variable string, value ast.Expr) {
	call, ok := value.(*ast.CallExpr)
	if !ok || selector(call.Fun) != "NewSchema" || len(call.Args) < 3 {
		return
	}
	name := fields(call.Args[0])["Name"]
	kind := strings.TrimPrefix(selector(call.Args[1]), "ShapeType")
	traits := readTraits(call.Args[3:])
	if kind == "Operation" {
		o := &operation{Name: name}
		o.HTTP.Method, o.HTTP.RequestURI = "POST", "/"
		if http, ok := traits["HTTP"]; ok {
			o.HTTP.Method, o.HTTP.RequestURI = http["Method"], http["URI"]
			if o.HTTP.ResponseCode, _ = strconv.Atoi(http["Code"]); o.HTTP.ResponseCode == 200 {
				o.HTTP.ResponseCode = 0
			}
		}
		r.model.Operations[name] = o
		return
	}
	typ, ok := schemaTypes[kind]
	if !ok {
		return
	}
	s := &shape{Name: name, Type: typ, Members: map[string]*reference{}, Document: kind == "Document", Union: kind == "Union"}
	s.applyTraits(traits)
	r.byVar[variable] = s
	r.model.Shapes[name] = s
}

func (s *shape) applyTraits(traits map[string]map[string]string) {
	if _, ok := traits["Streaming"]; ok {
		s.EventStream = s.Union
		s.Streaming, s.Union = !s.Union, false
	}
	_, s.Sensitive = traits["Sensitive"]
	s.LocationName = traits["XMLName"]["Name"]
	s.XMLNamespace.URI = traits["XMLNamespace"]["URI"]
	if e, ok := traits["Error"]; ok {
		s.Exception = true
		s.Fault = e["Type"] == "server"
		s.Error = &shapeError{SenderFault: !s.Fault}
		s.Error.HTTPStatusCode, _ = strconv.Atoi(traits["HTTPError"]["Code"])
		s.Error.Code = traits["AWSQueryError"]["ErrorCode"]
	}
}

// addMember reads X.AddMember("Name", Target, traits...).
func (r *schemaReader) addMember(value ast.Expr) {
	call, ok := value.(*ast.CallExpr)
	if !ok || selector(call.Fun) != "AddMember" {
		return
	}
	owner := r.byVar[call.Fun.(*ast.SelectorExpr).X.(*ast.Ident).Name]
	target, ok := call.Args[1].(*ast.Ident)
	if owner == nil || !ok {
		return // the values of an enumeration have the target smithyprelude.Unit
	}
	name := literal(call.Args[0])
	ref := &reference{Shape: r.byVar[target.Name].Name}
	switch owner.Type {
	case "list":
		owner.Member = ref
	case "map":
		if name == "key" {
			owner.Key = ref
		} else {
			owner.Value = ref
		}
	default:
		owner.Members[name] = ref
		owner.MemberOrder = append(owner.MemberOrder, name)
	}
	for trait, args := range readTraits(call.Args[2:]) {
		ref.applyTrait(owner, name, trait, args)
	}
}

func (ref *reference) applyTrait(owner *shape, member, trait string, args map[string]string) {
	switch trait {
	case "HTTPLabel":
		ref.Location, ref.LocationName = "uri", member
	case "HTTPQuery":
		ref.Location, ref.LocationName = "querystring", args["Name"]
	case "HTTPQueryParams":
		ref.Location = "querystring"
	case "HTTPHeader":
		ref.Location, ref.LocationName = "header", args["Name"]
	case "HTTPPrefixHeaders":
		ref.Location, ref.LocationName = "headers", args["Prefix"]
	case "HTTPResponseCode":
		ref.Location = "statusCode"
	case "HTTPPayload":
		owner.Payload = member
	case "XMLName":
		ref.LocationName = args["Name"]
	case "XMLFlattened":
		ref.Flattened = true
	case "EventPayload":
		ref.EventPayload = true
	case "EventHeader":
		ref.EventHeader = true
	}
}

// readOperations finds the input and the output of each operation.
func (r *schemaReader) readOperations(dir string) error {
	files, err := parseDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || selector(call.Fun) != "NewOperationSchema" {
				return true
			}
			o := r.model.Operations[selector(call.Args[0])]
			if o == nil {
				return true
			}
			if s := r.byVar[selector(call.Args[1])]; s != nil {
				o.Input = &reference{Shape: s.Name}
			}
			if s := r.byVar[selector(call.Args[2])]; s != nil {
				o.Output = &reference{Shape: s.Name}
			}
			return true
		})
	}
	return nil
}

// parseDir parses a package's files but for its tests.
func parseDir(dir string) ([]*ast.File, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	fset := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// readEnums returns the values of each enumeration by its name in lower case.
func readEnums(dir string) (map[string][]string, error) {
	enums := map[string][]string{}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "types", "enums.go"), nil, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return enums, nil
	}
	if err != nil {
		return nil, err
	}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			name := strings.ToLower(v.Type.(*ast.Ident).Name)
			enums[name] = append(enums[name], literal(v.Values[0]))
		}
	}
	return enums, nil
}

// readRequired reads which members of an input must be there from the checks that the module makes.
func readRequired(dir string, m *model) error {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "validators.go"), nil, 0)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "validate") {
			continue
		}
		name := strings.TrimPrefix(f.Name.Name, "validate")
		if op, ok := strings.CutPrefix(name, "Op"); ok {
			o := m.Operations[strings.TrimSuffix(op, "Input")]
			if o == nil || o.Input == nil {
				continue
			}
			name = o.Input.Shape
		}
		s := m.Shapes[name]
		if s == nil {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && selector(call.Fun) == "NewErrParamRequired" {
				if member := s.memberByField(literal(call.Args[0])); member != "" {
					s.Required = append(s.Required, member)
				}
			}
			return true
		})
	}
	return nil
}

// memberByField returns the member whose Go field has the name, or "".
func (s *shape) memberByField(field string) string {
	for _, name := range s.MemberOrder {
		if strings.EqualFold(name, field) {
			return name
		}
	}
	return ""
}

// readTraits reads composite literals &smithytraits.HTTP{Method: "POST"} by the type's name.
func readTraits(args []ast.Expr) map[string]map[string]string {
	traits := map[string]map[string]string{}
	for _, arg := range args {
		if u, ok := arg.(*ast.UnaryExpr); ok {
			if lit, ok := u.X.(*ast.CompositeLit); ok {
				traits[selector(lit.Type)] = fields(lit)
			}
		}
	}
	return traits
}

// fields returns the literal fields of a composite literal.
func fields(e ast.Expr) map[string]string {
	out := map[string]string{}
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return out
	}
	for _, element := range lit.Elts {
		if kv, ok := element.(*ast.KeyValueExpr); ok {
			out[kv.Key.(*ast.Ident).Name] = literal(kv.Value)
		}
	}
	return out
}

// selector returns the last name of a possibly qualified one.
func selector(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// literal returns the value of a string or number.
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if s, err := strconv.Unquote(lit.Value); err == nil {
		return s
	}
	return lit.Value
}

// merge adds to the model what a newer one has: operations, shapes, members and values of enumerations.
// What both have stays, with the types that services are written against, but for two things. A member
// whose shape was replaced by one that the model does not know loses the constraints that no longer hold.
// A member of an input that is no longer required may be left out.
func (m *model) merge(newer *model) error {
	known := maps.Clone(m.Shapes)
	for _, name := range slices.Sorted(maps.Keys(newer.Shapes)) {
		s, old := newer.Shapes[name], known[name]
		if old == nil {
			m.Shapes[name] = s
			continue
		}
		if old.Type != s.Type {
			continue
		}
		if e := s.Error; old.Exception && e != nil && e.HTTPStatusCode != 0 {
			if old.Error == nil {
				old.Error = &shapeError{SenderFault: e.SenderFault}
			}
			old.Error.HTTPStatusCode = e.HTTPStatusCode
		}
		if len(old.Enum) > 0 {
			old.Enum = union(old.Enum, s.Enum)
		}
		for _, member := range s.MemberOrder {
			m.mergeMember(old, s, member, newer, known)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(newer.Operations)) {
		o, old := newer.Operations[name], m.Operations[name]
		if old == nil {
			m.Operations[name] = o
			continue
		}
		if old.Input == nil {
			old.Input = o.Input
		}
		if o.Input != nil && o.Input.Shape == old.Input.Shape {
			m.relax(m.Shapes[old.Input.Shape], newer.Shapes[o.Input.Shape])
		}
	}
	return m.checkReferences()
}

func (m *model) mergeMember(old, s *shape, name string, newer *model, known map[string]*shape) {
	ref, have := s.Members[name], old.Members[old.memberByField(name)]
	if have == nil {
		old.Members[name] = ref
		old.MemberOrder = append(old.MemberOrder, name)
		if s.required(name) {
			old.Required = append(old.Required, name)
		}
		return
	}
	target := newer.Shapes[ref.Shape]
	if !newer.namesShapes || target == nil || known[have.Shape] == nil || known[ref.Shape] != nil || target.Type != known[have.Shape].Type {
		return
	}
	switch target.Type {
	case "structure", "list", "map":
	default:
		have.Shape = ref.Shape
	}
}

// relax takes back what an input no longer requires.
func (m *model) relax(old, s *shape) {
	if old == nil || s == nil {
		return
	}
	old.Required = slices.DeleteFunc(old.Required, func(name string) bool {
		return s.Members[name] != nil && s.Members[name].Location != "uri" && !s.required(name)
	})
}

func union(old, more []string) []string {
	for _, value := range more {
		if !slices.Contains(old, value) {
			old = append(old, value)
		}
	}
	return old
}

// checkReferences finds references to shapes that are not there.
func (m *model) checkReferences() error {
	for name, s := range m.Shapes {
		refs := []*reference{s.Key, s.Value, s.Member}
		for _, r := range s.Members {
			refs = append(refs, r)
		}
		for _, r := range refs {
			if r != nil && m.Shapes[r.Shape] == nil {
				return fmt.Errorf("shape %s refers to %s, which is nowhere", name, r.Shape)
			}
		}
	}
	return nil
}
