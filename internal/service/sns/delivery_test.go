package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
)

// TestEnvelope compares an envelope byte for byte, but for its signature, which it verifies.
func TestEnvelope(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	sub := s.subscribe(topic, "q", nil)
	out := must(s.Publish(s.ctx, &api.PublishInput{TopicArn: &topic, Message: new("a <b> \"c\"\n"), Subject: new("About"),
		MessageAttributes: map[string]api.MessageAttributeValue{"n": {DataType: new("Number"), StringValue: new("1")},
			"b": {DataType: new("Binary"), BinaryValue: []byte{2, 3, 4}}}}))(t)
	got := s.world.await(t, queueURL("q"), 1)[0]
	signature := decode(t, got.Body)["Signature"].(string)
	want := `{
  "Type" : "Notification",
  "MessageId" : "` + *out.MessageId + `",
  "TopicArn" : "` + topic + `",
  "Subject" : "About",
  "Message" : "a <b> \"c\"\n",
  "Timestamp" : "2026-01-02T03:04:05.678Z",
  "SignatureVersion" : "1",
  "Signature" : "` + signature + `",
  "SigningCertURL" : "http://127.0.0.1:1/` + s.authority.filename + `",
  "UnsubscribeURL" : "http://127.0.0.1:1/?Action=Unsubscribe&SubscriptionArn=` + sub + `",
  "MessageAttributes" : {
    "b" : {"Type":"Binary","Value":"AgME"},
    "n" : {"Type":"Number","Value":"1"}
  }
}`
	if got.Body != want {
		t.Errorf("%s\nnot\n%s", got.Body, want)
	}
	if got.Trace != "Root=1-2-3" || got.Who.Service != "sns.amazonaws.com" || got.Who.SourceARN != topic || got.Who.Account != account {
		t.Errorf("%+v", got)
	}
	text := "Message\na <b> \"c\"\n\nMessageId\n" + *out.MessageId + "\nSubject\nAbout\nTimestamp\n2026-01-02T03:04:05.678Z\nTopicArn\n" +
		topic + "\nType\nNotification\n"
	sum := sha1.Sum([]byte(text))
	b := must(base64.StdEncoding.DecodeString(signature))(t)
	if err := rsa.VerifyPKCS1v15(s.certificate(), crypto.SHA1, sum[:], b); err != nil {
		t.Error(err)
	}
}

// certificate fetches the key that messages are verified with.
func (s *stage) certificate() *rsa.PublicKey {
	s.t.Helper()
	w := s.get("/" + s.authority.filename)
	block, _ := pem.Decode(w.Body.Bytes())
	c := must(x509.ParseCertificate(block.Bytes))(s.t)
	return c.PublicKey.(*rsa.PublicKey)
}

func (s *stage) get(path string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if !s.Match(r) {
		s.t.Fatalf("%s is no link", path)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// TestTheKeyOutlivesTheProcess verifies after a restart with the same certificate.
func TestTheKeyOutlivesTheProcess(t *testing.T) {
	s := newStage(t)
	if err := s.authority.ready(t.Context(), s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	before := s.certificate()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.start()
	if err := s.authority.ready(t.Context(), s.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if !before.Equal(s.certificate()) {
		t.Error("another key")
	}
}

// TestWhatFailsForNowIsTriedAgain has a queue fail five times, while another gets the message once.
func TestWhatFailsForNowIsTriedAgain(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	s.subscribe(topic, "good", raw)
	s.subscribe(topic, "bad", raw)
	s.world.fails = func(to string, nth int) error {
		if to == queueURL("bad") && nth <= 5 {
			return errBusy
		}
		return nil
	}
	s.publish(topic, "m", "")
	s.world.await(t, queueURL("bad"), 1)
	if got := s.world.await(t, queueURL("good"), 1); len(got) != 1 {
		t.Errorf("the other queue has %d", len(got))
	}
}

// TestWhatFailsForGoodIsADeadLetter has a queue gone, with and without a redrive policy.
func TestWhatFailsForGoodIsADeadLetter(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	s.subscribe(topic, "gone", map[string]string{"RawMessageDelivery": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + account + `:dead"}`})
	s.subscribe(topic, "gone-too", nil)
	s.world.fails = func(to string, nth int) error {
		switch {
		case strings.Contains(to, "gone"):
			return errGone
		case nth == 1:
			return errBusy // the dead-letter queue, at first
		}
		return nil
	}
	s.publish(topic, "m", "")
	if got := s.world.await(t, queueURL("dead"), 1)[0]; got.Body != "m" {
		t.Errorf("%+v", got)
	}
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	if n := s.world.calls[queueURL("gone")]; n != 1 {
		t.Errorf("the queue that is gone was called %d times", n)
	}
}

// TestOrder publishes to a FIFO topic one queue of which fails now and then: each group keeps its order.
func TestOrder(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
	s.subscribe(topic, "a.fifo", raw)
	s.subscribe(topic, "b.fifo", raw)
	s.world.fails = func(to string, nth int) error {
		if to == queueURL("b.fifo") && nth%3 == 1 {
			return errBusy
		}
		return nil
	}
	const n = 60
	for i := range n {
		out := s.publish(topic, numbered(i), "g"+string(rune('0'+i%4)))
		if want := (&message{Sequence: int64(i) + 1}).sequenceNumber(); *out.SequenceNumber != *want {
			t.Fatalf("%s, not %s", *out.SequenceNumber, *want)
		}
	}
	for _, queue := range []string{"a.fifo", "b.fifo"} {
		got := s.world.await(t, queueURL(queue), n)
		for group := range 4 {
			var bodies, want []string
			for _, m := range got {
				if m.Group == "g"+string(rune('0'+group)) {
					bodies = append(bodies, m.Body)
				}
			}
			for i := group; i < n; i += 4 {
				want = append(want, numbered(i))
			}
			if !slices.Equal(bodies, want) {
				t.Errorf("%s, group %d: %v", queue, group, bodies)
			}
		}
		if got[0].Dedup != contentHash(got[0].Body) {
			t.Errorf("%+v", got[0])
		}
	}
}

// TestDeadLettersKeepOrder has a FIFO queue gone.
func TestDeadLettersKeepOrder(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
	s.subscribe(topic, "gone.fifo", map[string]string{"RawMessageDelivery": "true",
		"RedrivePolicy": `{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:` + account + `:dead.fifo"}`})
	s.world.fails = func(to string, _ int) error {
		if to == queueURL("gone.fifo") {
			return errGone
		}
		return nil
	}
	var want []string
	for i := range 20 {
		s.publish(topic, numbered(i), "g")
		want = append(want, numbered(i))
	}
	var got []string
	for _, m := range s.world.await(t, queueURL("dead.fifo"), 20) {
		got = append(got, m.Body)
	}
	if !slices.Equal(got, want) {
		t.Error(got)
	}
}

// TestRepetitions publishes within the window of deduplication, at its end and across its periods.
func TestRepetitions(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
	s.subscribe(topic, "q.fifo", raw)
	first := s.publish(topic, "m", "g")
	s.clock.Add(dedupWindow - 1)
	if again := s.publish(topic, "m", "other"); *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
		t.Errorf("%v, not %v", *again.MessageId, *first.MessageId)
	}
	s.clock.Add(1)
	if later := s.publish(topic, "m", "g"); *later.MessageId == *first.MessageId {
		t.Error("the window is over")
	}
	s.publish(topic, "last", "g")
	if got := s.world.await(t, queueURL("q.fifo"), 3); len(got) != 3 {
		t.Errorf("%d messages", len(got))
	}
}

// TestARestartLosesNothing stops the service while deliveries fail.
func TestARestartLosesNothing(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	s.subscribe(topic, "q", raw)
	working := false // under the world's lock
	s.world.fails = func(string, int) error {
		if !working {
			return errBusy
		}
		return nil
	}
	for i := range 10 {
		s.publish(topic, numbered(i), "")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.world.mu.Lock()
	working = true
	s.world.mu.Unlock()
	s.start()
	seen := map[string]bool{}
	for _, m := range s.world.await(t, queueURL("q"), 10) {
		seen[m.Body] = true
	}
	if len(seen) != 10 {
		t.Error(seen)
	}
}

func TestFunctionEvent(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", map[string]string{"SignatureVersion": "2"})
	function := "arn:aws:lambda:us-east-1:" + account + ":function:f"
	sub := *must(s.Subscribe(s.ctx, &api.SubscribeInput{TopicArn: &topic, Protocol: new("lambda"), Endpoint: &function}))(t).SubscriptionArn
	s.publish(topic, "m", "")
	got := s.world.await(t, function, 1)[0]
	if !strings.HasPrefix(got.Body, `{"Records":[{"EventSource":"aws:sns","EventVersion":"1.0","EventSubscriptionArn":"`+sub+`","Sns":{"Type":"Notification","MessageId":"`) ||
		!strings.Contains(got.Body, `"Subject":null,"Message":"m","Timestamp":"2026-01-02T03:04:05.678Z","SignatureVersion":"2"`) ||
		!strings.HasSuffix(got.Body, `"MessageAttributes":{}}}]}`) || got.Trace != "Root=1-2-3" {
		t.Error(got)
	}
}

// TestLinks confirms and ends a subscription by the links that an endpoint is sent.
func TestLinks(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	bodies := make(chan string, 8)
	endpoint := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b := make([]byte, r.ContentLength)
		for n := 0; n < len(b); {
			k, err := r.Body.Read(b[n:])
			if n += k; err != nil {
				break
			}
		}
		bodies <- string(b)
	}))
	defer endpoint.Close()
	in := &api.SubscribeInput{TopicArn: &topic, Protocol: new("http"), Endpoint: &endpoint.URL}
	if got := *must(s.Subscribe(s.ctx, in))(t).SubscriptionArn; got != "pending confirmation" {
		t.Error(got)
	}
	asked := decode(t, <-bodies)
	link := must(url.Parse(asked["SubscribeURL"].(string)))(t)
	if w := s.get(link.RequestURI()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<SubscriptionArn>"+topic+":") {
		t.Error(w.Code, w.Body)
	}
	s.publish(topic, "m", "")
	told := decode(t, <-bodies)
	link = must(url.Parse(told["UnsubscribeURL"].(string)))(t)
	if w := s.get(link.RequestURI()); w.Code != http.StatusOK {
		t.Error(w.Code, w.Body)
	}
	if ended := decode(t, <-bodies); ended["Type"] != string(kindEnd) {
		t.Error(ended)
	}
	list := must(s.ListSubscriptions(s.ctx, &api.ListSubscriptionsInput{}))(t).Subscriptions
	if len(list) != 0 {
		t.Error(list)
	}
	for _, bad := range []string{"/?Action=ConfirmSubscription&TopicArn=x&Token=y", "/?Action=Unsubscribe&SubscriptionArn=x"} {
		if w := s.get(bad); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "<Code>InvalidParameter</Code>") {
			t.Error(w.Code, w.Body)
		}
	}
	if w := s.get("/SimpleNotificationService-00.pem"); w.Code != http.StatusNotFound {
		t.Error(w.Code)
	}
}

// TestATokenExpires confirms too late.
func TestATokenExpires(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	must(s.Subscribe(s.ctx, &api.SubscribeInput{TopicArn: &topic, Protocol: new("sqs"), Endpoint: new("arn:aws:sqs:us-east-1:111122223333:q")}))(t)
	token := decode(t, s.world.await(t, "https://sqs.us-east-1.amazonaws.com/111122223333/q", 1)[0].Body)["Token"].(string)
	s.clock.Add(tokenLife + 1)
	_, err := s.ConfirmSubscription(s.ctx, &api.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token})
	if !errors.Is(err, api.InvalidParameterException) {
		t.Error(err)
	}
	s.clock.Add(-1)
	if err := s.expireTokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(s.ConfirmSubscription(s.ctx, &api.ConfirmSubscriptionInput{TopicArn: &topic, Token: &token}))(t)
}

// TestWhatNobodyConfirmsEnds looks at subscriptions when their tokens have expired.
func TestWhatNobodyConfirmsEnds(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	s.subscribe(topic, "q", nil)
	must(s.Subscribe(s.ctx, &api.SubscribeInput{TopicArn: &topic, Protocol: new("email"), Endpoint: new("a@example.com")}))(t)
	for _, want := range []int{2, 1} {
		if err := s.expireTokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list := must(s.ListSubscriptions(s.ctx, &api.ListSubscriptionsInput{}))(t).Subscriptions; len(list) != want {
			t.Error(list)
		}
		s.clock.Add(tokenLife + 1)
	}
}

// TestATopicIsNotItsNamesake: subscriptions end with their topic, and another of its name begins anew.
func TestATopicIsNotItsNamesake(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	s.subscribe(topic, "old", raw)
	s.publish(topic, "m", "")
	s.world.await(t, queueURL("old"), 1)
	must(s.DeleteTopic(s.ctx, &api.DeleteTopicInput{TopicArn: &topic}))(t)
	s.topic("t", nil)
	s.subscribe(topic, "new", raw)
	s.publish(topic, "n", "")
	s.world.await(t, queueURL("new"), 1)
	if got := s.world.await(t, queueURL("old"), 1); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

// TestRegionsAndAccountsAreApart asks from elsewhere.
func TestRegionsAndAccountsAreApart(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	for _, r := range []awsapi.Request{{Region: "eu-west-1", Principal: awsapi.RootPrincipal(account, "")},
		{Region: "us-east-1", Principal: awsapi.RootPrincipal("111122223333", "")}} {
		ctx := awsapi.WithRequest(t.Context(), &r)
		if list := must(s.ListTopics(ctx, &api.ListTopicsInput{}))(t).Topics; len(list) != 0 {
			t.Error(list)
		}
	}
	ctx := awsapi.WithRequest(t.Context(), &awsapi.Request{Region: "eu-west-1", Principal: awsapi.RootPrincipal(account, "")})
	if _, err := s.GetTopicAttributes(ctx, &api.GetTopicAttributesInput{TopicArn: &topic}); !errors.Is(err, api.InvalidParameterException) {
		t.Error(err)
	}
}

// TestPages lists more than fits a page.
func TestPages(t *testing.T) {
	s := newStage(t)
	topic := s.topic("t", nil)
	for i := range pageSize + 5 {
		must(s.Subscribe(s.ctx, &api.SubscribeInput{TopicArn: &topic, Protocol: new("email"), Endpoint: new(numbered(i) + "@example.com")}))(t)
	}
	first := must(s.ListSubscriptionsByTopic(s.ctx, &api.ListSubscriptionsByTopicInput{TopicArn: &topic}))(t)
	rest := must(s.ListSubscriptionsByTopic(s.ctx, &api.ListSubscriptionsByTopicInput{TopicArn: &topic, NextToken: first.NextToken}))(t)
	if len(first.Subscriptions) != pageSize || len(rest.Subscriptions) != 5 || rest.NextToken != nil {
		t.Error(len(first.Subscriptions), len(rest.Subscriptions), rest.NextToken)
	}
	if _, err := s.ListTopics(s.ctx, &api.ListTopicsInput{NextToken: first.NextToken}); !errors.Is(err, api.InvalidParameterException) {
		t.Error(err)
	}
}
