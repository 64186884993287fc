package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// acl is who may do what with a bucket or an object: its grants as they are kept. None at all stands for the private
// one, in which the owner has full control.
type acl struct {
	Grants []grant `json:"g"`
}

// grant gives one permission to one grantee.
type grant struct {
	ID         string `json:"i,omitempty"` // canonical id of an account
	URI        string `json:"u,omitempty"` // of a group
	Permission string `json:"p"`
}

// The groups. https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
const (
	allUsers           = "http://acs.amazonaws.com/groups/global/AllUsers"
	authenticatedUsers = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	logDelivery        = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// bundleReader is the account that reads the bundles of machine images.
const bundleReader = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"

var (
	aclsNotSupported  = &awsapi.ErrorType{Code: "AccessControlListNotSupported", Status: http.StatusBadRequest}
	malformedACL      = &awsapi.ErrorType{Code: "MalformedACLError", Status: http.StatusBadRequest}
	missingHeader     = &awsapi.ErrorType{Code: "MissingSecurityHeader", Status: http.StatusBadRequest}
	unexpectedContent = &awsapi.ErrorType{Code: "UnexpectedContent", Status: http.StatusBadRequest}
	unknownEmail      = &awsapi.ErrorType{Code: "UnresolvableGrantByEmailAddress", Status: http.StatusBadRequest}
)

// public reports whether the list gives a group of everybody something.
func (a *acl) public() bool {
	return a != nil && slices.ContainsFunc(a.Grants, func(g grant) bool { return g.URI == allUsers || g.URI == authenticatedUsers })
}

// permits reports whether the list gives one of the permissions to an account, "" for nobody; groups says whether
// those of everybody count.
func (a *acl) permits(account string, groups bool, permissions ...string) bool {
	if a == nil {
		return false
	}
	return slices.ContainsFunc(a.Grants, func(g grant) bool {
		if g.Permission != api.PermissionFullControl && !slices.Contains(permissions, g.Permission) {
			return false
		}
		switch g.URI {
		case "":
			return account != "" && g.ID == canonicalID(account)
		case allUsers:
			return groups
		case authenticatedUsers:
			return groups && account != ""
		}
		return false
	})
}

// shown is the list as S3 tells it.
func (a *acl) shown(owner string) []api.Grant {
	if a == nil {
		a = &acl{Grants: []grant{{ID: canonicalID(owner), Permission: api.PermissionFullControl}}}
	}
	out := make([]api.Grant, len(a.Grants))
	for i, g := range a.Grants {
		out[i].Permission = new(g.Permission)
		if g.URI != "" {
			out[i].Grantee = &api.Grantee{Type: new(api.TypeGroup), URI: new(g.URI)}
		} else {
			out[i].Grantee = &api.Grantee{Type: new(api.TypeCanonicalUser), ID: new(g.ID)}
		}
	}
	return out
}

// aclWish is what a request says of a list.
type aclWish struct {
	canned                                      *string
	fullControl, read, readACP, write, writeACP *string
	document                                    *api.AccessControlPolicy
	needed                                      bool
	owner, bucketOwner                          string // accounts
}

// wanted reports whether the request says anything of a list.
func (w *aclWish) wanted() bool {
	return w.canned != nil || w.document != nil || w.headers()
}

func (w *aclWish) headers() bool {
	return w.fullControl != nil || w.read != nil || w.readACP != nil || w.write != nil || w.writeACP != nil
}

// list is the list that a request asks for; nil is the private one.
func (w *aclWish) list() (*acl, error) {
	switch {
	case w.canned != nil && w.headers():
		return nil, invalidRequest.New("Specifying both Canned ACLs and Header Grants is not allowed")
	case w.document != nil && (w.canned != nil || w.headers()):
		return nil, unexpectedContent.New("This request contains unsupported content.")
	case w.canned != nil:
		return w.fromCanned()
	case w.headers():
		return w.fromHeaders()
	case w.document != nil:
		return w.fromDocument()
	case w.needed:
		return nil, missingHeader.New("Your request was missing a required header").With("MissingHeaderName", "x-amz-acl")
	}
	return nil, nil
}

// fromCanned is what a canned list stands for.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl
func (w *aclWish) fromCanned() (*acl, error) {
	a := &acl{Grants: []grant{{ID: canonicalID(w.owner), Permission: api.PermissionFullControl}}}
	group := func(uri string, permissions ...string) {
		for _, p := range permissions {
			a.Grants = append(a.Grants, grant{URI: uri, Permission: p})
		}
	}
	bucketOwner := func(permission string) {
		if w.bucketOwner != w.owner {
			a.Grants = append(a.Grants, grant{ID: canonicalID(w.bucketOwner), Permission: permission})
		}
	}
	switch *w.canned {
	case api.ObjectCannedACLPrivate:
		return nil, nil
	case api.ObjectCannedACLPublicRead:
		group(allUsers, api.PermissionRead)
	case api.ObjectCannedACLPublicReadWrite:
		group(allUsers, api.PermissionRead, api.PermissionWrite)
	case api.ObjectCannedACLAuthenticatedRead:
		group(authenticatedUsers, api.PermissionRead)
	case api.ObjectCannedACLAwsExecRead:
		a.Grants = append(a.Grants, grant{ID: bundleReader, Permission: api.PermissionRead})
	case api.ObjectCannedACLBucketOwnerRead:
		bucketOwner(api.PermissionRead)
	case api.ObjectCannedACLBucketOwnerFullControl:
		bucketOwner(api.PermissionFullControl)
	case "log-delivery-write":
		group(logDelivery, api.PermissionWrite, api.PermissionReadAcp)
	default:
		return nil, wrongArgument("x-amz-acl", *w.canned, "")
	}
	return a, nil
}

func (w *aclWish) fromHeaders() (*acl, error) {
	a := &acl{}
	for _, h := range []struct {
		value      *string
		permission string
	}{{w.fullControl, api.PermissionFullControl}, {w.read, api.PermissionRead}, {w.readACP, api.PermissionReadAcp},
		{w.write, api.PermissionWrite}, {w.writeACP, api.PermissionWriteAcp}} {
		if h.value == nil {
			continue
		}
		for part := range strings.SplitSeq(*h.value, ",") {
			kind, value, ok := strings.Cut(strings.TrimSpace(part), "=")
			if !ok {
				return nil, wrongArgument("x-amz-grant-"+strings.ReplaceAll(strings.ToLower(h.permission), "_", "-"), *h.value, "Argument format not recognized")
			}
			g, err := granteeOf(strings.TrimSpace(kind), strings.Trim(strings.TrimSpace(value), `"'`))
			if err != nil {
				return nil, err
			}
			g.Permission = h.permission
			a.Grants = append(a.Grants, g)
		}
	}
	return a, nil
}

func granteeOf(kind, value string) (grant, error) {
	switch kind {
	case "id":
		if !isCanonicalID(value) {
			return grant{}, wrongArgument("id", value, "Invalid id")
		}
		return grant{ID: value}, nil
	case "uri":
		if value != allUsers && value != authenticatedUsers && value != logDelivery {
			return grant{}, wrongArgument("uri", value, "Invalid group uri")
		}
		return grant{URI: value}, nil
	case "emailAddress":
		return grant{}, unknownEmail.New("The e-mail address you provided does not match any account on record.").With("EmailAddress", value)
	}
	return grant{}, wrongArgument(kind, value, "Argument format not recognized")
}

func (w *aclWish) fromDocument() (*acl, error) {
	refusal := malformedACL.New("The XML you provided was not well-formed or did not validate against our published schema")
	if w.document.Owner == nil || awsapi.Val(w.document.Owner.ID) == "" {
		return nil, refusal
	}
	if !isCanonicalID(*w.document.Owner.ID) {
		return nil, wrongArgument("CanonicalUser/ID", *w.document.Owner.ID, "Invalid id")
	}
	a := &acl{}
	for _, one := range w.document.Grants {
		permission := awsapi.Val(one.Permission)
		if one.Grantee == nil || !slices.Contains(permissions, permission) {
			return nil, refusal
		}
		g, err := grant{}, error(refusal)
		switch awsapi.Val(one.Grantee.Type) {
		case api.TypeCanonicalUser:
			if g = (grant{ID: awsapi.Val(one.Grantee.ID)}); isCanonicalID(g.ID) {
				err = nil
			} else {
				err = wrongArgument("CanonicalUser/ID", g.ID, "Invalid id")
			}
		case api.TypeGroup:
			g, err = granteeOf("uri", awsapi.Val(one.Grantee.URI))
			if err != nil {
				err = wrongArgument("Group/URI", awsapi.Val(one.Grantee.URI), "Invalid group uri")
			}
		case api.TypeAmazonCustomerByEmail:
			g, err = granteeOf("emailAddress", awsapi.Val(one.Grantee.EmailAddress))
		}
		if err != nil {
			return nil, err
		}
		g.Permission = permission
		a.Grants = append(a.Grants, g)
	}
	return a, nil
}

var permissions = []string{api.PermissionFullControl, api.PermissionRead, api.PermissionReadAcp, api.PermissionWrite, api.PermissionWriteAcp}

func isCanonicalID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// allowedACL makes the list that a request asks for, where the bucket takes lists and does not block it.
func (s *Service) allowedACL(r store.Reader, b *bucket, w *aclWish) (*acl, error) {
	if !w.wanted() && !w.needed {
		return nil, nil
	}
	list, err := w.list()
	if err != nil {
		return nil, err
	}
	owns, err := s.ownership(r, b)
	if err != nil {
		return nil, err
	}
	if owns == api.ObjectOwnershipBucketOwnerEnforced {
		// What gives the bucket's owner full control, and nobody else anything, changes nothing.
		same := awsapi.Val(w.canned) == api.ObjectCannedACLBucketOwnerFullControl || awsapi.Val(w.canned) == api.ObjectCannedACLPrivate
		if w.needed || !same {
			return nil, aclsNotSupported.New("The bucket does not allow ACLs")
		}
		return nil, nil
	}
	block, err := s.publicAccess(r, b)
	if err == nil && list.public() && awsapi.Val(block.BlockPublicAcls) {
		err = accessDenied.New("Access Denied")
	}
	return list, err
}

// PutBucketAcl says who may do what with a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketAcl.html
func (s *Service) PutBucketAcl(ctx context.Context, in *api.PutBucketAclRequest) (*api.PutBucketAclOutput, error) {
	return &api.PutBucketAclOutput{}, s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketAcl", func(tx store.Tx, b *bucket) error {
		w := aclWish{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, write: in.GrantWrite,
			writeACP: in.GrantWriteACP, document: in.AccessControlPolicy, needed: true, owner: b.Account, bucketOwner: b.Account}
		list, err := s.allowedACL(tx, b, &w)
		if err != nil {
			return err
		}
		if list == nil {
			_, err = s.deleteConfig(tx, b, kindACL)
		} else {
			_, err = s.setConfig(tx, b, kindACL, list)
		}
		return err
	})
}

// GetBucketAcl tells who may do what with a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketAcl.html
func (s *Service) GetBucketAcl(ctx context.Context, in *api.GetBucketAclRequest) (*api.GetBucketAclOutput, error) {
	out := &api.GetBucketAclOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketAcl", func(r store.Reader, b *bucket) error {
		list, err := configOf(s, r, b, kindACL, asIs[acl])
		out.Owner, out.Grants = ownerOf(b.Account), list.shown(b.Account)
		return err
	})
	return out, err
}

// PutObjectAcl says who may do what with an object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html
func (s *Service) PutObjectAcl(ctx context.Context, in *api.PutObjectAclRequest) (*api.PutObjectAclOutput, error) {
	_, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, versioned("s3:PutObjectAcl", in.VersionId), *in.Key, in.VersionId,
		func(tx store.Tx, b *bucket, v *version) error {
			w := aclWish{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, write: in.GrantWrite,
				writeACP: in.GrantWriteACP, document: in.AccessControlPolicy, needed: true, owner: b.ownerOf(v), bucketOwner: b.Account}
			list, err := s.allowedACL(tx, b, &w)
			if err != nil {
				return err
			}
			v.ACL = list.encode()
			return s.notify(tx, b, b.event("ObjectAcl:Put", *in.Key, v, request(ctx)))
		})
	return &api.PutObjectAclOutput{}, err
}

// GetObjectAcl tells who may do what with an object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html
func (s *Service) GetObjectAcl(ctx context.Context, in *api.GetObjectAclRequest) (*api.GetObjectAclOutput, error) {
	out := &api.GetObjectAclOutput{}
	err := s.lookVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, versioned("s3:GetObjectAcl", in.VersionId), *in.Key, in.VersionId,
		func(_ store.Reader, b *bucket, v *version) error {
			list, err := decodeACL(v.ACL)
			out.Owner, out.Grants = ownerOf(b.ownerOf(v)), list.shown(b.ownerOf(v))
			return err
		})
	return out, err
}

// ownerOf is the account that owns a version.
func (b *bucket) ownerOf(v *version) string {
	if v.Owner != "" {
		return v.Owner
	}
	return b.Account
}

// encode is the list as versions keep it; nil for the private one.
func (a *acl) encode() []byte {
	if a == nil {
		return nil
	}
	return []byte(compactJSON(a))
}

func decodeACL(b []byte) (*acl, error) {
	if len(b) == 0 {
		return nil, nil
	}
	a := &acl{}
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("s3: an ACL cannot be read: %w", err)
	}
	return a, nil
}
