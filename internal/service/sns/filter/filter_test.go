package filter

import "testing"

func TestBody(t *testing.T) {
	const or = `{"$or":[{"metricName":["CPUUtilization","ReadLatency"]},{"namespace":["AWS/EC2","AWS/ES"]}],
		"detail":{"scope":["Service"],"$or":[{"source":["aws.cloudwatch"]},{"type":["Alarm"]}]}}`
	const records = `{"Records":{"s3":{"object":{"key":[{"prefix":"auto-"}]}},"eventName":[{"prefix":"ObjectCreated:"}]}}`
	for _, c := range []struct {
		policy, body string
		want         bool
	}{
		{`{}`, `text`, true},
		{`{"a":["x"]}`, `text`, false},
		{`{"a":["x"]}`, `"x"`, false},
		{`{"a":["x"]}`, `{"a":"x"}`, true},
		{`{"a":["x"]}`, `{"a":["y","x"]}`, true},
		{`{"a":["x"]}`, `{"a":{"x":1}}`, false},
		{`{"a":["1"]}`, `{"a":1}`, false},
		{`{"a":[1]}`, `{"a":1.0}`, true},
		{`{"a":[true,null]}`, `{"a":null}`, true},
		{`{"a":[true]}`, `{"a":"true"}`, false},
		{`{"a":[null]}`, `{}`, false},
		{`{"a":["x"],"b":["y"]}`, `{"a":"x"}`, false},
		{`{"a":[{"exists":true}]}`, `{"a":null}`, true},
		{`{"a":[{"exists":true}]}`, `{"a":[]}`, false},
		{`{"a":[{"exists":false}]}`, `{"b":1}`, true},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":"x"}`, true},
		{`{"a":{"b":[{"exists":false}]}}`, `{"a":{"b":1}}`, false},
		{`{"a":[{"anything-but":"x"}]}`, `{}`, false},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":["x","z"]}`, true},
		{`{"a":[{"anything-but":["x","y"]}]}`, `{"a":["x","y"]}`, false},
		{`{"a":[{"anything-but":[1,2]}]}`, `{"a":3}`, true},
		{`{"a":[{"anything-but":{"prefix":"x-"}}]}`, `{"a":"x-1"}`, false},
		{`{"a":[{"anything-but":{"prefix":"x-"}}]}`, `{"a":"y-1"}`, true},
		{`{"a":[{"equals-ignore-case":"TEnnis"}]}`, `{"a":"tennis"}`, true},
		{`{"a":[{"suffix":"ball"}]}`, `{"a":"baseball"}`, true},
		{`{"a":[{"suffix":"ball"}]}`, `{"a":7}`, false},
		{`{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.0.255"}`, true},
		{`{"a":[{"cidr":"10.0.0.0/24"}]}`, `{"a":"10.0.1.1"}`, false},
		{`{"a":[{"cidr":"2001:db8::/32"}]}`, `{"a":"2001:db8::1"}`, true},
		{`{"a":[{"numeric":["=",301.5]}]}`, `{"a":3.015e2}`, true},
		{`{"a":[{"numeric":[">",0,"<=",100]}]}`, `{"a":0}`, false},
		{`{"a":[{"numeric":[">",0,"<=",100]}]}`, `{"a":100}`, true},
		{`{"a":[{"numeric":[">=",0]}]}`, `{"a":0}`, true},
		{`{"a":[{"numeric":["<",0]}]}`, `{"a":"-1"}`, false},
		{`{"object.nested.test":["v"]}`, `{"object":{"nested":{"test":"v"}}}`, true},
		{`{"object.nested.test":["v"]}`, `{"object.nested":{"test":"v"}}`, true},
		{`{"object.nested.test":["v"]}`, `{"object":{"nested.test":"v"}}`, true},
		{`{"object":{"nested":["v"]}}`, `{"object.nested":"v"}`, true},
		{`{"object.nested":["v"]}`, `{"object":{"nested":"w"}}`, false},
		{`{"$or":["x"]}`, `{"$or":"x"}`, true},
		{or, `{"metricName":"CPUUtilization","detail":{"scope":"Service","source":"aws.cloudwatch"}}`, true},
		{or, `{"namespace":"AWS/ES","detail":{"scope":"Service","type":"Alarm"}}`, true},
		{or, `{"metricName":"CPUUtilization","detail":{"scope":"Service"}}`, false},
		{or, `{"metricName":"AWS/EC2","detail":{"scope":"Service","type":"Alarm"}}`, false},
		{records, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":[[{"key":"auto-1"}]]}},{"eventName":"ObjectRemoved:Delete","s3":{"object":{"key":"home-1"}}}]}`, true},
		{records, `{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"home-1"}}},{"eventName":"ObjectRemoved:Delete","s3":{"object":{"key":"auto-1"}}}]}`, false},
	} {
		p, err := Compile(c.policy, ScopeBody)
		if err != nil {
			t.Errorf("%s: %v", c.policy, err)
			continue
		}
		if got := p.Match(Body(c.body)); got != c.want {
			t.Errorf("%s on %s: %v", c.policy, c.body, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, c := range []struct {
		policy, dataType, value string
		want                    bool
	}{
		{`{"a":["x"]}`, "String", "x", true},
		{`{"a":["x"]}`, "String.Custom", "x", true},
		{`{"a":["x"]}`, "String.Array", `["y","x"]`, true},
		{`{"a":[true]}`, "String.Array", `[true]`, true},
		{`{"a":["x"]}`, "String.Array", `"x"`, false},
		{`{"a":["x"]}`, "Binary", "x", false},
		{`{"a":[{"exists":true}]}`, "Binary", "x", false},
		{`{"a":[99.12]}`, "Number", "99.12", true},
		{`{"a":["99.12"]}`, "Number", "99.12", false},
		{`{"a":[{"numeric":["<",100]}]}`, "Number.int", "99", true},
		{`{"a":[{"numeric":["<",100]}]}`, "Number", "many", false},
		{`{"b":[{"exists":false}]}`, "String", "x", true},
		{`{"a.b":["x"]}`, "String", "x", false},
	} {
		p, err := Compile(c.policy, ScopeAttributes)
		if err != nil {
			t.Fatal(err)
		}
		var a Attributes
		a.Add("a", c.dataType, c.value)
		if got := p.Match(a.Event()); got != c.want {
			t.Errorf("%s on %s %s: %v", c.policy, c.dataType, c.value, got)
		}
	}
	var none *Policy
	if !none.Match(nil) {
		t.Error("no policy does not want a message")
	}
}
