package golden

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/rehearsal/eventpattern"
	"github.com/rotasmith/rotasmith/golden/space"
)

// samples holds events as Secrets Manager sends them.
const samples = "../generator/rehearsal/eventpattern/testdata/events"

// secretARN is the secret that most samples are about. One is about a neighbour
// whose ARN begins as this one does, short of the last characters.
const secretARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-db-AbCdEf"

// wantMatches are the samples that a rule has to match, by the rule's name.
var wantMatches = map[string][]string{
	"failed":  {"rotation-abandoned", "rotation-failed", "test-rotation-failed"},
	"refresh": {"secret-label-updated"},
}

// everyDeployment calls f with projects in which every type and mode meets every
// answer that changes Terraform.
func everyDeployment(t *testing.T, f func(t *testing.T, files tree)) {
	c, renderer := openTemplates(t)
	rows, err := space.Cover(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, answers := range rows {
		result, err := renderer.Generate(generator.Texts(answers))
		if err != nil {
			t.Fatal(err)
		}
		files := make(tree)
		for _, f := range result.Files {
			files[f.Path] = string(f.Data)
		}
		t.Run(fmt.Sprint(answers), func(t *testing.T) { f(t, files) })
	}
}

// TestRulesMatch holds every emitted rule to matching its samples and no others.
func TestRulesMatch(t *testing.T) {
	everyDeployment(t, func(t *testing.T, files tree) {
		want := make(map[string][]string)
		if !strings.Contains(files["rotasmith.yaml"], "\nalerts: none\n") {
			want["failed"] = wantMatches["failed"]
		}
		if !strings.Contains(files["rotasmith.yaml"], "\nrefresh: none\n") {
			want["refresh"] = wantMatches["refresh"]
		}
		if diff := cmp.Diff(want, matches(t, files)); diff != "" {
			t.Errorf("samples that the rules match (-want +got):\n%s", diff)
		}
	})
}

// TestWrongRulesAreFound judges the judge with the mistakes that circulate.
func TestWrongRulesAreFound(t *testing.T) {
	files := emitted(t, "rds-single-user-postgres").files
	for name, fault := range map[string][2]string{
		"events of calls":       {`"AWS Service Event via CloudTrail"`, `"AWS API Call via CloudTrail"`},
		"the ARN in resources":  {`additionalEventData = { SecretId = [each.value] }`, `resources = [each.value]`},
		"the key's other case":  {`{ SecretId = [each.value] }`, `{ secretId = [each.value] }`},
		"tests are left out":    {`, "TestRotationFailed"`, ``},
		"every secret":          {`      additionalEventData = { SecretId = [each.value] }`, ``},
		"neighbours by prefix":  {`SecretId = [each.value]`, `SecretId = [{ prefix = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-db" }]`},
		"another label":         {`"AWSCURRENT"`, `"AWSPREVIOUS"`},
		"a label event's title": {`"Secret Label Updated"`, `"Secret Label Moved"`},
	} {
		t.Run(name, func(t *testing.T) {
			faulty, changed := make(tree), false
			for path, text := range files {
				faulty[path] = text
				if strings.HasSuffix(path, ".tf") {
					faulty[path] = strings.ReplaceAll(text, fault[0], fault[1])
				}
				changed = changed || faulty[path] != text
			}
			if !changed {
				t.Fatal("the fault is not planted")
			}
			if cmp.Equal(wantMatches, matches(t, faulty)) {
				t.Error("is not found")
			}
		})
	}
}

// TestOnlyRulesMaySend holds the topics and the queue to taking events from the
// rules that have them for a target, and nothing from other accounts' rules.
func TestOnlyRulesMaySend(t *testing.T) {
	everyDeployment(t, func(t *testing.T, files tree) {
		for _, typ := range []string{"aws_sns_topic_policy", "aws_sqs_queue_policy"} {
			resources(t, files, typ, func(name string, body *hclsyntax.Body) {
				var policy struct {
					Statement []struct {
						Effect, Action, Resource string
						Principal                struct{ Service string }
						Condition                map[string]any
					}
				}
				if err := json.Unmarshal([]byte(evaluate(t, body.Attributes["policy"].Expr).AsString()), &policy); err != nil {
					t.Fatal(err)
				}
				rule := map[string]string{"alerts": "failed", "refresh": "refresh"}[name]
				want := map[string]map[string]any{"events.amazonaws.com": {"ArnEquals": map[string]any{"aws:SourceArn": []any{"arn of rule " + rule}}}}
				if name == "alerts" {
					alarms := []any{"arn of alarm function", "arn of alarm overdue", "arn of alarm replica"}
					want["cloudwatch.amazonaws.com"] = map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": alarms}}
				}
				got := make(map[string]map[string]any)
				for _, statement := range policy.Statement {
					got[statement.Principal.Service] = statement.Condition
					if to := "arn of " + name; statement.Resource != to || statement.Effect != "Allow" || !slices.Contains([]string{"sns:Publish", "sqs:SendMessage"}, statement.Action) {
						t.Errorf("%s allows %s on %s", name, statement.Action, statement.Resource)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("who may send to %s, and when (-want +got):\n%s", name, diff)
				}
			})
		}
	})
}

// TestAlertIsUnderstood reads an alert as the person on call does.
func TestAlertIsUnderstood(t *testing.T) {
	files := emitted(t, "rds-single-user-postgres").files
	var target struct {
		paths map[string]string
		lines []string
	}
	resources(t, files, "aws_cloudwatch_event_target", func(name string, body *hclsyntax.Body) {
		if name != "failed" {
			return
		}
		transformer := body.Blocks[0].Body
		target.paths = make(map[string]string)
		for key, path := range evaluate(t, transformer.Attributes["input_paths"].Expr).AsValueMap() {
			target.paths[key] = path.AsString()
		}
		target.lines = strings.Split(evaluate(t, transformer.Attributes["input_template"].Expr).AsString(), "\n")
	})
	for sample, want := range map[string]string{
		"rotation-failed": `RotationFailed: the rotation of a secret did not succeed.
Secret: arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-db-AbCdEf
Where and when: region eu-west-1, account 111122223333, 2026-09-01T00:50:20Z
What Secrets Manager says: Error when executing lambda arn:aws:lambda:eu-west-1:111122223333:function:orders-db-rotator during setSecret step
Function: orders-db; its log has the code of the failure (make logs).
Runbook: https://example.com/RUNBOOK.md#a-rotation-failed`,
		"rotation-abandoned": `RotationAbandoned: the rotation of a secret did not succeed.
Secret: arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/orders-db-AbCdEf
Where and when: region eu-west-1, account 111122223333, 2026-09-01T00:50:20Z
What Secrets Manager says: 
Function: orders-db; its log has the code of the failure (make logs).
Runbook: https://example.com/RUNBOOK.md#a-rotation-failed`,
	} {
		var event map[string]any
		if err := json.Unmarshal([]byte(read(t, samples, sample+".json")), &event); err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, line := range target.lines {
			for key, path := range target.paths {
				line = strings.ReplaceAll(line, "<"+key+">", at(event, path))
			}
			var text string
			if err := json.Unmarshal([]byte(line), &text); err != nil {
				t.Errorf("%s is no JSON string: %v", line, err)
			}
			said = append(said, text)
		}
		if diff := cmp.Diff(want, strings.Join(said, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sample, diff)
		}
	}
	if !strings.Contains(files["RUNBOOK.md"], "\n## A rotation failed\n") || !strings.Contains(files["RUNBOOK.md"], "\n## An alarm went off\n") {
		t.Error("RUNBOOK.md does not have the sections that alerts name")
	}
}

// at returns what a path such as $.detail.eventName finds, "" if nothing.
func at(event any, path string) string {
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "$."), ".") {
		fields, _ := event.(map[string]any)
		event = fields[name]
	}
	text, _ := event.(string)
	return text
}

// matches returns the samples that each rule with a pattern matches.
func matches(t *testing.T, files tree) map[string][]string {
	t.Helper()
	events, err := filepath.Glob(filepath.Join(samples, "*.json"))
	if err != nil || len(events) == 0 {
		t.Fatalf("no sample events: %v", err)
	}
	all := make(map[string][]string)
	resources(t, files, "aws_cloudwatch_event_rule", func(name string, body *hclsyntax.Body) {
		attribute, ok := body.Attributes["event_pattern"]
		if !ok {
			return // a schedule
		}
		pattern, err := eventpattern.Parse([]byte(evaluate(t, attribute.Expr).AsString()))
		if err != nil {
			t.Fatalf("rule %s: EventBridge would refuse its pattern: %v", name, err)
		}
		for _, sample := range events {
			match, err := pattern.Matches([]byte(read(t, sample)))
			if err != nil {
				t.Fatal(err)
			}
			if match {
				all[name] = append(all[name], strings.TrimSuffix(filepath.Base(sample), ".json"))
			}
		}
	})
	return all
}

// resources visits the resources of a type.
func resources(t *testing.T, files tree, typ string, visit func(name string, body *hclsyntax.Body)) {
	t.Helper()
	for name, text := range files {
		if path.Ext(name) != ".tf" {
			continue
		}
		file, diags := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, block := range file.Body.(*hclsyntax.Body).Blocks {
			if block.Type == "resource" && block.Labels[0] == typ {
				visit(block.Labels[1], block.Body)
			}
		}
	}
}

// evaluate returns the value of an expression in the resource of the one secret.
func evaluate(t *testing.T, expr hclsyntax.Expression) cty.Value {
	t.Helper()
	object := func(fields ...string) cty.Value {
		all := make(map[string]cty.Value)
		for i := 0; i < len(fields); i += 2 {
			all[fields[i]] = cty.StringVal(fields[i+1])
		}
		return cty.ObjectVal(all)
	}
	arn := func(of string) cty.Value { return object("arn", "arn of "+of) }
	each := func(kind string, names ...string) cty.Value {
		all := make(map[string]cty.Value)
		for _, name := range names {
			all[name] = cty.ObjectVal(map[string]cty.Value{"main": arn(kind + " " + name)})
		}
		return cty.ObjectVal(all)
	}
	value, diags := expr.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{
			"each":                        object("value", secretARN),
			"local":                       object("partition", "aws", "region", "eu-west-1", "account_id", "111122223333"),
			"var":                         object("name", "orders-db", "runbook_url", "https://example.com/RUNBOOK.md"),
			"aws_lambda_function":         cty.ObjectVal(map[string]cty.Value{"this": object("function_name", "orders-db")}),
			"aws_cloudwatch_event_rule":   each("rule", "failed", "refresh"),
			"aws_cloudwatch_metric_alarm": each("alarm", "function", "overdue", "replica"),
			"aws_sns_topic":               cty.ObjectVal(map[string]cty.Value{"alerts": arn("alerts"), "refresh": arn("refresh")}),
			"aws_sqs_queue":               cty.ObjectVal(map[string]cty.Value{"refresh": arn("refresh")}),
		},
		Functions: map[string]function.Function{
			"concat": stdlib.ConcatFunc, "join": stdlib.JoinFunc, "jsonencode": stdlib.JSONEncodeFunc, "values": stdlib.ValuesFunc,
		},
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return value
}
