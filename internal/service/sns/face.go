package sns

import (
	"encoding/xml"
	"errors"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"

	"github.com/google/uuid"
)

// Match reports whether a request is for what needs no credentials: the certificate that messages are signed
// with, and the links in messages that confirm and end a subscription.
func (s *Service) Match(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	return s.authority.matches(r) || link(r) != ""
}

// link is what a link from a message does; "" where the request comes from none.
func link(r *http.Request) string {
	if r.URL.Path != "/" || r.URL.RawQuery == "" || r.Header.Get("Authorization") != "" {
		return ""
	}
	q := r.URL.Query()
	if action := q.Get("Action"); !q.Has("X-Amz-Signature") && (action == "ConfirmSubscription" || action == "Unsubscribe") {
		return action
	}
	return ""
}

// ServeHTTP answers what Match matches.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.authority.ready(r.Context(), s.Clock()); err != nil {
		s.Log.Error("sns: the key that signs messages", "error", err)
		http.Error(w, "InternalFailure", http.StatusInternalServerError)
		return
	}
	if s.authority.matches(r) {
		s.authority.serve(w, r)
		return
	}
	q := r.URL.Query()
	id := uuid.NewString()
	if link(r) == "Unsubscribe" {
		if err := s.unsubscribe(r.Context(), q.Get("SubscriptionArn"), false); err != nil {
			s.answerError(w, id, err)
			return
		}
		answerXML(w, http.StatusOK, unsubscribed{RequestID: id})
		return
	}
	arn, err := s.confirm(r.Context(), q.Get("TopicArn"), q.Get("Token"), false, false)
	if err != nil {
		s.answerError(w, id, err)
		return
	}
	answerXML(w, http.StatusOK, confirmed{ARN: arn, RequestID: id})
}

type confirmed struct {
	XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ConfirmSubscriptionResponse"`
	ARN       string   `xml:"ConfirmSubscriptionResult>SubscriptionArn"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type unsubscribed struct {
	XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ UnsubscribeResponse"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

type failure struct {
	XMLName   xml.Name `xml:"http://sns.amazonaws.com/doc/2010-03-31/ ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

func (s *Service) answerError(w http.ResponseWriter, id string, err error) {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		s.Log.Error("sns: a link failed", "error", err)
		e = api.InternalErrorException.New("The request processing has failed because of an unknown error, exception or failure.")
	}
	side := "Sender"
	if e.Type.Server {
		side = "Receiver"
	}
	answerXML(w, e.Type.Status, failure{Type: side, Code: e.Type.Code, Message: e.Message, RequestID: id})
}

func answerXML(w http.ResponseWriter, status int, v any) {
	b, err := xml.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // strings
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that is gone needs no answer
}
