package s3

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/service/s3/policy"
	"cirro/internal/store"
)

// Admit refuses what nobody may ask for without a signature. All other requests come as far as the bucket they name,
// which says itself what it allows.
func (s *Service) Admit(ctx context.Context, op *awsapi.Operation, _ any) error {
	if !awsapi.RequestOf(ctx).Principal.Anonymous() || anonymously[op.Name] {
		return nil
	}
	return accessDenied.New("Access Denied")
}

// anonymously are the operations that a bucket may allow to everybody. Each asks authorize.
var anonymously = map[string]bool{
	"GetObject": true, "HeadObject": true, "GetObjectAcl": true, "GetObjectTagging": true, "GetObjectAttributes": true, "PutObject": true,
	"DeleteObject": true, "DeleteObjects": true, "HeadBucket": true, "ListObjects": true, "ListObjectsV2": true, "ListObjectVersions": true,
	"ListMultipartUploads": true, "ListParts": true, "CreateMultipartUpload": true, "UploadPart": true, "CompleteMultipartUpload": true,
	"AbortMultipartUpload": true, "GetBucketLocation": true, "GetBucketAcl": true, "PutObjectTagging": true, "PutObjectAcl": true,
}

var _ awsapi.Guard = (*Service)(nil)

// ownPolicy are the actions that a bucket's own account can always take back.
var ownPolicy = map[string]bool{"s3:GetBucketPolicy": true, "s3:PutBucketPolicy": true, "s3:DeleteBucketPolicy": true}

// authorize answers AccessDenied where the bucket's policy, or what blocks public access, keeps the request from doing
// the action. Who has the bucket may do all that its policy does not deny; others what the policy or an ACL allows.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
func (s *Service) authorize(ctx context.Context, r store.Reader, b *bucket, action, key string) error {
	q := request(ctx)
	if q == nil || q.Principal.Service != "" {
		return nil // the platform itself
	}
	p := q.Principal
	own := p.Account == b.Account && !p.Anonymous()
	if _, has := b.Configs[kindPolicy]; own && !has {
		return nil
	}
	decision, public, err := s.decide(r, b, q, action, key)
	if err != nil {
		return err
	}
	switch {
	case decision == policy.Denied && own && ownPolicy[action] && strings.HasSuffix(p.ARN, ":root"):
		return nil
	case decision == policy.Denied:
		return denied(q, b, action, key, " with an explicit deny in a resource-based policy")
	case own:
		return nil
	}
	block, err := s.publicAccess(r, b)
	if err != nil {
		return err
	}
	if decision == policy.Allowed && !(public && awsapi.Val(block.RestrictPublicBuckets)) {
		return nil
	}
	ok, err := s.permitted(r, b, p, action, key, !awsapi.Val(block.IgnorePublicAcls))
	if err != nil || ok {
		return err
	}
	return accessDenied.New("Access Denied")
}

// denied tells those of the bucket's own account why.
func denied(q *awsapi.Request, b *bucket, action, key, why string) error {
	if q.Account() != b.Account || q.Principal.Anonymous() {
		return accessDenied.New("Access Denied")
	}
	return accessDenied.New("User: %s is not authorized to perform: %s on resource: \"%s\"%s", q.Principal.ARN, action, resourceOf(b, key), why)
}

func resourceOf(b *bucket, key string) string {
	if key == "" {
		return b.arn()
	}
	return b.arn() + "/" + key
}

// decide asks the bucket's policy.
func (s *Service) decide(r store.Reader, b *bucket, q *awsapi.Request, action, key string) (d policy.Decision, public bool, err error) {
	document, err := s.policyOf(r, b)
	if err != nil || document == nil {
		return policy.Silent, false, err
	}
	keys := conditionKeys{s: s, r: r, b: b, q: q, key: key}
	ask := &policy.Request{ARN: q.Principal.ARN, UserID: q.Principal.UserID, Action: action, Resource: resourceOf(b, key), Key: keys.get}
	if !q.Principal.Anonymous() {
		ask.Account, ask.Canonical = q.Account(), canonicalID(q.Account())
	}
	d = document.Evaluate(ask)
	return d, document.Public(), keys.err
}

// permitted asks the ACLs of the bucket, and of the object that a request reads.
func (s *Service) permitted(r store.Reader, b *bucket, p awsapi.Principal, action, key string, groups bool) (bool, error) {
	account := p.Account
	if p.Anonymous() {
		account = ""
	}
	permission, onObject := aclPermissions[strings.Replace(action, "ObjectVersion", "Object", 1)], key != ""
	if permission == "" {
		return false, nil
	}
	if permission == api.PermissionWrite {
		onObject = false // who may write to a bucket, its own list says
	}
	if !onObject {
		list, err := configOf(s, r, b, kindACL, asIs[acl])
		return list.permits(account, groups, permission), err
	}
	v, err := s.current(r, b, key)
	if err != nil || v == nil {
		return false, err
	}
	list, err := decodeACL(v.ACL)
	return account != "" && v.Owner == account || list.permits(account, groups, permission), err
}

// aclPermissions are the permissions that allow an action.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions
var aclPermissions = map[string]string{
	"s3:ListBucket": api.PermissionRead, "s3:ListBucketVersions": api.PermissionRead, "s3:ListBucketMultipartUploads": api.PermissionRead,
	"s3:PutObject": api.PermissionWrite, "s3:DeleteObject": api.PermissionWrite,
	"s3:GetObject": api.PermissionRead, "s3:GetObjectAcl": api.PermissionReadAcp, "s3:PutObjectAcl": api.PermissionWriteAcp,
	"s3:GetBucketAcl": api.PermissionReadAcp, "s3:PutBucketAcl": api.PermissionWriteAcp,
}

// conditionKeys answers what a policy's conditions ask of a request.
type conditionKeys struct {
	s   *Service
	r   store.Reader
	b   *bucket
	q   *awsapi.Request
	key string
	err error
}

// inputKeys are the condition keys that are members of the input.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html#amazons3-policy-keys
var inputKeys = map[string]string{
	"s3:prefix": "Prefix", "s3:delimiter": "Delimiter", "s3:max-keys": "MaxKeys", "s3:versionid": "VersionId",
	"s3:x-amz-acl": "ACL", "s3:x-amz-grant-full-control": "GrantFullControl", "s3:x-amz-grant-read": "GrantRead",
	"s3:x-amz-grant-read-acp": "GrantReadACP", "s3:x-amz-grant-write": "GrantWrite", "s3:x-amz-grant-write-acp": "GrantWriteACP",
	"s3:x-amz-copy-source": "CopySource", "s3:x-amz-metadata-directive": "MetadataDirective", "s3:x-amz-storage-class": "StorageClass",
	"s3:x-amz-server-side-encryption": "ServerSideEncryption", "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
	"s3:x-amz-server-side-encryption-customer-algorithm": "SSECustomerAlgorithm", "s3:x-amz-website-redirect-location": "WebsiteRedirectLocation",
	"s3:object-lock-mode": "ObjectLockMode", "s3:object-lock-legal-hold": "ObjectLockLegalHoldStatus",
	"s3:object-lock-retain-until-date": "ObjectLockRetainUntilDate", "s3:if-match": "IfMatch", "s3:if-none-match": "IfNoneMatch",
}

func (k *conditionKeys) get(name string) ([]string, bool) {
	one := func(s string) ([]string, bool) { return []string{s}, s != "" }
	p := k.q.Principal
	switch name {
	case "aws:sourceip":
		return one(k.q.SourceIP)
	case "aws:securetransport":
		return one(fmt.Sprint(strings.HasPrefix(k.q.Endpoint, "https:")))
	case "aws:useragent":
		return one(k.q.UserAgent)
	case "aws:currenttime":
		return one(k.q.Time.UTC().Format(isoMilli))
	case "aws:epochtime":
		return one(fmt.Sprint(k.q.Time.Unix()))
	case "aws:principalarn":
		return one(p.ARN)
	case "aws:principalaccount":
		if p.Anonymous() {
			return nil, false
		}
		return one(p.Account)
	case "aws:userid":
		return one(p.UserID)
	case "aws:username":
		_, user, _ := strings.Cut(p.ARN, ":user/")
		return one(user[strings.LastIndexByte(user, '/')+1:])
	case "aws:requestedregion":
		return one(k.q.Region)
	case "s3:resourceaccount", "aws:resourceaccount":
		return one(k.b.Account)
	}
	if field := inputKeys[name]; field != "" {
		return one(inputText(k.q.Input, field))
	}
	if tag, ok := strings.CutPrefix(name, "s3:existingobjecttag/"); ok {
		return k.existingTag(tag)
	}
	if tag, ok := strings.CutPrefix(name, "s3:requestobjecttag/"); ok {
		tags, _ := tagsOfHeader(inputText(k.q.Input, "Tagging"))
		return tagValue(tags, tag)
	}
	return nil, false
}

// inputText is a member of an input as text, "" where it is not there.
func inputText(in any, field string) string {
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return ""
	}
	f := v.FieldByName(field)
	if !f.IsValid() || f.Kind() != reflect.Pointer || f.IsNil() {
		return ""
	}
	return fmt.Sprint(f.Elem().Interface())
}

func (k *conditionKeys) existingTag(name string) ([]string, bool) {
	v, err := k.s.current(k.r, k.b, k.key)
	if err != nil || v == nil {
		k.err = err
		return nil, false
	}
	return tagValue(v.Tags, name)
}

// tagValue looks a tag up. Names of condition keys come in lower case.
func tagValue(tags []pair, name string) ([]string, bool) {
	for _, t := range tags {
		if strings.EqualFold(t.Name, name) {
			return []string{t.Value}, true
		}
	}
	return nil, false
}
