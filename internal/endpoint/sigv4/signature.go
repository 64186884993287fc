package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The fixed words of the protocol.
const (
	Algorithm       = "AWS4-HMAC-SHA256"
	Terminator      = "aws4_request"
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	TimeFormat      = "20060102T150405Z"
)

// Skew is how far a request's time may be from ours.
const Skew = 15 * time.Minute

// MaxExpires is the longest life of a presigned URL.
const MaxExpires = 7 * 24 * time.Hour

// Signature is a request's signature, taken apart but not checked.
type Signature struct {
	AccessKey     string
	Date          string // of the scope: 20130524
	Region        string
	Service       string
	SignedHeaders []string // lower case, as they came
	Signature     string   // hexadecimal
	Time          time.Time
	Token         string // of temporary credentials
	Presigned     bool
	Expires       time.Duration // of a presigned URL

	timeText string
}

// Scope is the credential scope.
func (s *Signature) Scope() string {
	return s.Date + "/" + s.Region + "/" + s.Service + "/" + Terminator
}

// Parse takes the signature of a request apart. Its errors are *awsapi.Error.
func Parse(r *http.Request) (*Signature, error) {
	header := r.Header.Get("Authorization")
	presigned := strings.Contains(r.URL.RawQuery, "X-Amz-Algorithm=")
	switch {
	case header != "" && presigned:
		return nil, Invalid.New("Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.")
	case presigned:
		return parseQuery(r)
	case header == "":
		return nil, MissingToken.New("Request is missing Authentication Token")
	}
	return parseHeader(r, header)
}

func parseHeader(r *http.Request, header string) (*Signature, error) {
	algorithm, rest, _ := strings.Cut(header, " ")
	if !strings.HasPrefix(algorithm, "AWS4-") {
		return nil, MissingToken.New("Request is missing Authentication Token")
	}
	parameters := map[string]string{}
	for _, pair := range strings.FieldsFunc(rest, func(c rune) bool { return c == ',' || c == ' ' }) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, Incomplete.New("'%s' not a valid key=value pair (missing equal-sign) in Authorization header: '%s'.", pair, header)
		}
		parameters[name] = value
	}
	date := r.Header.Get("X-Amz-Date")
	if date == "" {
		date = r.Header.Get("Date")
	}
	var missing strings.Builder
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parameters[name] == "" {
			missing.WriteString("Authorization header requires '" + name + "' parameter. ")
		}
	}
	if date == "" {
		missing.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if missing.Len() > 0 {
		return nil, Incomplete.New("%sAuthorization=%s", missing.String(), header)
	}
	s := &Signature{Signature: parameters["Signature"], SignedHeaders: strings.Split(parameters["SignedHeaders"], ";"),
		Token: r.Header.Get("X-Amz-Security-Token")}
	return s, s.finish(algorithm, date, parameters["Credential"])
}

func parseQuery(r *http.Request) (*Signature, error) {
	query, _ := url.ParseQuery(r.URL.RawQuery)
	var missing strings.Builder
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if query.Get(name) == "" {
			missing.WriteString("AWS query-string parameters must include '" + name + "'. ")
		}
	}
	if missing.Len() > 0 {
		return nil, Incomplete.New("%sRe-examine the query-string parameters.", missing.String())
	}
	s := &Signature{Signature: query.Get("X-Amz-Signature"), SignedHeaders: strings.Split(query.Get("X-Amz-SignedHeaders"), ";"),
		Token: query.Get("X-Amz-Security-Token"), Presigned: true, Expires: Skew}
	if text := query.Get("X-Amz-Expires"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return nil, Incomplete.New("X-Amz-Expires should be a number")
		case seconds < 0:
			return nil, Incomplete.New("X-Amz-Expires must be non-negative")
		case seconds > int64(MaxExpires/time.Second):
			return nil, Incomplete.New("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
		}
		s.Expires = time.Duration(seconds) * time.Second
	}
	return s, s.finish(query.Get("X-Amz-Algorithm"), query.Get("X-Amz-Date"), query.Get("X-Amz-Credential"))
}

// finish reads what header and query string have in common.
func (s *Signature) finish(algorithm, date, credential string) error {
	var err error
	if s.Time, err = parseTime(date); err != nil {
		return Incomplete.New("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	s.timeText = s.Time.Format(TimeFormat)
	if algorithm != Algorithm {
		return Incomplete.New("Unsupported AWS 'algorithm': '%s' (only AWS4-HMAC-SHA256 for now). ", algorithm)
	}
	if !slices.Contains(s.SignedHeaders, "host") {
		return Invalid.New("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	parts := strings.Split(credential, "/")
	if len(parts) < 5 {
		return Incomplete.New("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	n := len(parts)
	s.AccessKey = strings.Join(parts[:n-4], "/")
	s.Date, s.Region, s.Service = parts[n-4], parts[n-3], parts[n-2]
	var wrong strings.Builder
	if parts[n-1] != Terminator {
		wrong.WriteString("Credential should be scoped with a valid terminator: 'aws4_request', not '" + parts[n-1] + "'. ")
	}
	if s.Date != s.timeText[:8] {
		wrong.WriteString("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" +
			s.Date + "' != '" + s.timeText[:8] + "', from '" + s.timeText + "'. ")
	}
	if wrong.Len() > 0 {
		return Invalid.New("%s", strings.TrimSuffix(wrong.String(), " "))
	}
	return nil
}

func parseTime(s string) (time.Time, error) {
	t, err := time.Parse(TimeFormat, s)
	if err != nil {
		if t, err = http.ParseTime(s); err != nil {
			return time.Time{}, err
		}
	}
	return t.UTC(), nil
}

// CheckTime reports whether now is within the signature's time.
func (s *Signature) CheckTime(now time.Time) error {
	now = now.UTC()
	life := Skew
	if s.Presigned {
		life = s.Expires
	}
	if earliest := now.Add(-life); s.Time.Before(earliest) {
		return Invalid.New("Signature expired: %s is now earlier than %s (%s - %d min.)",
			s.timeText, earliest.Format(TimeFormat), now.Format(TimeFormat), int(life/time.Minute))
	}
	if latest := now.Add(Skew); s.Time.After(latest) {
		return Invalid.New("Signature not yet current: %s is still later than %s (%s + %d min.)",
			s.timeText, latest.Format(TimeFormat), now.Format(TimeFormat), int(Skew/time.Minute))
	}
	return nil
}
