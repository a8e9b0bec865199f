package golden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/generator/rehearsal"
	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
	"github.com/rotasmith/rotasmith/golden/hclcheck"
	"github.com/rotasmith/rotasmith/golden/space"
	"github.com/rotasmith/rotasmith/templates"
	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/project/rotation/rotationtest"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database"
	"github.com/rotasmith/rotasmith/templates/strategies/database/database/databasetest"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
	"github.com/rotasmith/rotasmith/templates/strategies/two-user/database/twouser"
)

// TestRoleIsExact runs every path of every strategy, with the settings that the
// emitted Terraform gives the function, over the wire and against the policy that
// it gives the role. The policy allows all that the paths need; with any one
// grant less some path fails; and none goes unused.
func TestRoleIsExact(t *testing.T) {
	everyRole(t, func(t *testing.T, r role) {
		access, err := r.walk(r.policy)
		if err != nil {
			t.Fatalf("%v\ndenied: %v", err, access.Denied())
		}
		for _, grant := range access.Unused() {
			t.Errorf("%s is never used", grant)
		}
		for _, grant := range r.policy.Grants() {
			if _, err := r.walk(r.policy.Without(grant)); err == nil {
				t.Errorf("without %s nothing fails", grant)
			}
		}
	})
}

// TestRoleIsNarrow asks for what a rotator must never be able to do.
func TestRoleIsNarrow(t *testing.T) {
	everyRole(t, func(t *testing.T, r role) {
		for _, request := range r.forbidden() {
			if r.policy.Decide(request).Allowed {
				t.Errorf("the role may do %s with %v", request, request.Context)
			}
		}
	})
}

// A8: each condition of each emitted policy is about a key that AWS shows for every
// action and resource of its statement, or that statement would never hold.
func TestConditionsCanHold(t *testing.T) {
	everyRole(t, func(t *testing.T, r role) {
		for address, policy := range r.policies {
			for _, fault := range policy.Faults() {
				t.Errorf("%s: %s", address, fault)
			}
		}
	})
}

// policiesOf returns every policy of a deployment, by the address of its resource.
func policiesOf(t testing.TB, d *hclcheck.Deployment) map[string]*iam.Policy {
	t.Helper()
	policies := make(map[string]*iam.Policy)
	for _, i := range d.Instances {
		if !i.Value.Type().HasAttribute("policy") || !strings.Contains(i.Text("policy"), `"Statement"`) {
			continue
		}
		p, err := iam.Parse([]byte(i.Text("policy")))
		if err != nil {
			t.Fatalf("%s: %v", i.Address, err)
		}
		policies[i.Address] = p
	}
	return policies
}

// forbidden are requests about the neighbours of what a role is for.
func (r role) forbidden() []iam.Request {
	var all []iam.Request
	for _, action := range []string{"DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "ListSecretVersionIds"} {
		for _, neighbour := range []string{r.secret[:len(r.secret)-7] + "-2-AbCdEf", r.secret + "x", strings.Replace(r.secret, hclcheck.Account, "444455556666", 1), "*"} {
			all = append(all, iam.Request{Action: "secretsmanager:" + action, Resource: neighbour})
		}
		if action != "GetSecretValue" {
			all = append(all, iam.Request{Action: "secretsmanager:" + action, Resource: r.admin})
		}
	}
	for _, action := range []string{"CreateSecret", "DeleteSecret", "PutResourcePolicy", "RotateSecret", "UpdateSecret", "CancelRotateSecret"} {
		all = append(all, iam.Request{Action: "secretsmanager:" + action, Resource: r.secret})
	}
	for _, action := range []string{"CreateAccessKey", "DeleteAccessKey", "ListAccessKeys", "UpdateAccessKey"} {
		for _, neighbour := range []string{userARN("orders-2"), userARN("teams/orders"), userARN("*")} {
			all = append(all, iam.Request{Action: "iam:" + action, Resource: neighbour})
		}
	}
	for _, action := range []string{"AttachUserPolicy", "CreateLoginProfile", "DeleteUser", "PutUserPolicy", "UpdateUser"} {
		all = append(all, iam.Request{Action: "iam:" + action, Resource: userARN("orders")})
	}
	function := map[string][]string{"lambda:SourceFunctionArn": {r.function}}
	for _, request := range r.platform.Requests() {
		if strings.HasPrefix(request.Action, "ec2:") { // is Lambda's to do, and not the function's code's
			request.Context = maps.Clone(request.Context)
			maps.Copy(request.Context, function)
			all = append(all, request)
		}
		if request.Action == "ec2:CreateNetworkInterface" && !strings.Contains(request.Resource, ":network-interface/") {
			request.Context = map[string][]string{"ec2:Vpc": {request.Context["ec2:Vpc"][0] + "-2"}}
			all = append(all, request)
		}
	}
	for _, key := range r.keys() {
		for _, action := range []string{"kms:Decrypt", "kms:GenerateDataKey", "kms:Encrypt"} {
			all = append(all, iam.Request{Action: action, Resource: key}, // by itself
				iam.Request{Action: action, Resource: key + "x", Context: keyContext(key, r.secret)},
				iam.Request{Action: action, Resource: key, Context: map[string][]string{"kms:EncryptionContext:SecretARN": {r.secret}, "kms:ViaService": {"s3.eu-west-1.amazonaws.com"}}})
		}
		if !slices.Contains(r.replicaKeys, key) {
			all = append(all, iam.Request{Action: "kms:Decrypt", Resource: key, Context: keyContext(key, r.secret[:len(r.secret)-7]+"-2-AbCdEf")})
		}
		all = append(all, iam.Request{Action: "kms:ScheduleKeyDeletion", Resource: key, Context: keyContext(key, r.secret)})
	}
	return all
}

func keyContext(key, secret string) map[string][]string {
	return map[string][]string{
		"kms:EncryptionContext:SecretARN": {secret},
		"kms:ViaService":                  {"secretsmanager." + strings.Split(key, ":")[3] + ".amazonaws.com"},
	}
}

// role is what one emitted Terraform lets a function do, and what it tells it.
type role struct {
	strategy    string
	policy      *iam.Policy
	settings    map[string]string
	secret      string // ARN
	admin       string // ARN, "" if the function has no administrator
	function    string // ARN
	platform    rehearsal.Platform
	policies    map[string]*iam.Policy // of the role and of everything else
	key         string                 // of the secret, "" for AWS's own
	adminKey    string
	replicaKeys []string
}

func (r role) keys() []string {
	return slices.DeleteFunc(append([]string{r.key, r.adminKey}, r.replicaKeys...), func(key string) bool { return key == "" })
}

// openTemplates returns the catalogue of the templates, and what renders their projects.
func openTemplates(t testing.TB) (*generator.Catalog, *generator.Renderer) {
	t.Helper()
	c, err := generator.Open(templates.FS, templates.Root)
	if err != nil {
		t.Fatal(err)
	}
	return c, generator.NewRenderer(c)
}

// schemaOf returns the AWS provider's recorded schema.
func schemaOf(t testing.TB) *hclcheck.Schema {
	t.Helper()
	schema, err := recordedSchema()
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// recordedSchema reads the schema once for all tests.
var recordedSchema = sync.OnceValues(func() (*hclcheck.Schema, error) {
	data, err := os.ReadFile("tfprovider/schema.json")
	if err != nil {
		return nil, err
	}
	return hclcheck.ParseSchema(data)
})

// everyRole calls f for each type and mode and each pair of answers, and for every
// other target with the usual answers: once for those that come to the same.
func everyRole(t *testing.T, f func(t *testing.T, r role)) {
	if len(roles) == 0 {
		roles = rolesOf(t)
	}
	for _, r := range roles {
		t.Run(r.name, func(t *testing.T) { f(t, r.role) })
	}
}

// roles are those that everyRole has found, which every test of them asks for.
var roles []namedRole

type namedRole struct {
	name string
	role
}

func rolesOf(t *testing.T) (all []namedRole) {
	t.Helper()
	c, renderer := openTemplates(t)
	rows := c.Combinations()
	for _, base := range space.Bases(c) {
		if testing.Short() {
			break // the defaults of each combination
		}
		choices, err := space.Choices(c, base)
		if err != nil {
			t.Fatal(err)
		}
		for _, answers := range space.Pairs(choices) {
			maps.Copy(answers, base)
			rows = append(rows, answers)
		}
	}
	seen := make(map[string]bool)
	for _, answers := range rows {
		name := fmt.Sprint(answers)
		answers["name"] = "orders"
		spec, err := c.Resolve(generator.Texts(answers)).Spec()
		if err != nil {
			t.Fatal(err)
		}
		r := roleOf(t, spec.Strategy, terraform(t, renderer, answers))
		if same := fmt.Sprintf("%s %v %v", r.strategy, r.policy, r.settings); !seen[same] {
			seen[same] = true
			all = append(all, namedRole{name, r})
		}
	}
	return all
}

// terraform returns the emitted files of that folder.
func terraform(t testing.TB, renderer *generator.Renderer, answers map[string]string) map[string][]byte {
	t.Helper()
	result, err := renderer.Generate(generator.Texts(answers))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, f := range result.Files {
		if name, ok := strings.CutPrefix(f.Path, "terraform/"); ok {
			files[name] = f.Data
		}
	}
	return files
}

// The secrets, as the double names them and as the deployments do.
const (
	roleSecret = "orders"
	roleAdmin  = "orders-admin"
)

// roleOf deploys a project in memory with everything that it can be given.
func roleOf(t testing.TB, strategy string, files map[string][]byte) role {
	t.Helper()
	schema := schemaOf(t)
	secret, admin := doubleARN(t, roleSecret), doubleARN(t, roleAdmin)
	m := schema.Parse(files)
	d := m.Evaluate(space.Deployment(m, secret, admin))
	if findings := m.Findings(); len(findings) > 0 || len(d.Refused) > 0 {
		t.Fatalf("%v %v", findings, d.Refused)
	}
	r := role{strategy: strategy, secret: secret, admin: admin, settings: make(map[string]string)}
	named := strings.NewReplacer() // from the secrets of the deployment to the double's
	for _, i := range d.All("aws_secretsmanager_secret") {
		named = strings.NewReplacer(i.Text("arn"), secret, `"`+nameOf(i.Text("arn"))+`"`, `"`+nameOf(secret)+`"`)
		r.key = i.Text("kms_key_id")
		r.replicaKeys = replicaKeys(i)
	}
	for _, i := range d.Read("aws_secretsmanager_secret") {
		r.key = i.Text("kms_key_id")
		r.replicaKeys = []string{space.ReplicaKey}
	}
	functions := d.All("aws_lambda_function")
	if len(functions) != 1 {
		t.Fatalf("%d functions", len(functions))
	}
	r.policy = &iam.Policy{Version: iam.Version}
	var document string
	for _, policy := range d.All("aws_iam_role_policy") { // a provider may have one of its own
		text := named.Replace(policy.Text("policy"))
		p, err := iam.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		r.policy.Statement = append(r.policy.Statement, p.Statement...)
		document += text
	}
	if !strings.Contains(document, admin) {
		r.admin = ""
	}
	if strings.Contains(document, space.AdminKey) {
		r.adminKey = space.AdminKey
	}
	r.function = functions[0].Text("arn")
	r.platform, r.policies = platformOf(d, functions[0]), policiesOf(t, d)
	environment := functions[0].Value.GetAttr("environment").AsValueSlice()[0].GetAttr("variables")
	for name, value := range environment.AsValueMap() {
		r.settings[name] = named.Replace(value.AsString())
	}
	r.settings["MIN_ROTATION_AGE"] = "0" // the paths follow each other at once
	return r
}

// nameOf returns how the ARN of a secret ends: its name and six characters.
func nameOf(arn string) string {
	_, name, _ := strings.Cut(arn, ":secret:")
	return name
}

// platformOf is what AWS does with the role of a function.
func platformOf(d *hclcheck.Deployment, function hclcheck.Instance) rehearsal.Platform {
	p := rehearsal.Platform{Function: function.Text("arn")}
	for _, tracing := range blocks(function, "tracing_config") {
		p.Traced = tracing.Text("mode") == "Active"
	}
	for _, vpc := range blocks(function, "vpc_config") {
		p.Subnets, p.SecurityGroups = texts(vpc, "subnet_ids"), texts(vpc, "security_group_ids")
	}
	for _, subnet := range d.Read("aws_subnet") {
		p.VPC = subnet.Text("vpc_id")
	}
	return p
}

func blocks(i hclcheck.Instance, name string) (all []hclcheck.Instance) {
	for _, value := range i.Value.GetAttr(name).AsValueSlice() {
		all = append(all, hclcheck.Instance{Value: value})
	}
	return all
}

func texts(i hclcheck.Instance, attribute string) (all []string) {
	for _, value := range i.Value.GetAttr(attribute).AsValueSlice() {
		all = append(all, value.AsString())
	}
	return all
}

func replicaKeys(secret hclcheck.Instance) []string {
	var keys []string
	for _, replica := range secret.Value.GetAttr("replica").AsValueSlice() {
		if key := replica.GetAttr("kms_key_id"); !key.IsNull() && key.IsKnown() {
			keys = append(keys, key.AsString())
		}
	}
	return keys
}

// doubleARN is the ARN that the double gives a secret.
func doubleARN(t testing.TB, name string) string {
	t.Helper()
	return create(t, &rotationtest.SecretsManager{}, name, "{}")
}

func create(t testing.TB, sm *rotationtest.SecretsManager, name, value string) string {
	t.Helper()
	out, err := sm.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		t.Fatal(err)
	}
	return *out.ARN
}

// way is one path through a strategy.
type way struct {
	name string
	run  func(*actors) error
}

// ways are all in which the strategies call Secrets Manager, by strategy.
var ways = map[string][]way{
	"single-user": append(slices.Clone(everyStrategy), way{"no labelled version logs in", (*actors).recover}),
	"two-user":    everyStrategy,
	"overlap":     append(slices.Clone(everyStrategy), previousKeys),
	"roll":        everyStrategy,
	"assisted": append(slices.Clone(everyStrategy), previousKeys,
		way{"preflight of a supply", (*actors).preflightOfSupply}),
}

// previousKeys proves that only keys in use are left.
var previousKeys = way{"previous keys end", func(a *actors) error {
	return errors.Join(a.rotate(), a.rotate(), a.rotate(), a.rotate(), a.book.tidy())
}}

var everyStrategy = []way{
	{"rotations in a row", func(a *actors) error { return errors.Join(a.rotate(), a.rotate(), a.rotate()) }},
	{"the steps again after the last", func(a *actors) error {
		err := a.rotate()
		_, again := a.service.Retry(context.Background(), a.role.secret, a.token())
		return errors.Join(err, again)
	}},
	{"each step twice", (*actors).stutter},
	{"test only", func(a *actors) error {
		a.tokens++
		_, err := a.service.TestOnly(context.Background(), a.role.secret, a.token())
		return err
	}},
	{"test only, without a value", func(a *actors) error {
		a.secrets.EmptyTestVersion = true
		a.tokens++
		_, err := a.service.TestOnly(context.Background(), a.role.secret, a.token())
		return err
	}},
	{"preflight", (*actors).preflight},
	{"replicas", func(a *actors) error {
		status := func(s types.StatusType) []types.ReplicationStatusType {
			return []types.ReplicationStatusType{{Region: aws.String("eu-central-1"), Status: s}}
		}
		err := a.secrets.ScriptReplication(a.role.secret, status(types.StatusTypeInProgress), status(types.StatusTypeInSync))
		return errors.Join(err, a.rotate())
	}},
}

// walk takes every path with a policy and returns what became of the last that
// was taken: the first that fails, or all of them.
func (r role) walk(policy *iam.Policy) (*rehearsal.Access, error) {
	all := ways[r.strategy]
	if all == nil {
		return &rehearsal.Access{}, fmt.Errorf("no paths are known for strategy %s: add them", r.strategy)
	}
	access := &rehearsal.Access{Policy: policy, Keys: map[string]string{r.secret: r.key, r.admin: r.adminKey}, ReplicaKeys: map[string][]string{r.secret: r.replicaKeys}}
	for _, request := range r.platform.Requests() {
		if err := access.Ask(request); err != nil {
			return access, fmt.Errorf("AWS, for the function: %w", err)
		}
	}
	for _, p := range all {
		if err := r.take(p, access); err != nil {
			return access, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return access, nil
}

// actors are everybody who takes part in a path.
type actors struct {
	role    role
	secrets *rotationtest.SecretsManager
	client  *secretsmanager.Client
	service rehearsal.Service
	outside *rotationtest.Outside
	server  *databasetest.Server // of a database
	book    *book                // of API keys
	access  *rehearsal.Access
	tokens  int
}

func (r role) take(p way, access *rehearsal.Access) error {
	a := &actors{role: r, secrets: &rotationtest.SecretsManager{}, outside: &rotationtest.Outside{}, access: access}
	access.SecretsManager = a.secrets
	front := httptest.NewServer(&rehearsal.Front{SecretsManager: a.secrets, Before: access.Check})
	defer front.Close()
	a.client = secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: &front.URL, Region: hclcheck.Region, RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "x", SecretAccessKey: "x"}, nil
		}),
	})
	a.service = rehearsal.Service{SecretsManager: a.secrets, Function: a, Attempts: 1}
	if err := a.seed(); err != nil {
		return err
	}
	return p.run(a)
}

// seed stores the first values, of a credential that works.
func (a *actors) seed() error {
	value, admin := a.seedDatabase()
	if a.role.rotatesKeys() {
		value, admin = a.seedKeys()
	}
	for name, value := range map[string]string{roleSecret: value, roleAdmin: admin} {
		if _, err := a.secrets.CreateSecret(context.Background(), &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value}); err != nil {
			return err
		}
	}
	return nil
}

func (r role) rotatesKeys() bool { return r.strategy != "single-user" && r.strategy != "two-user" }

// seedDatabase makes the database's users.
func (a *actors) seedDatabase() (value, admin string) {
	const first, admins = "first-password-sentinel-90cc", "admin-password-sentinel-41ab"
	a.server = databasetest.NewServer(a.outside, admins)
	a.server.AddUser("orders_a", first, "read")
	if a.role.settings["USERS"] != "clone" {
		a.server.AddUser("orders_b", "not-in-the-secret-yet-4242", "read")
	}
	return fmt.Sprintf(`{"engine":%q,"host":"db","port":5432,"username":"orders_a","alternate_username":"orders_b","password":%q,"masterarn":%q}`,
			databasetest.Engine, first, doubleOr(a.role.admin)),
		fmt.Sprintf(`{"username":%q,"password":%q}`, databasetest.Admin, admins)
}

func doubleOr(arn string) string {
	if arn == "" {
		return "arn:aws:secretsmanager:eu-west-1:111122223333:secret:none-AbCdEf"
	}
	return arn
}

// Invoke is a cold start: nothing is remembered from one event to the next.
func (a *actors) Invoke(ctx context.Context, event []byte, _ time.Duration) ([]byte, error) {
	env := rotation.NewEnv(func(name string) (string, bool) { value, ok := a.role.settings[name]; return value, ok })
	config, _ := rotation.ConfigFromEnv(env) // errors are collected in env
	strategy, err := a.strategy(env)
	if err := errors.Join(err, env.Err()); err != nil {
		return nil, err
	}
	clock := time.Now()
	now := func() time.Time { return clock }
	pass := func(ctx context.Context, d time.Duration) error { clock = clock.Add(d); return ctx.Err() }
	answer, err := rotation.New(a.client, strategy, config, rotation.WithOutput(io.Discard), rotation.WithClock(now, pass)).Handle(ctx, event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}

func (a *actors) strategy(env *rotation.Env) (rotation.Strategy, error) {
	if a.role.rotatesKeys() {
		return a.keyStrategy(env)
	}
	target := a.server.Target(a.outside.Process())
	if a.role.strategy == "two-user" {
		config, _ := twouser.ConfigFromEnv(env)
		return twouser.New(twoUsers{target}, config)
	}
	config, _ := singleuser.ConfigFromEnv(env)
	return singleuser.New(oneUser{target}, config)
}

type oneUser struct{ *databasetest.Target }

func (u oneUser) Login(ctx context.Context, account database.Account) (database.Session, error) {
	session, err := u.Open(ctx, account)
	if err != nil {
		return nil, err // and not a nil session in an interface that is not nil
	}
	return session, nil
}

type twoUsers struct{ *databasetest.Target }

func (u twoUsers) Login(ctx context.Context, account database.Account) (twouser.Session, error) {
	session, err := u.Open(ctx, account)
	if err != nil {
		return nil, err
	}
	return session, nil
}

func (a *actors) token() string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", a.tokens) }

func (a *actors) rotate() error {
	if err := a.supply(); err != nil {
		return err
	}
	a.tokens++
	_, err := a.service.Rotate(context.Background(), a.role.secret, a.token())
	return err
}

// stutter delivers each step twice.
func (a *actors) stutter() error {
	if err := a.supply(); err != nil {
		return err
	}
	a.tokens++
	_, err := a.secrets.RotateSecret(context.Background(), &secretsmanager.RotateSecretInput{
		SecretId: &a.role.secret, ClientRequestToken: aws.String(a.token()), RotationLambdaARN: aws.String(rehearsal.FunctionARN),
	})
	for _, step := range rotationtest.Steps {
		for range 2 {
			if err != nil {
				return err
			}
			_, err = a.Invoke(context.Background(), fmt.Appendf(nil, `{"Step":%q,"SecretId":%q,"ClientRequestToken":%q}`, step, a.role.secret, a.token()), 0)
		}
	}
	return err
}

func (a *actors) preflight() error {
	answer, err := a.Invoke(context.Background(), fmt.Appendf(nil, `{"Preflight":true,"SecretId":%q}`, a.role.secret), 0)
	var report rotation.Preflight
	if err == nil {
		err = json.Unmarshal(answer, &report)
	}
	if err == nil && !report.OK {
		err = fmt.Errorf("preflight: %s", answer)
	}
	return err
}

// recover rotates although the server has a password that no label leads to.
func (a *actors) recover() error {
	var previous string
	for i := range 4 {
		if err := a.rotate(); err != nil {
			return err
		}
		if i == 0 {
			out, err := a.secrets.GetSecretValue(context.Background(), &secretsmanager.GetSecretValueInput{SecretId: &a.role.secret})
			if err != nil {
				return err
			}
			var value struct{ Password string }
			if err := json.Unmarshal([]byte(*out.SecretString), &value); err != nil {
				return err
			}
			previous = value.Password
		}
	}
	a.server.SetPassword("orders_a", previous)
	return a.rotate()
}
