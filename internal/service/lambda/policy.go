package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// statement is one statement of a resource policy, its fields in the order in which Lambda writes them.
type statement struct {
	Sid       string
	Effect    string
	Principal any // "*" or {"Service": …} or {"AWS": …}
	Action    string
	Resource  string
	Condition condition `json:",omitempty"`
}

// condition is a policy's condition: operator, key, value.
type condition map[string]map[string]string

// String is the statement as JSON.
func (st statement) String() string { return compact(st) }

// allows reports whether the principal is the account, or everyone.
func (st statement) allows(account string) bool {
	if st.Principal == "*" {
		return true
	}
	p, _ := st.Principal.(map[string]any)
	who, _ := p["AWS"].(string)
	return who == "arn:aws:iam::"+account+":root"
}

// document is a policy as JSON.
func document(statements []statement) string {
	return compact(struct {
		Version, Id string
		Statement   []statement
	}{"2012-10-17", "default", statements})
}

func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings alone
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func policyKey(s scope, name, qualifier string) []byte {
	return store.Key("lambda", "policy", s.Account, s.Region, name, qualifier)
}

// policyOf reads the statements that apply to a function under a qualifier, "" standing for the
// function itself.
func policyOf(r store.Reader, s scope, name, qualifier string) ([]statement, error) {
	statements, _, err := store.GetRecord[[]statement](r, policyKey(s, name, qualifier))
	return statements, err
}

func statementExists(sid string) error {
	return conflict("The statement id (%s) provided already exists. Please provide a new statement id, or remove the "+
		"existing statement.", sid)
}

func statementMissing(sid string) error {
	return notFound("Statement %s is not found in resource policy.", sid)
}

// AddPermission adds a statement to the policy of a function, a version or an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionRequest) (*api.AddPermissionResponse, error) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	if ref.Qualifier == latest {
		return nil, invalid("We currently do not support adding policies for $LATEST.")
	}
	st, err := permission(ref, in)
	if err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, ref, in.RevisionId, func(statements []statement) ([]statement, error) {
		if slices.ContainsFunc(statements, func(o statement) bool { return o.Sid == st.Sid }) {
			return nil, statementExists(st.Sid)
		}
		statements = append(statements, st)
		if size := len(document(statements)); size > maxPolicy {
			return nil, api.PolicyLengthExceededException.New("The final policy size (%d) is bigger than the limit (%d).",
				size, maxPolicy).With("Type", "User")
		}
		return statements, nil
	})
	if err != nil {
		return nil, err
	}
	return &api.AddPermissionResponse{Statement: new(st.String())}, nil
}

// maxPolicy bounds a resource policy, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPolicy = 20 << 10

var iamARN = regexp.MustCompile(`^arn:aws[a-zA-Z-]*:(iam|sts)::`)

// permission makes the statement that a request asks for.
func permission(ref reference, in *api.AddPermissionRequest) (statement, error) {
	st := statement{Sid: *in.StatementId, Effect: "Allow", Action: *in.Action, Resource: ref.ARN()}
	switch p := *in.Principal; {
	case strings.HasSuffix(p, ".amazonaws.com"):
		st.Principal = map[string]any{"Service": p}
	case len(p) == 12 && digits.MatchString(p):
		st.Principal = map[string]any{"AWS": "arn:aws:iam::" + p + ":root"}
	case iamARN.MatchString(p):
		st.Principal = map[string]any{"AWS": p}
	case p == "*":
		st.Principal = p
	default:
		return st, invalid("The provided principal was invalid. Please check the principal and try again.")
	}
	var viaURL *string
	if in.InvokedViaFunctionUrl != nil {
		viaURL = new(strconv.FormatBool(*in.InvokedViaFunctionUrl))
	}
	for _, c := range []struct {
		operator, key string
		value         *string
	}{
		{"Bool", "lambda:InvokedViaFunctionUrl", viaURL},
		{"StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType},
		{"StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID},
		{"StringEquals", "AWS:SourceAccount", in.SourceAccount},
		{"StringEquals", "lambda:EventSourceToken", in.EventSourceToken},
		{"ArnLike", "AWS:SourceArn", in.SourceArn},
	} {
		if c.value == nil {
			continue
		}
		if st.Condition == nil {
			st.Condition = condition{}
		}
		if st.Condition[c.operator] == nil {
			st.Condition[c.operator] = map[string]string{}
		}
		st.Condition[c.operator][c.key] = *c.value
	}
	return st, nil
}

// RemovePermission takes a statement out of a policy.
// https://docs.aws.amazon.com/lambda/latest/api/API_RemovePermission.html
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionRequest) (*api.RemovePermissionOutput, error) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name))
		if err != nil || !found {
			return orNotFound(err, "No policy found for: %s", ref.ARN())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, ref, in.RevisionId, func(statements []statement) ([]statement, error) {
		if len(statements) == 0 {
			return nil, notFound("No policy is associated with the given resource.")
		}
		i := slices.IndexFunc(statements, func(o statement) bool { return o.Sid == *in.StatementId })
		if i < 0 {
			return nil, statementMissing(*in.StatementId)
		}
		return slices.Delete(statements, i, i+1), nil
	})
	if err != nil {
		return nil, err
	}
	return &api.RemovePermissionOutput{}, nil
}

// changePolicy changes a policy, and with it the revision of what it belongs to.
func (s *Service) changePolicy(ctx context.Context, ref reference, revision *string, f func([]statement) ([]statement, error)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		now, write, err := revisionOf(tx, ref)
		if err != nil {
			return err
		}
		statements, err := policyOf(tx, ref.scope, ref.Name, ref.Qualifier)
		if err != nil {
			return err
		}
		if statements, err = f(statements); err != nil {
			return err
		}
		if err := matchRevision(revision, now); err != nil {
			return err
		}
		if err := write(uuid.NewString()); err != nil {
			return err
		}
		key := policyKey(ref.scope, ref.Name, ref.Qualifier)
		if len(statements) == 0 {
			return tx.Delete(key)
		}
		return store.SetRecord(tx, key, statements)
	})
}

// revisionOf reads the revision of the function, version or alias that ref names, and returns what
// writes another.
func revisionOf(tx store.Tx, ref reference) (now string, write func(string) error, err error) {
	if _, err := functionOf(tx, reference{scope: ref.scope, Name: ref.Name}); err != nil {
		return "", nil, err
	}
	number := ref.Qualifier
	if number == "" {
		number = latest
	}
	if versionNumber(number) < 0 {
		key := aliasKey(ref.scope, ref.Name, number)
		a, found, err := store.GetRecord[alias](tx, key)
		if err != nil || !found {
			return "", nil, orNotFound(err, "Cannot find alias arn: %s", ref.ARN())
		}
		return a.RevisionID, func(id string) error {
			a.RevisionID = id
			return store.SetRecord(tx, key, a)
		}, nil
	}
	v, err := versionOf(tx, ref, number)
	if err != nil {
		return "", nil, err
	}
	return v.RevisionID, func(id string) error {
		v.RevisionID = id
		return store.SetRecord(tx, versionKey(ref.scope, ref.Name, number), *v)
	}, nil
}

// GetPolicy returns the policy of a function, a version or an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func (s *Service) GetPolicy(ctx context.Context, in *api.GetPolicyRequest) (out *api.GetPolicyResponse, err error) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := lookup(ctx, r, *in.FunctionName, ref.Qualifier)
		if err != nil {
			return err
		}
		statements, err := policyOf(r, ref.scope, ref.Name, ref.Qualifier)
		if err != nil {
			return err
		}
		if len(statements) == 0 {
			return notFound("The resource you requested does not exist.")
		}
		out = &api.GetPolicyResponse{Policy: new(document(statements)), RevisionId: &t.RevisionID}
		if t.Alias != nil {
			out.RevisionId = &t.Alias.RevisionID
		}
		return nil
	})
	return out, err
}
