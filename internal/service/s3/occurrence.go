package s3

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"time"
)

// occurrence is an event with all that its records tell of it.
type occurrence struct {
	Name, Bucket, Account, Region string
	Key, VersionID, ETag          string
	Size                          int64
	Sequencer                     string
	Time                          time.Time
	Restored                      time.Time `json:",omitzero"`
	Class                         string    `json:",omitempty"`
	RequestID                     string
	Principal                     string // who made the request, as records name it
	Requester                     string // an account, or the service
	SourceIP                      string
	Trace                         string
}

// emptyETag is that of a body without bytes, which delete markers are said to have.
const emptyETag = "d41d8cd98f00b204e9800998ecf8427e"

// lifecycleService is who expires objects.
const lifecycleService = "s3.amazonaws.com"

func (s *Service) occurrenceOf(b *bucket, e objectEvent) *occurrence {
	o := &occurrence{Name: e.Name, Bucket: b.Name, Account: b.Account, Region: b.Region, Key: e.Key, VersionID: e.VersionID,
		ETag: e.ETag, Size: e.Size, Sequencer: e.Sequencer, Time: s.Clock().UTC(), Restored: e.Restored, Class: e.Class}
	if strings.HasSuffix(e.Name, ":DeleteMarkerCreated") {
		o.ETag = emptyETag
	}
	if b.Versioning == "" {
		o.VersionID = ""
	}
	r := e.Request
	if r == nil {
		o.RequestID, o.Principal, o.Requester, o.SourceIP = strings.ToUpper(e.Sequencer), lifecycleService, lifecycleService, lifecycleService
		return o
	}
	o.RequestID, o.SourceIP, o.Trace = r.ID, r.SourceIP, r.TraceID
	p := r.Principal
	switch {
	case p.Anonymous():
		o.Principal, o.Requester = "Anonymous", "Anonymous"
	default:
		o.Principal, o.Requester = "AWS:"+p.UserID, p.Account
	}
	return o
}

// record is the structure of S3's event messages.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
type record struct {
	EventVersion string `json:"eventVersion"`
	EventSource  string `json:"eventSource"`
	AWSRegion    string `json:"awsRegion"`
	EventTime    string `json:"eventTime"`
	EventName    string `json:"eventName"`
	UserIdentity struct {
		PrincipalID string `json:"principalId"`
	} `json:"userIdentity"`
	RequestParameters struct {
		SourceIPAddress string `json:"sourceIPAddress"`
	} `json:"requestParameters"`
	ResponseElements struct {
		RequestID string `json:"x-amz-request-id"`
		ID2       string `json:"x-amz-id-2"`
	} `json:"responseElements"`
	S3 struct {
		SchemaVersion   string `json:"s3SchemaVersion"`
		ConfigurationID string `json:"configurationId"`
		Bucket          struct {
			Name          string `json:"name"`
			OwnerIdentity struct {
				PrincipalID string `json:"principalId"`
			} `json:"ownerIdentity"`
			ARN string `json:"arn"`
		} `json:"bucket"`
		Object struct {
			Key       string `json:"key"`
			Size      *int64 `json:"size,omitempty"`
			ETag      string `json:"eTag,omitempty"`
			VersionID string `json:"versionId,omitempty"`
			Sequencer string `json:"sequencer,omitempty"`
		} `json:"object"`
	} `json:"s3"`
	Glacier *glacierEvent `json:"glacierEventData,omitempty"`
}

// glacierEvent tells of what was restored.
type glacierEvent struct {
	Restore struct {
		Expiry string `json:"lifecycleRestorationExpiryTime"`
		Class  string `json:"lifecycleRestoreStorageClass"`
	} `json:"restoreEventData"`
}

// isoMilli is how S3 writes times in events.
const isoMilli = "2006-01-02T15:04:05.000Z"

// records is the message that Lambda, SQS and SNS get, with the id of the configuration that led to it.
func (o *occurrence) records(rule string) string {
	r := record{EventVersion: o.schema(), EventSource: "aws:s3", AWSRegion: o.Region, EventTime: o.Time.UTC().Format(isoMilli), EventName: o.Name}
	r.UserIdentity.PrincipalID = o.Principal
	r.RequestParameters.SourceIPAddress = o.SourceIP
	r.ResponseElements.RequestID, r.ResponseElements.ID2 = o.RequestID, extendedID(o.RequestID)
	r.S3.SchemaVersion, r.S3.ConfigurationID = "1.0", rule
	r.S3.Bucket.Name, r.S3.Bucket.ARN = o.Bucket, "arn:aws:s3:::"+o.Bucket
	r.S3.Bucket.OwnerIdentity.PrincipalID = ownerPrincipal(o.Account)
	object := &r.S3.Object
	object.Key, object.VersionID, object.ETag = eventKey(o.Key), o.VersionID, o.ETag
	switch {
	case o.of("ObjectCreated"), o.of("ObjectRestore"):
		object.Size, object.Sequencer = &o.Size, o.Sequencer
	case !o.of("ObjectTagging") && !o.of("ObjectAcl"):
		object.Sequencer = o.Sequencer
	}
	if o.Name == "ObjectRestore:Completed" {
		r.Glacier = &glacierEvent{}
		r.Glacier.Restore.Expiry, r.Glacier.Restore.Class = o.Restored.UTC().Format(isoMilli), o.Class
	}
	return compactJSON(struct{ Records []record }{[]record{r}})
}

// of reports whether the event is one of a group.
func (o *occurrence) of(group string) bool {
	name, _, _ := strings.Cut(o.Name, ":")
	return name == group
}

// schema is the version of the record's structure: 2.3 for what came later than creation and removal.
func (o *occurrence) schema() string {
	if o.of("ObjectCreated") || o.of("ObjectRemoved") || o.of("ObjectRestore") {
		return "2.1"
	}
	return "2.3"
}

// detail is the detail type and the detail of the event that EventBridge gets.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
func (o *occurrence) detail() (kind, detail string) {
	type object struct {
		Key       string `json:"key"`
		Size      *int64 `json:"size,omitempty"`
		ETag      string `json:"etag,omitempty"`
		VersionID string `json:"version-id,omitempty"`
		Sequencer string `json:"sequencer,omitempty"`
	}
	d := struct {
		Version string `json:"version"`
		Bucket  struct {
			Name string `json:"name"`
		} `json:"bucket"`
		Object       object `json:"object"`
		RequestID    string `json:"request-id"`
		Requester    string `json:"requester"`
		SourceIP     string `json:"source-ip-address,omitempty"`
		Reason       string `json:"reason,omitempty"`
		DeletionType string `json:"deletion-type,omitempty"`
		Expiry       string `json:"restore-expiry-time,omitempty"`
		Class        string `json:"source-storage-class,omitempty"`
	}{Version: "0", Object: object{Key: o.Key, ETag: o.ETag, VersionID: o.VersionID}, RequestID: o.RequestID, Requester: o.Requester}
	d.Bucket.Name = o.Bucket
	if o.SourceIP != lifecycleService {
		d.SourceIP = o.SourceIP
	}
	_, what, _ := strings.Cut(o.Name, ":")
	switch {
	case o.of("ObjectCreated"):
		kind, d.Reason = "Object Created", reasons[what]
		d.Object.Size, d.Object.Sequencer = &o.Size, o.Sequencer
	case o.of("ObjectRemoved"), o.of("LifecycleExpiration"):
		kind, d.Reason, d.DeletionType = "Object Deleted", "DeleteObject", "Permanently Deleted"
		if o.of("LifecycleExpiration") {
			d.Reason = "Lifecycle Expiration"
		}
		if what == "DeleteMarkerCreated" {
			d.DeletionType = "Delete Marker Created"
		}
		d.Object.Sequencer = o.Sequencer
	case o.of("ObjectTagging"):
		kind = "Object Tags Added"
		if what == "Delete" {
			kind = "Object Tags Deleted"
		}
	case o.of("ObjectAcl"):
		kind = "Object ACL Updated"
	case o.of("ObjectRestore"):
		kind, d.Class, d.Object.Size = "Object Restore Initiated", o.Class, &o.Size
		if what == "Completed" {
			kind, d.Expiry, d.SourceIP = "Object Restore Completed", o.Restored.UTC().Format(isoMilli), ""
		}
	case o.of("LifecycleTransition"):
		kind = "Object Storage Class Changed"
		d.Object.Size = &o.Size
	}
	return kind, compactJSON(d)
}

// reasons are EventBridge's names for the requests that make an object.
var reasons = map[string]string{"Put": "PutObject", "Post": "POST Object", "Copy": "CopyObject", "CompleteMultipartUpload": "CompleteMultipartUpload"}

// eventKey is a key as event messages have it: encoded as in a form, but for its slashes.
func eventKey(key string) string {
	return keyText.Replace(url.QueryEscape(key))
}

var keyText = strings.NewReplacer("%2F", "/", "%2A", "*", "~", "%7E")

// ownerPrincipal is the customer id of an account's user, made up of the account.
func ownerPrincipal(account string) string {
	h := sha256.Sum256([]byte("s3 customer " + account))
	return "A" + strings.ToUpper(hex.EncodeToString(h[:]))[:13]
}

// extendedID is the id of the host that answered a request, which S3 sends as x-amz-id-2: made up of the request's.
func extendedID(requestID string) string {
	h := sha256.Sum256([]byte(requestID))
	return base64.StdEncoding.EncodeToString(append(h[:], h[:19]...))
}

// testEvent is what a destination gets when a bucket is to notify it.
func testEvent(now time.Time, bucket, requestID string) string {
	return compactJSON(struct {
		Service, Event, Time, Bucket, RequestId, HostId string
	}{"Amazon S3", "s3:TestEvent", now.UTC().Format(isoMilli), bucket, requestID, extendedID(requestID)})
}
