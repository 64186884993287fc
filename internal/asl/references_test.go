package asl

import (
	"encoding/json"
	"testing"
)

// TestReferences has the variables that states refer to, as DescribeStateMachine tells them.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/test_sfn_api_variable_references.snapshot.json
func TestReferences(t *testing.T) {
	for definition, want := range map[string]string{
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"r":"$r"},"Assign":{"r":1},"Next":"B"},
			"B":{"Type":"Pass","ResultPath":"$.r","Parameters":{"r.$":"$r"},"End":true}}}`: `{"B":["r"]}`,
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"r":1},"End":true}}}`: `null`,
		`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$guess","StringEqualsPath":"$answer","Next":"B"},
			{"Not":{"Variable":"$z.y","IsPresent":true},"Next":"B"}],"Default":"C"},
			"B":{"Type":"Wait","SecondsPath":"$wait","Next":"C"},"C":{"Type":"Fail","ErrorPath":"$e","CausePath":"States.Format('{}', $c)"}}}`: `{"A":["answer","guess","z"],"B":["wait"],"C":["c","e"]}`,
		`{"StartAt":"A","States":{"A":{"Type":"Map","ItemsPath":"$list","MaxConcurrencyPath":"$n","ItemSelector":{"x.$":"States.MathAdd(States.MathAdd($p, $o), $$.Map.Item.Index)"},
			"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","InputPath":"$in","OutputPath":"$in","Assign":{"s.$":"$in"},"End":true}}},"End":true}}}`: `{"A":["list","n","o","p"],"B":["in"]}`,
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":"{% $t %}",
			"Arguments":{"a":["{% ($own := $x; $own + $y) %}","{% $map($l, function($v, $i) { $v * $i * $f }) %}"]},"Output":"{% $uuid() & $states.result %}",
			"Catch":[{"ErrorEquals":["States.ALL"],"Next":"A","Assign":{"c":"{% $c + 1 %}"}}],"End":true}}}`: `{"A":["c","f","l","t","x","y"]}`,
	} {
		m, diagnostics := Parse([]byte(definition))
		if m == nil {
			t.Errorf("%s: %v", definition, diagnostics)
			continue
		}
		if got, err := json.Marshal(m.References); err != nil || string(got) != want {
			t.Errorf("%s: %s, not %s (%v)", definition, got, want, err)
		}
	}
}
