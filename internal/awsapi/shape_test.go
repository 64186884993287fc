package awsapi

import "testing"

func TestCalled(t *testing.T) {
	s := &Service{TargetPrefix: "Logs_2014"}
	for _, c := range []struct{ method, target, header, want string }{
		{"POST", "/", "Logs_2014.Put", "Put"}, {"POST", "", "Logs_2014.Put", "Put"}, {"POST", "/", "Logs_2014.", ""},
		{"GET", "/", "Logs_2014.Put", ""}, {"POST", "/x", "Logs_2014.Put", ""}, {"POST", "/", "Logs_2015.Put", ""},
		{"POST", "/", "Logs_2014", ""}, {"POST", "/", "", ""},
	} {
		if got := s.Called(c.method, c.target, c.header); got != c.want {
			t.Errorf("%+v calls %q", c, got)
		}
	}
	if got := new(Service).Called("POST", "/", ".Put"); got != "" {
		t.Errorf("a service without a prefix is called: %q", got)
	}
}
