package s3

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// Website answers requests to the hosts of websites: pages for browsers, errors in HTML, redirections.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html
type Website struct {
	service *Service
	bucket  func(host string) string
	public  bool // pages are for everybody, as where signatures are not verified
}

// Website serves the buckets that are websites. bucket finds the one that a host names, "" for none. Where verify, only
// what a bucket's policy or an object's ACL opens to everybody is served, as on AWS.
func (s *Service) Website(bucket func(host string) string, verify bool) *Website {
	return &Website{s, bucket, !verify}
}

// Match reports whether a request is to a website.
func (w *Website) Match(r *http.Request) bool { return w.bucket(r.Host) != "" }

// ServeHTTP answers a request.
func (w *Website) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	v := &visitor{Website: w, w: out, r: r, name: w.bucket(r.Host), id: uuid.NewString()}
	out.Header().Set("X-Amz-Request-Id", v.id)
	out.Header().Set("X-Amz-Id-2", extendedID(v.id))
	out.Header().Set("Server", "AmazonS3")
	if err := v.serve(); err != nil {
		v.fail(err)
	}
}

// visitor is one request to a website.
type visitor struct {
	*Website
	w        http.ResponseWriter
	r        *http.Request
	name, id string
	bucket   *bucket
	config   *api.WebsiteConfiguration
}

func (v *visitor) serve() error {
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead {
		return methodNotAllowed.New("The specified method is not allowed against this resource.").
			With("Method", v.r.Method).With("ResourceType", "OBJECT")
	}
	err := v.service.Store.View(v.r.Context(), func(r store.Reader) (err error) {
		if v.bucket, err = v.service.bucketOf(r, v.name); err != nil {
			return err
		}
		v.config, err = configOf(v.service, r, v.bucket, kindWebsite, asIs[api.WebsiteConfiguration])
		return err
	})
	switch {
	case err != nil:
		return err
	case v.config == nil:
		return noWebsite().With("BucketName", v.name)
	}
	key := strings.TrimPrefix(v.r.URL.Path, "/")
	if all := v.config.RedirectAllRequestsTo; all != nil {
		v.redirect(&api.Redirect{HostName: all.HostName, Protocol: all.Protocol}, key, "")
		return nil
	}
	if rule := v.rule(key, ""); rule != nil {
		v.redirect(rule.Redirect, key, prefixOf(rule))
		return nil
	}
	index := *v.config.IndexDocument.Suffix
	asked := key
	if asked == "" || strings.HasSuffix(asked, "/") {
		asked += index
	}
	err = v.page(asked, http.StatusOK)
	if notThere(err) && asked == key {
		// A folder without its slash: the browser must know that it is one.
		if _, missing := v.open(key + "/" + index); missing == nil {
			v.move("/"+escapePath(key)+"/", http.StatusFound)
			return nil
		}
	}
	if err == nil {
		return nil
	}
	return v.instead(key, err)
}

// instead answers with what the website has for an error: a redirection, or its page.
func (v *visitor) instead(key string, err error) error {
	known, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		return err
	}
	if rule := v.rule(key, strconv.Itoa(known.Type.Status)); rule != nil {
		v.redirect(rule.Redirect, key, prefixOf(rule))
		return nil
	}
	if document := v.config.ErrorDocument; document != nil && known.Type.Status/100 == 4 {
		if again := v.page(*document.Key, known.Type.Status); again == nil {
			return nil
		}
	}
	return err
}

func notThere(err error) bool {
	known, ok := errors.AsType[*awsapi.Error](err)
	return ok && (known.Type.Status == http.StatusNotFound || known.Type.Status == http.StatusForbidden)
}

// rule is the routing rule for a key, where code, if not empty, was the answer; nil for none.
func (v *visitor) rule(key, code string) *api.RoutingRule {
	for i := range v.config.RoutingRules {
		rule := &v.config.RoutingRules[i]
		c := rule.Condition
		if c == nil {
			c = &api.Condition{}
		}
		if strings.HasPrefix(key, awsapi.Val(c.KeyPrefixEquals)) && awsapi.Val(c.HttpErrorCodeReturnedEquals) == code {
			return rule
		}
	}
	return nil
}

func prefixOf(rule *api.RoutingRule) string {
	if rule.Condition == nil {
		return ""
	}
	return awsapi.Val(rule.Condition.KeyPrefixEquals)
}

// redirect sends the browser elsewhere. prefix is what of the key is replaced.
func (v *visitor) redirect(to *api.Redirect, key, prefix string) {
	host, scheme, code := v.r.Host, awsapi.Val(to.Protocol), http.StatusMovedPermanently
	if to.HostName != nil {
		host = *to.HostName
	}
	if scheme == "" {
		scheme = "http"
		if v.r.TLS != nil {
			scheme = "https"
		}
	}
	if to.HttpRedirectCode != nil {
		code, _ = strconv.Atoi(*to.HttpRedirectCode)
	}
	switch {
	case to.ReplaceKeyWith != nil:
		key = *to.ReplaceKeyWith
	case to.ReplaceKeyPrefixWith != nil:
		key = *to.ReplaceKeyPrefixWith + strings.TrimPrefix(key, prefix)
	}
	v.move(scheme+"://"+host+"/"+escapePath(key), code)
}

func (v *visitor) move(location string, code int) {
	v.w.Header().Set("Location", location)
	v.w.Header().Set("Content-Length", "0")
	v.w.WriteHeader(code)
}

func escapePath(key string) string { return (&url.URL{Path: key}).EscapedPath() }

// open opens an object as everybody.
func (v *visitor) open(key string) (*api.GetObjectOutput, error) {
	q := &awsapi.Request{ID: v.id, Region: v.bucket.Region, SourceIP: v.r.RemoteAddr, UserAgent: v.r.UserAgent(), Time: v.service.Clock()}
	if i := strings.LastIndexByte(q.SourceIP, ':'); i >= 0 {
		q.SourceIP = strings.Trim(q.SourceIP[:i], "[]")
	}
	if v.public {
		q.Principal = awsapi.RootPrincipal(v.bucket.Account, "")
	}
	in := &api.GetObjectRequest{Bucket: &v.name, Key: &key}
	set := func(to **string, header string) {
		if value := v.r.Header.Get(header); value != "" {
			*to = &value
		}
	}
	set(&in.Range, "Range")
	set(&in.IfMatch, "If-Match")
	set(&in.IfNoneMatch, "If-None-Match")
	if t, err := http.ParseTime(v.r.Header.Get("If-Modified-Since")); err == nil {
		in.IfModifiedSince = &t
	}
	if t, err := http.ParseTime(v.r.Header.Get("If-Unmodified-Since")); err == nil {
		in.IfUnmodifiedSince = &t
	}
	q.Input = in
	return v.service.GetObject(awsapi.WithRequest(v.r.Context(), q), in)
}

// page sends an object.
func (v *visitor) page(key string, status int) error {
	o, err := v.open(key)
	if err != nil {
		return err
	}
	if c, ok := o.Body.(io.Closer); ok {
		defer c.Close()
	}
	if to := awsapi.Val(o.WebsiteRedirectLocation); to != "" {
		v.move(to, http.StatusMovedPermanently)
		return nil
	}
	h := v.w.Header()
	set := func(name string, value *string) {
		if value != nil {
			h.Set(name, *value)
		}
	}
	set("Content-Type", o.ContentType)
	set("ETag", o.ETag)
	set("Cache-Control", o.CacheControl)
	set("Content-Disposition", o.ContentDisposition)
	set("Content-Encoding", o.ContentEncoding)
	set("Content-Language", o.ContentLanguage)
	set("Content-Range", o.ContentRange)
	set("X-Amz-Version-Id", o.VersionId)
	if o.LastModified != nil {
		h.Set("Last-Modified", o.LastModified.UTC().Format(http.TimeFormat))
	}
	for name, value := range o.Metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	if o.ContentLength != nil {
		h.Set("Content-Length", strconv.FormatInt(*o.ContentLength, 10))
	}
	if o.ContentRange != nil && status == http.StatusOK {
		status = http.StatusPartialContent
	}
	v.w.WriteHeader(status)
	if v.r.Method == http.MethodHead || o.Body == nil {
		return nil
	}
	if _, err := io.Copy(v.w, o.Body); err != nil && v.r.Context().Err() == nil {
		v.service.Log.Warn("s3: a page was not sent whole", "bucket", v.name, "key", key, "error", err)
	}
	return nil
}

// fail answers with an error as a page.
func (v *visitor) fail(err error) {
	known, ok := errors.AsType[*awsapi.Error](err)
	if !ok {
		v.service.Log.Error("s3: a page could not be served", "bucket", v.name, "error", err)
		known = awsapi.InternalFailure.New("We encountered an internal error. Please try again.")
	}
	if known.Type.Status == http.StatusNotModified {
		v.w.WriteHeader(http.StatusNotModified)
		return
	}
	title := fmt.Sprintf("%d %s", known.Type.Status, http.StatusText(known.Type.Status))
	var items strings.Builder
	item := func(name, value string) {
		fmt.Fprintf(&items, "<li>%s: %s</li>\n", html.EscapeString(name), html.EscapeString(value))
	}
	item("Code", known.Type.Code)
	item("Message", known.Message)
	for _, name := range []string{"BucketName", "Key", "Method", "ResourceType"} {
		if value, ok := known.Fields[name].(string); ok {
			item(name, value)
		}
	}
	item("RequestId", v.id)
	item("HostId", extendedID(v.id))
	page := fmt.Sprintf("<html>\n<head><title>%s</title></head>\n<body>\n<h1>%s</h1>\n<ul>\n%s</ul>\n<hr/>\n</body>\n</html>\n", title, title, items.String())
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("X-Amz-Error-Code", known.Type.Code)
	h.Set("X-Amz-Error-Message", known.Message)
	v.w.WriteHeader(known.Type.Status)
	if v.r.Method != http.MethodHead {
		_, _ = io.WriteString(v.w, page)
	}
}
