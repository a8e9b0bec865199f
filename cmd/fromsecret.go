package cmd

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/rotasmith/rotasmith/generator"
)

// secretTimeout bounds reading a secret: where there are no credentials, the SDK looks for them on the network.
const secretTimeout = 20 * time.Second

// readSecret returns what an existing secret says about the questions. Of its value it takes the names of the keys and the engine, and
// nothing of it is in a message.
func (a *app) readSecret(ctx context.Context, catalog *generator.Catalog, id string) (generator.Answers, error) {
	if id == "" {
		return nil, usagef("give the name or the ARN of a secret", "--from-secret is empty")
	}
	bounded, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	facts, unread, err := factsOf(bounded, catalog, id)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.Err() != nil:
		return nil, cannotRead("--from-secret: ", id, fmt.Errorf("no answer within %v", secretTimeout), rightsOfNew)
	case err != nil:
		if refused, ok := errors.AsType[*hinted](err); ok {
			return nil, refused
		}
		return nil, cannotRead("--from-secret: ", id, err, rightsOfNew)
	case unread != "":
		fmt.Fprintf(a.Err, "rotasmith: --from-secret %q: %s\n", id, oneLine(unread))
	}
	for key, fact := range facts {
		fact.At = "--from-secret"
		facts[key] = fact
	}
	return facts, nil
}

const rightsOfNew = "it takes secretsmanager:DescribeSecret, and secretsmanager:GetSecretValue for engine and users"

const staysOpen = "; what only its value says stays open"

// factsOf asks Secrets Manager. unread says what the value did not give and why: many may describe a secret and not read it.
func factsOf(ctx context.Context, catalog *generator.Catalog, id string) (facts generator.Answers, unread string, err error) {
	options := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters comes back as an error
	if named, err := arn.Parse(id); err == nil {
		options = append(options, config.WithRegion(named.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, "", err
	}
	client := secretsmanager.NewFromConfig(cfg)
	described, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return nil, "", err
	}
	if err := refuse(id, described); err != nil {
		return nil, "", err
	}
	facts = factsIn(described)
	value, err := client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &id})
	if err != nil {
		return facts, "its value cannot be read: " + message(err) + staysOpen, nil
	}
	keys, engine, ok := keysOf(aws.ToString(value.SecretString))
	if !ok {
		return facts, "its value is no JSON object" + staysOpen, nil
	}
	maps.Copy(facts, catalog.FactsOf(keys))
	switch {
	case knowsEngine(catalog, engine):
		facts["engine"] = generator.Answer{Value: engine}
	case engine != "":
		unread = "its value names an engine that rotasmith does not know"
	}
	return facts, unread, nil
}

func knowsEngine(catalog *generator.Catalog, name string) bool {
	return slices.ContainsFunc(catalog.Questions, func(q generator.Question) bool {
		return q.Key == "engine" && catalog.Resolve(nil).Accepts(q, name) == nil
	})
}

// refuse returns why no function may rotate a secret, or not in this region.
func refuse(id string, d *secretsmanager.DescribeSecretOutput) error {
	const own = "and give the secret of a user or key that the application has of its own"
	name, _ := arn.Parse(aws.ToString(d.ARN)) // without a region, the secret is no replica
	switch service, kind, primary := aws.ToString(d.OwningService), aws.ToString(d.Type), aws.ToString(d.PrimaryRegion); {
	case service != "":
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html
		return usagef(fmt.Sprintf("leave it to %s, %s", oneLine(service), own),
			"--from-secret: %q is managed by the AWS service %s: no function may rotate it", id, oneLine(service))
	case kind != "":
		// https://docs.aws.amazon.com/secretsmanager/latest/userguide/managed-external-secrets.html
		return usagef("leave it to Secrets Manager, "+own,
			"--from-secret: %q is a managed external secret (%s), which Secrets Manager rotates itself", id, oneLine(kind))
	case primary != "" && name.Region != "" && primary != name.Region:
		region := name.Region
		name.Region = primary // a replica's ARN differs in the region only
		return usagef("--from-secret "+name.String(), "--from-secret: %q in %s is a replica, and only the secret in %s can be rotated", id, region, oneLine(primary))
	case d.DeletedDate != nil:
		return usagef("restore it first: aws secretsmanager restore-secret --secret-id "+aws.ToString(d.ARN), "--from-secret: %q is marked for deletion", id)
	}
	return nil
}

// tellFacts says which answers come from the secret, and why others do not. Of its value, only the names of keys and of a known engine get here.
func (a *app) tellFacts(o *newOptions, catalog *generator.Catalog, answers generator.Answers) {
	var found []string
	for key, answer := range catalog.Fill(answers, o.facts) {
		if _, ok := answers[key]; !ok {
			found = append(found, key+"="+answer.Value)
		}
	}
	slices.Sort(found)
	fmt.Fprintf(a.Err, "rotasmith: --from-secret %q answers %s\n", o.secret, cmp.Or(strings.Join(found, ", "), "nothing"))
	for key, why := range catalog.Untaken(answers, o.facts) {
		text := why.Msg
		if why.Hint != "" {
			text += " (" + why.Hint + ")"
		}
		fmt.Fprintf(a.Err, "rotasmith: --from-secret %q does not answer %s: %s\n", o.secret, key, oneLine(text))
	}
}

// factsIn returns what the description of a secret answers.
func factsIn(d *secretsmanager.DescribeSecretOutput) generator.Answers {
	texts := map[string]string{"secret": "existing", "secret_name": aws.ToString(d.Name), "kms": "aws"}
	if key := aws.ToString(d.KmsKeyId); key != "" && !strings.HasSuffix(key, "alias/aws/secretsmanager") {
		texts["kms"] = "existing"
	}
	if rules := d.RotationRules; rules != nil {
		texts["schedule"] = aws.ToString(rules.ScheduleExpression)
		if days := aws.ToInt64(rules.AutomaticallyAfterDays); texts["schedule"] == "" && days > 0 {
			texts["schedule"] = fmt.Sprintf("%dd", days)
		}
		texts["window"] = aws.ToString(rules.Duration)
	}
	var regions []string
	for _, replica := range d.ReplicationStatus {
		regions = append(regions, aws.ToString(replica.Region))
	}
	slices.Sort(regions)
	texts["replicas"] = strings.Join(regions, ",")
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	return generator.Texts(texts)
}

// keysOf returns the names of the keys of a secret's value, and the value of the one that names the engine.
func keysOf(value string) (keys []string, engine string, ok bool) {
	var object map[string]any
	if json.Unmarshal([]byte(value), &object) != nil || object == nil {
		return nil, "", false
	}
	engine, _ = object["engine"].(string)
	return slices.Sorted(maps.Keys(object)), engine, true
}

// cannotRead says why a secret was not read, and what to do. right is the hint for a caller that may not.
func cannotRead(where, id string, err error, right string) error {
	hint, code := "aws sts get-caller-identity shows whether credentials and region are in order", exitFailed
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		switch api.ErrorCode() {
		case (*types.ResourceNotFoundException)(nil).ErrorCode():
			hint, code = "give its name or ARN, and its region by AWS_REGION", exitUsage
		case "AccessDeniedException":
			hint = right
		}
	}
	return &hinted{fmt.Errorf("%scannot read %q: %s", where, id, message(err)), hint, code}
}

// message leaves out what the SDK puts around the cause.
func message(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return strings.TrimSuffix(cmp.Or(api.ErrorMessage(), api.ErrorCode()), ".")
	}
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		err = op.Err
	}
	return err.Error()
}
