package generator

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewSpecDefaults(t *testing.T) {
	spec, err := openTree(t, nil).Resolve(pairAnswers()).Spec()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range spec.Resolved {
		got = append(got, r.Question.Key+"="+r.Value)
	}
	want := []string{
		"name=orders", "type=db-pair", "engine=alpha", "users=made", "module=example.com/orders", "secret_name=orders", "schedule=30d",
		"window=", "region=", "secret=create", "secrets=one", "replicas=", "kms=create", "network=vpc", "alerts=sns", "refresh=sns", "consumer=none", "ci=github",
		"keep=README.md,RUNBOOK.md,terraform/*.tfvars,.github/workflows/*,.gitlab-ci.yml",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resolved (-want +got):\n%s", diff)
	}
	wantLayers := []string{
		"project", "strategies/common", "strategies/pair", "protocols/wire/common", "engines/alpha/common", "engines/alpha/pair", "features/ci/github",
	}
	if diff := cmp.Diff(wantLayers, spec.Layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
}

func TestAliasesAreRecordedByTheirName(t *testing.T) {
	spec, err := openTree(t, nil).Resolve(pairAnswers("engine=aurora-alpha", "users=cloned")).Spec()
	if err != nil {
		t.Fatal(err)
	}
	if spec.Target.Name != "alpha" || spec.Get("engine") != "alpha" || spec.Get("users") != "clone" {
		t.Errorf("engine %q, recorded %q, users %q", spec.Target.Name, spec.Get("engine"), spec.Get("users"))
	}
}

// The type need not be said where what was given leaves one, and is recorded all the same.
func TestImpliedType(t *testing.T) {
	spec, err := openTree(t, nil).Resolve(Texts(map[string]string{"name": "x", "provider": "acme"})).Spec()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := spec.Command(""), "rotasmith new x --type key --provider acme --no-input"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := openTree(t, nil).Resolve(Texts(map[string]string{"name": "x", "engine": "alpha"})).Spec(); err == nil || !strings.Contains(err.Error(), `"type"`) {
		t.Errorf("got %v, want a question for the type, of which an engine has two", err)
	}
}

func TestModes(t *testing.T) {
	tests := []struct{ provider, mode, strategy, command string }{
		{"acme", "", "both", "rotasmith new x --type key --provider acme --no-input"},
		{"acme", "swap", "swap", "rotasmith new x --type key --provider acme --set mode=swap --no-input"},
		{"zeta", "", "swap", "rotasmith new x --type key --provider zeta --no-input"}, // it has no other
	}
	for _, test := range tests {
		texts := map[string]string{"name": "x", "type": "key", "provider": test.provider}
		if test.mode != "" {
			texts["mode"] = test.mode
		}
		c := openTree(t, nil)
		asked, _ := c.Resolve(Texts(texts)).Next()
		if wants := test.provider == "acme" && test.mode == ""; wants != (asked.Key == "mode") {
			t.Errorf("%v: %q is asked", texts, asked.Key)
		}
		spec, err := c.Resolve(Texts(texts)).Spec()
		if err != nil {
			t.Fatal(err)
		}
		if spec.Strategy != test.strategy || spec.Command("") != test.command {
			t.Errorf("%v: strategy %s, %s", texts, spec.Strategy, spec.Command(""))
		}
		// A type may have a default of its own.
		if spec.Get("network") != "public" {
			t.Errorf("network %q", spec.Get("network"))
		}
	}
}

// faultTexts are the faults of an error, hint after |.
func faultTexts(err error) []string {
	var texts []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			f, ok := errors.AsType[*Fault](e)
			if !ok {
				texts = append(texts, "no fault: "+e.Error())
				continue
			}
			texts = append(texts, f.Error()+" | "+f.Hint)
		}
	}
	return texts
}

func TestSpecReportsEveryFault(t *testing.T) {
	tests := []struct {
		name    string
		answers Answers
		want    []string
	}{
		{"nothing", Answers{}, []string{
			`no answer to "name" (lower-case letters, digits and hyphens; also the folder's name) | give NAME`,
			`no answer to "type" (type of rotation) | give --type, one of: db-pair, db-single, key`,
		}},
		{"engines of the type are offered", Texts(map[string]string{"name": "x", "type": "db-pair"}), []string{
			`no answer to "engine" (database engine) | give --engine, one of: alpha`,
		}},
		{"typos", pairAnswers("engine=alhpa", "type=db-par", "usres=clone"), []string{
			`unknown type "db-par" | did you mean "db-pair"?`,
			`unknown engine "alhpa" | did you mean "alpha"?`,
			`unknown question "usres" | did you mean "users"?`,
		}},
		{"far off", pairAnswers("engine=oracle-enterprise"), []string{
			`unknown engine "oracle-enterprise" | one of: alpha, beta, aurora-alpha`,
		}},
		{"engine without the type", pairAnswers("engine=beta"), []string{
			`engine "beta" has no db-pair | one of: alpha`,
		}},
		{"no provider", Texts(map[string]string{"name": "x", "type": "key"}), []string{
			`no answer to "provider" (whose API makes and revokes the keys) | give --provider, one of: acme, zeta`,
		}},
		{"engine of another kind of target", Texts(map[string]string{"name": "x", "type": "key", "engine": "alpha", "provider": "acme"}), []string{
			`"engine" is not asked for type key and provider acme | leave it out`,
		}},
		{"what the type rules out whatever its target is", Texts(map[string]string{"name": "x", "type": "key", "engine": "alpha", "change_as": "self"}),
			[]string{
				`"change_as" is not asked for type key | leave it out`,
				`"engine" is not asked for type key | leave it out`,
				`no answer to "provider" (whose API makes and revokes the keys) | give --provider, one of: acme, zeta`,
			}},
		{"type that the target implies", Texts(map[string]string{"name": "x", "provider": "acem"}), []string{
			`unknown provider "acem" | did you mean "acme"?`,
		}},
		{"mode of another provider", Texts(map[string]string{"name": "x", "type": "key", "provider": "zeta", "mode": "both"}), []string{
			`mode "both" is not for provider zeta | one of: swap`,
		}},
		{"question of another type", pairAnswers("change_as=admin", "kind=x"), []string{
			`"change_as" is not asked for type db-pair and engine alpha | leave it out`,
			`"kind" is not asked for type db-pair and engine alpha | leave it out`,
		}},
		{"pattern of a manifest", pairAnswers("type=db-single", "change_as=administrator"), []string{
			`bad change_as "administrator" | self or admin`,
		}},
		{"empty where something is needed", pairAnswers("name=", "ci="), []string{
			`name is empty | lower-case letters, digits and hyphens; also the folder's name`,
			`ci is empty | one of: github, gitlab, none`,
		}},
		{"a slip in a region", pairAnswers("region=us-est-1"), []string{
			`bad region "us-est-1" | the name of an AWS region such as eu-west-1`,
		}},
		{"control characters", pairAnswers("region=eu\nwest"), []string{
			`region "eu\nwest" has characters that cannot be printed | leave out what cannot be seen, such as line breaks and tabs`,
		}},
		{"all at once", pairAnswers("name=Orders", "module=orders", "secret_name=a b", "schedule=1h", "window=30m", "region=Ireland",
			"network=lan", "keep=../x"), []string{
			`bad name "Orders" | 1 to 40 lower-case letters, digits and hyphens, beginning with a letter`,
			`bad module path "orders": missing dot in first path element | a Go module path such as example.com/team/project`,
			`bad secret_name "a b" | 1 to 512 letters, digits and /_+=.@-`,
			`bad schedule "1h" | 30d, rate(12 hours), rate(30 days) or cron(0 4 1 * ? *)`,
			`bad window "30m" | whole hours from 1h to 24h`,
			`bad region "Ireland" | the name of an AWS region such as eu-west-1`,
			`unknown network "lan" | one of: vpc, public`,
			`bad pattern "../x" in keep | patterns of paths inside the project, such as README.md or docs/*.md`,
		}},
		{"a day that never comes", pairAnswers("schedule=cron(0 4 31 FEB ? *)"), []string{
			`bad schedule "cron(0 4 31 FEB ? *)": no such day ever comes | 30d, rate(12 hours), rate(30 days) or cron(0 4 1 * ? *)`,
		}},
		{"rotasmith's own module", pairAnswers("module=" + testRoot + "/x"), []string{
			`module path "` + testRoot + `/x" lies inside the templates | a module path of your own`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := openTree(t, nil).Resolve(test.answers).Spec()
			if diff := cmp.Diff(test.want, faultTexts(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	good := []string{"a", "orders-db", "a1", "a-", strings.Repeat("a", 40)}
	bad := []string{"", "1a", "-a", "A", "a_b", "a b", "a/b", "..", "é", "nul", "com1", strings.Repeat("a", 41)}
	q := named(t, "name")
	for _, name := range good {
		if _, err := q.Validate(name, nil); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		if _, err := q.Validate(name, nil); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}

func TestSchedules(t *testing.T) {
	tests := []struct {
		schedule   string
		expression string // empty: refused
		window     int    // longest
	}{
		{"30d", "rate(30 days)", 24},
		{"1d", "rate(1 day)", 24},
		{"999d", "rate(999 days)", 24},
		{"rate(10 days)", "rate(10 days)", 24},
		{"rate(4 hours)", "rate(4 hours)", 4},
		{"rate(36 hours)", "rate(36 hours)", 24},
		{"cron(0 4 1 * ? *)", "cron(0 4 1 * ? *)", 20},
		{"cron(0 */6 ? * MON *)", "cron(0 */6 ? * MON *)", 6},
		{"cron(0 4/12 * * ? *)", "cron(0 4/12 * * ? *)", 8},
		{"cron(0 8-20/6 * * ? *)", "cron(0 8-20/6 * * ? *)", 4},
		{"cron(0 2,22 ? JAN,JUL 2#1 *)", "cron(0 2,22 ? JAN,JUL 2#1 *)", 2},
		{"cron(0 0 L * ? *)", "cron(0 0 L * ? *)", 24},
		{"cron(0 23 ? * 6L *)", "cron(0 23 ? * 6L *)", 1},
		{"", "", 0},
		{"d", "", 0},
		{"0d", "", 0},
		{"030d", "", 0},
		{"1000d", "", 0},
		{"30", "", 0},
		{"30 d", "", 0},
		{"-1d", "", 0},
		{"rate(3 hours)", "", 0},
		{"rate(1 days)", "", 0},
		{"rate(2 day)", "", 0},
		{"rate(2  days)", "", 0},
		{"rate(5 minutes)", "", 0},
		{"rate(30 days) ", "", 0},
		{"cron(0 4 1 * ?)", "", 0},
		{"cron(5 4 1 * ? *)", "", 0},
		{"cron(0 4 1 * ? 2030)", "", 0},
		{"cron(0 4 1 * 2 *)", "", 0},
		{"cron(0 4 ? * ? *)", "", 0},
		{"cron(0 24 1 * ? *)", "", 0},
		{"cron(0 * 1 * ? *)", "", 0},
		{"cron(0 */2 1 * ? *)", "", 0},
		{"cron(0 0,22 1 * ? *)", "", 0},
		{"cron(0 4/0 1 * ? *)", "", 0},
		{"cron(0 x 1 * ? *)", "", 0},
		{"cron(0 4 first * ? *)", "", 0},
		{"cron(0 4 1 $ ? *)", "", 0},
		{"cron(0 4 ? * @ *)", "", 0},
		{"cron(0 4 1 * ? *)\"", "", 0},
	}
	for _, test := range tests {
		s, err := ParseSchedule(test.schedule)
		if (err == nil) != (test.expression != "") || err == nil && s.Expression != test.expression {
			t.Errorf("%q: %+v, error %v; want %q", test.schedule, s, err, test.expression)
			continue
		}
		if err != nil {
			continue
		}
		if got := s.longestWindow(); got != test.window {
			t.Errorf("%q: longest window %d, want %d", test.schedule, got, test.window)
		}
	}
}

func TestWindowMustFitTheSchedule(t *testing.T) {
	c := openTree(t, nil)
	if _, err := c.Resolve(pairAnswers("schedule=rate(4 hours)", "window=4h")).Spec(); err != nil {
		t.Error(err)
	}
	_, err := c.Resolve(pairAnswers("schedule=rate(4 hours)", "window=5h")).Spec()
	want := []string{`window "5h" reaches into the next rotation window or the next day (UTC) of schedule "rate(4 hours)" | ` +
		`at most 4h with this schedule, or set schedule to another`}
	if diff := cmp.Diff(want, faultTexts(err)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestCommandMakesTheSameProject(t *testing.T) {
	c := openTree(t, nil)
	given := pairAnswers("module=example.net/x", "users=clone", "schedule=cron(0 4 1 * ? *)", "ci=github")
	spec, err := c.Resolve(given).Spec()
	if err != nil {
		t.Fatal(err)
	}
	want := `rotasmith new orders --type db-pair --engine alpha --set users=clone --module example.net/x ` +
		`--set 'schedule=cron(0 4 1 * ? *)' --dir ../o --no-input`
	if got := spec.Command("../o"); got != want {
		t.Errorf("command\n got %s\nwant %s", got, want)
	}
}

func TestNextWalksEveryOpenQuestion(t *testing.T) {
	c := openTree(t, nil)
	answers := Texts(map[string]string{"schedule": "7d"})
	replies := map[string]string{"name": "orders", "type": "db-single", "engine": "beta"}
	var asked []string
	for {
		so := c.Resolve(answers)
		q, ok := so.Next()
		if !ok {
			break
		}
		def := so.Default(q.Key)
		asked = append(asked, q.Key+"="+def)
		if q.Key == "engine" && len(q.Choices) != 2 {
			t.Errorf("engine choices %v", q.Choices)
		}
		reply, ok := replies[q.Key]
		if !ok {
			reply = def
		}
		if err := so.Accepts(q, reply); err != nil {
			t.Fatal(err)
		}
		answers[q.Key] = Answer{Value: reply}
	}
	want := []string{
		"name=", "type=", "engine=", "change_as=self", "kind=", "module=example.com/orders", "secret_name=orders", "window=", "region=",
		"secret=create", "secrets=one", "replicas=", "kms=create", "network=vpc", "alerts=sns", "refresh=sns", "consumer=none", "ci=github",
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	if _, err := c.Resolve(answers).Spec(); err != nil {
		t.Error(err)
	}
}

func named(t *testing.T, key string) *Question {
	t.Helper()
	questions := BaseQuestions()
	i := slices.IndexFunc(questions, func(q Question) bool { return q.Key == key })
	if i < 0 {
		t.Fatalf("no question %q", key)
	}
	return &questions[i]
}

func TestBadTreesDoNotOpen(t *testing.T) {
	tests := []struct{ name, path, text, want string }{
		{"unknown field", "engines/alpha/engine.yaml", "name: alpha\ntitel: x\n", "field titel not found"},
		{"no manifest", "engines/alpha/engine.yaml", "", "engine.yaml: file does not exist"},
		{"unknown kind of target", "strategies/pair/strategy.yaml", "type: x\ntarget: motor\n", `target "motor" is none of: engine, provider`},
		{"other name", "engines/alpha/engine.yaml", "name: beta\n", `name "beta" is not the folder's`},
		{"unknown include", "strategies/pair/strategy.yaml", "type: x\ntarget: engine\nincludes: [nope]\n", `includes unknown strategy "nope"`},
		{"unknown protocol", "engines/beta/engine.yaml", "name: beta\nincludes: [nope]\n", `includes unknown protocol "nope"`},
		{"include loop", "strategies/common/strategy.yaml", "includes: [pair]\n", "includes itself"},
		{"bad key", "engines/beta/engine.yaml", "name: beta\nquestions: [{key: A-B}]\n", `bad key "A-B"`},
		{"bad pattern", "engines/beta/engine.yaml", "name: beta\nquestions: [{key: a, pattern: '('}]\n", "missing closing"},
		{"bad default", "engines/beta/engine.yaml", "name: beta\nquestions: [{key: a, default: z, choices: [{value: b}]}]\n", `unknown a "z"`},
		{"choice without a question", "features/colour/red/x.md", "x\n", `question "colour" has no choice "red"`},
		{"choice that a question does not have", "features/ci/jenkins/Jenkinsfile", "x\n", `features/ci/jenkins: question "ci" has no choice "jenkins"`},
		{"choice of an engine alone", "engines/alpha/features/ci/jenkins/Jenkinsfile", "x\n", `has no choice "jenkins": add {value: jenkins, help: ...}`},
		{"choice of a protocol alone", "protocols/wire/features/ci/jenkins/Jenkinsfile", "x\n", `has no choice "jenkins": add {value: jenkins, help: ...}`},
		{"choice of a strategy alone", "strategies/pair/features/ci/jenkins/Jenkinsfile", "x\n", `has no choice "jenkins": add {value: jenkins, help: ...}`},
		{"feature of another name", "features/ci/question.yaml", "key: cd\n", `features/ci/question.yaml: key "cd" is not the folder's`},
		{"feature after nothing", "features/ci/question.yaml", "key: ci\nafter: nope\nchoices: [{value: github}, {value: gitlab}]\n", `after "nope", which no question is`},
		{"feature that is built in", "features/region/question.yaml", "key: region\n", `"region" is built in`},
		{"built-in question", "engines/beta/engine.yaml", "name: beta\nquestions: [{key: schedule}]\n", `"schedule" is built in`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Open(testTree(map[string]string{test.path: test.text}), testRoot)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
}

// FuzzAnswers holds validation to what comes after it: answers that pass make a project, whatever they say.
func FuzzAnswers(f *testing.F) {
	f.Add("orders", "example.com/orders", "orders", "30d", "3h", "eu-west-1", "README.md")
	f.Add("a", "example.com/a/v2", "prod/${x}`", "cron(0 4 1 * ? *)", "", "", "a,b*")
	f.Add("x-", "github.com/A/b", "+=.@-_/", "rate(4 hours)", "4h", "us-gov-west-1", "[")
	c, err := Open(testTree(nil), testRoot)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, module, secret, schedule, window, region, keep string) {
		answers := Texts(map[string]string{
			"name": name, "type": "db-pair", "engine": "alpha", "module": module, "secret_name": secret, "schedule": schedule,
			"window": window, "region": region, "keep": keep,
		})
		spec, err := c.Resolve(answers).Spec()
		if err != nil {
			for _, text := range faultTexts(err) {
				if strings.HasPrefix(text, "no fault: ") {
					t.Errorf("%s", text)
				}
			}
			return
		}
		result, err := NewRenderer(c).Generate(answers)
		if err != nil {
			t.Fatalf("valid answers do not render: %v", err)
		}
		for _, f := range result.Files {
			if f.Path != AnswersFile {
				continue
			}
			recorded, err := ParseAnswers(f.Path, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range spec.Resolved {
				if got := recorded[r.Question.Key]; got.fault != nil || got.Value != r.Value {
					t.Errorf("%s: recorded %q, read back %q, %v", r.Question.Key, r.Value, got.Value, got.fault)
				}
			}
		}
	})
}

// The regions that AWS's SDK knows are regions.
func TestRegions(t *testing.T) {
	const known = "af-south-1 ap-east-1 ap-east-2 ap-northeast-3 ap-southeast-7 ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-2 " +
		"eu-isoe-west-1 eu-north-1 eu-south-2 eusc-de-east-1 il-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-gov-west-1 " +
		"us-iso-east-1 us-isob-west-1 us-isof-south-1 us-west-2"
	c := openTree(t, nil)
	for region := range strings.FieldsSeq(known) {
		if err := c.Resolve(pairAnswers("region=" + region)).Err(); err != nil {
			t.Error(err)
		}
	}
}
