package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// readStructs reads what a module of aws-sdk-go-v2 without schemas says of its service: the structures of
// its types, of its operations' inputs and outputs, and how its serializers bind them to HTTP. base is
// the model it goes on from, whose names it takes over.
func readStructs(dir string, base *model) (*model, error) {
	r := &structReader{base: base, model: &model{Operations: map[string]*operation{}, Shapes: map[string]*shape{}},
		structs: map[string]*ast.StructType{}, unions: map[string]bool{}, rest: base.Metadata.Protocol == "rest-json"}
	r.lower = r.rest || base.lower()
	var err error
	if r.enums, err = readEnums(dir); err != nil {
		return nil, err
	}
	for lowerName, values := range r.enums {
		if s := r.baseShape(lowerName); s != nil {
			r.model.Shapes[s.Name] = &shape{Name: s.Name, Type: "string", Enum: values}
		}
	}
	types, err := parseDir(filepath.Join(dir, "types"))
	if err != nil {
		return nil, err
	}
	operations, err := parseDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range append(types, operations...) {
		r.collect(f)
	}
	for _, f := range types {
		r.declareTypes(f)
	}
	if err := r.readSerializers(dir); err != nil {
		return nil, err
	}
	if err := r.readNames(dir); err != nil {
		return nil, err
	}
	return r.model, readRequired(dir, r.model)
}

type structReader struct {
	base    *model
	model   *model
	enums   map[string][]string
	structs map[string]*ast.StructType // of types and of inputs and outputs
	unions  map[string]bool            // interfaces, whose variants are structures with the prefix XMember
	rest    bool                       // operations have methods and paths of their own
	lower   bool                       // members begin with a lower case letter
}

// lower reports whether the members of a model begin with a lower case letter: nearly all do, or nearly none.
func (m *model) lower() bool {
	n := 0
	for _, s := range m.Shapes {
		for name := range s.Members {
			if name[0] >= 'a' {
				n++
			} else {
				n--
			}
		}
	}
	return n > 0
}

func (r *structReader) baseShape(name string) *shape {
	if s := r.base.Shapes[name]; s != nil {
		return s
	}
	for key, s := range r.base.Shapes {
		if strings.EqualFold(key, name) {
			return s
		}
	}
	return nil
}

// collect keeps the structures that a file declares.
func (r *structReader) collect(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, spec := range g.Specs {
			t := spec.(*ast.TypeSpec)
			switch declared := t.Type.(type) {
			case *ast.StructType:
				r.structs[t.Name.Name] = declared
			case *ast.InterfaceType:
				r.unions[t.Name.Name] = t.Name.IsExported()
			}
		}
	}
}

// declareTypes makes shapes of a file's exported structures.
func (r *structReader) declareTypes(f *ast.File) {
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		for _, spec := range g.Specs {
			t := spec.(*ast.TypeSpec)
			if s, ok := t.Type.(*ast.StructType); ok && t.Name.IsExported() && !r.isVariant(t.Name.Name) {
				r.structure(t.Name.Name, s)
			}
		}
	}
}

// structure makes the shape of a structure, and those of its fields' types.
func (r *structReader) structure(name string, t *ast.StructType) *shape {
	if old := r.baseShape(name); old != nil {
		name = old.Name
	}
	if s := r.model.Shapes[name]; s != nil {
		return s
	}
	s := &shape{Name: name, Type: "structure", Members: map[string]*reference{}}
	r.model.Shapes[name] = s
	if r.isError(t) {
		s.Exception = true
		s.Error = &shapeError{SenderFault: true}
	}
	for _, f := range t.Fields.List {
		if len(f.Names) == 0 || !f.Names[0].IsExported() {
			continue
		}
		field := f.Names[0].Name
		if field == "ResultMetadata" || field == "ErrorCodeOverride" {
			continue
		}
		ref := r.reference(f.Type)
		if ref == nil {
			continue
		}
		member := field
		if r.lower {
			member = strings.ToLower(field[:1]) + field[1:]
		}
		s.Members[member] = ref
		s.MemberOrder = append(s.MemberOrder, member)
	}
	return s
}

func (r *structReader) isError(t *ast.StructType) bool {
	for _, f := range t.Fields.List {
		if len(f.Names) > 0 && f.Names[0].Name == "ErrorCodeOverride" {
			return true
		}
	}
	return false
}

var basicTypes = map[string]string{"string": "string", "bool": "boolean", "int32": "integer", "int64": "long",
	"float32": "float", "float64": "double", "Time": "timestamp"}

// reference makes the reference that a field's type stands for, nil where it stands for none.
func (r *structReader) reference(e ast.Expr) *reference {
	if p, ok := e.(*ast.StarExpr); ok {
		e = p.X
	}
	switch t := e.(type) {
	case *ast.Ident, *ast.SelectorExpr:
		return r.named(selector(t))
	case *ast.ArrayType:
		if selector(t.Elt) == "byte" {
			return r.scalar("Blob", "blob")
		}
		elem := r.reference(t.Elt)
		if elem == nil {
			return nil
		}
		name := "ListOf" + upperFirst(elem.Shape)
		return r.add(&shape{Name: name, Type: "list", Member: elem})
	case *ast.MapType:
		key, value := r.reference(t.Key), r.reference(t.Value)
		if key == nil || value == nil {
			return nil
		}
		name := "MapOf" + upperFirst(key.Shape) + "To" + upperFirst(value.Shape)
		return r.add(&shape{Name: name, Type: "map", Key: key, Value: value})
	}
	return nil
}

// named makes the reference to a basic type, an enumeration or a structure.
func (r *structReader) named(name string) *reference {
	if typ, ok := basicTypes[name]; ok {
		return r.scalar(upperFirst(typ), typ)
	}
	if values, ok := r.enums[strings.ToLower(name)]; ok {
		if old := r.baseShape(name); old != nil {
			return &reference{Shape: old.Name}
		}
		return r.add(&shape{Name: name, Type: "string", Enum: values})
	}
	if r.unions[name] {
		return r.union(name)
	}
	if t := r.structs[name]; t != nil {
		return &reference{Shape: r.structure(name, t).Name}
	}
	return nil
}

// isVariant reports whether a structure is one of a union's.
func (r *structReader) isVariant(name string) bool {
	union, _, ok := strings.Cut(name, "Member")
	return ok && r.unions[union] || name == "UnknownUnionMember"
}

// union makes the shape of a union: a structure of which one member is set.
func (r *structReader) union(name string) *reference {
	s := &shape{Name: name, Type: "structure", Union: true, Members: map[string]*reference{}}
	for _, variant := range slices.Sorted(maps.Keys(r.structs)) {
		member, ok := strings.CutPrefix(variant, name+"Member")
		if !ok {
			continue
		}
		if ref := r.reference(r.structs[variant].Fields.List[0].Type); ref != nil {
			s.Members[member] = ref
			s.MemberOrder = append(s.MemberOrder, member)
		}
	}
	return r.add(s)
}

// scalar is a shape without constraints.
func (r *structReader) scalar(name, typ string) *reference {
	if s := r.base.Shapes[name]; s != nil && (s.Type != typ || s.Min != nil || s.Max != nil || s.Pattern != "") {
		name = "Any" + name
	}
	return r.add(&shape{Name: name, Type: typ})
}

// add adds a shape unless the base has one of its name and type.
func (r *structReader) add(s *shape) *reference {
	if old := r.base.Shapes[s.Name]; old == nil && r.model.Shapes[s.Name] == nil {
		r.model.Shapes[s.Name] = s
	}
	return &reference{Shape: s.Name}
}

// readSerializers finds the operations, and where the members of their inputs travel.
func (r *structReader) readSerializers(dir string) error {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "serializers.go"), nil, 0)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if _, name, ok := strings.Cut(receiver(f), "_serializeOp"); ok && f.Name.Name == "HandleSerialize" {
			r.operation(name, f)
		}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if _, name, ok := strings.Cut(f.Name.Name, "_serializeOpHttpBindings"); ok {
				r.bind(strings.TrimSuffix(name, "Input"), f)
			}
		}
	}
	return nil
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	if p, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
		return selector(p.X)
	}
	return ""
}

func (r *structReader) operation(name string, f *ast.FuncDecl) {
	o := &operation{Name: name}
	o.HTTP.Method, o.HTTP.RequestURI = "POST", "/"
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if selector(n.Fun) == "SplitURI" {
				o.HTTP.RequestURI = literal(n.Args[0])
			}
		case *ast.AssignStmt:
			if s, ok := n.Lhs[0].(*ast.SelectorExpr); ok && s.Sel.Name == "Method" && r.rest {
				o.HTTP.Method = literal(n.Rhs[0])
			}
		}
		return true
	})
	old := r.base.Operations[name]
	o.Input = r.end(name+"Input", name+"Request", old, func(o *operation) *reference { return o.Input })
	o.Output = r.end(name+"Output", name+"Response", old, func(o *operation) *reference { return o.Output })
	if old == nil && r.base.Metadata.Protocol == "query" && o.Output != nil {
		o.Output.ResultWrapper = name + "Result"
	}
	r.model.Operations[name] = o
}

// end makes the shape of an operation's input or output, under the name that the base has for it.
func (r *structReader) end(goName, name string, old *operation, of func(*operation) *reference) *reference {
	t := r.structs[goName]
	if t == nil {
		return nil
	}
	known := old != nil && of(old) != nil
	if known {
		name = of(old).Shape
	}
	s := r.structure(name, t)
	if !known && len(s.MemberOrder) == 0 {
		delete(r.model.Shapes, s.Name)
		return nil
	}
	return &reference{Shape: s.Name}
}

var bindingCalls = map[string]string{"SetURI": "uri", "SetQuery": "querystring", "AddQuery": "querystring",
	"SetHeader": "header", "AddHeader": "header"}

// bind reads encoder.SetQuery("name").String(*v.Field), or with locationName := "name" before it.
func (r *structReader) bind(name string, f *ast.FuncDecl) {
	o := r.model.Operations[name]
	if o == nil || o.Input == nil {
		return
	}
	s := r.model.Shapes[o.Input.Shape]
	for _, statement := range f.Body.List {
		guard, ok := statement.(*ast.IfStmt)
		if !ok {
			continue
		}
		member, wire := "", ""
		ast.Inspect(guard, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if selector(n.Lhs[0]) == "locationName" {
					wire = literal(n.Rhs[0])
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "v" && member == "" {
					member = s.memberByField(n.Sel.Name)
				}
			case *ast.CallExpr:
				if location := bindingCalls[selector(n.Fun)]; location != "" && member != "" && len(n.Args) == 1 {
					if named := literal(n.Args[0]); named != "" {
						wire = named
					}
					s.Members[member].Location, s.Members[member].LocationName = location, wire
				}
			}
			return true
		})
	}
}

// readNames finds the names on the wire of members that have another there: the module reads
// case "item": ... &sv.Items
func (r *structReader) readNames(dir string) error {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "deserializers.go"), nil, 0)
	if err != nil {
		return err
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := ""
		if _, op, ok := strings.Cut(f.Name.Name, "_deserializeOpHttpBindings"); ok {
			if o := r.model.Operations[strings.TrimSuffix(op, "Output")]; o != nil && o.Output != nil {
				r.model.Shapes[o.Output.Shape].readHeaders(f)
			}
			continue
		}
		if !r.lower {
			continue
		}
		if _, op, ok := strings.Cut(f.Name.Name, "_deserializeOpDocument"); ok {
			if o := r.model.Operations[strings.TrimSuffix(op, "Output")]; o != nil && o.Output != nil {
				name = o.Output.Shape
			}
		} else if _, typ, ok := strings.Cut(f.Name.Name, "_deserializeDocument"); ok {
			name = typ
		}
		if s := r.model.Shapes[name]; s != nil && s.Type == "structure" {
			s.readNames(f)
		}
	}
	return nil
}

// readHeaders finds the members of an output that travel in headers: the module reads
// if headerValues := response.Header.Values("name"); len(headerValues) != 0 { ... v.Field = ... }
func (s *shape) readHeaders(f *ast.FuncDecl) {
	for _, statement := range f.Body.List {
		guard, ok := statement.(*ast.IfStmt)
		if !ok {
			continue
		}
		init, ok := guard.Init.(*ast.AssignStmt)
		if !ok {
			continue
		}
		call, ok := init.Rhs[0].(*ast.CallExpr)
		if !ok || selector(call.Fun) != "Values" || len(call.Args) != 1 {
			continue
		}
		ast.Inspect(guard.Body, func(n ast.Node) bool {
			if x, ok := n.(*ast.SelectorExpr); ok && selector(x.X) == "v" {
				if member := s.memberByField(x.Sel.Name); member != "" && s.Members[member].Location == "" {
					s.Members[member].Location, s.Members[member].LocationName = "header", literal(call.Args[0])
				}
			}
			return true
		})
	}
}

func (s *shape) readNames(f *ast.FuncDecl) {
	ast.Inspect(f, func(n ast.Node) bool {
		clause, ok := n.(*ast.CaseClause)
		if !ok || len(clause.List) != 1 || literal(clause.List[0]) == "" {
			return true
		}
		wire := literal(clause.List[0])
		for _, statement := range clause.Body {
			ast.Inspect(statement, func(n ast.Node) bool {
				x, ok := n.(*ast.SelectorExpr)
				if !ok || selector(x.X) != "sv" {
					return true
				}
				if member := s.memberByField(x.Sel.Name); member != "" && member != wire && s.Members[member].Location == "" {
					s.Members[member].LocationName = wire
				}
				return true
			})
		}
		return true
	})
}
