package account

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/generator/doctor"
)

// rotationService is the principal that invokes rotation functions.
const rotationService = "secretsmanager.amazonaws.com"

// functionPath is where Lambda's API has a function, which is named by its ARN.
func functionPath(version, function, rest string) string {
	// A colon stays as it is in a path, and is not signed as it is.
	return "/" + version + "/functions/" + strings.ReplaceAll(url.PathEscape(function), ":", "%3A") + "/" + rest
}

// function is the rotation function's configuration. Of its environment, what matters is whether two settings are there.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
func (a *Account) function(name string) section {
	return section{"function", "lambda:GetFunctionConfiguration", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		var got struct {
			State, StateReason, LastUpdateStatus, Runtime string
			Timeout                                       int
			VpcConfig                                     struct {
				VpcID     string   `json:"VpcId"`
				SubnetIDs []string `json:"SubnetIds"`
			}
			Environment   struct{ Variables map[string]string }
			LoggingConfig struct{ LogGroup string }
		}
		err := a.call(ctx, request{service: "lambda", path: functionPath("2015-03-31", name, "configuration")}, &got)
		if notFound(err) {
			return func(s *doctor.Snapshot) { functionOf(s).Missing = true }, nil
		}
		if err != nil {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			f := functionOf(s)
			f.State, f.Reason, f.Update = got.State, doctor.Plain(got.StateReason), got.LastUpdateStatus
			f.Runtime, f.Timeout, f.VPC, f.Subnets = got.Runtime, got.Timeout, got.VpcConfig.VpcID, got.VpcConfig.SubnetIDs
			f.LogGroup = got.LoggingConfig.LogGroup
			f.Disabled, _ = strconv.ParseBool(got.Environment.Variables["ROTATION_DISABLED"]) // as the function reads it
			_, f.Ours = got.Environment.Variables["ALLOWED_SECRETS"]
		}, nil
	}}
}

func functionOf(s *doctor.Snapshot) *doctor.Function {
	if s.Function == nil {
		s.Function = new(doctor.Function)
	}
	return s.Function
}

// invocation is what the function's policy says to Secrets Manager. A function without one answers as a missing one.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetPolicy.html
func (a *Account) invocation(x *doctor.Secret) section {
	return section{"function's policy", "lambda:GetPolicy", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		var got struct{ Policy string }
		err := a.call(ctx, request{service: "lambda", path: functionPath("2015-03-31", x.Rotator, "policy")}, &got)
		if err != nil && !notFound(err) {
			return nil, err
		}
		statements, err := statementsOf(got.Policy)
		if err != nil {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			f := functionOf(s)
			f.Invocation, f.InvocationFor = invocationOf(statements, x.ARN)
		}, nil
	}}
}

// invocationOf is what statements say about the secret with that ARN: the best of what they allow.
func invocationOf(statements []statement, arn string) (is doctor.Invocation, elsewhere string) {
	account := strings.Split(arn+":::::", ":")[4]
	is = doctor.NotAllowed
	for _, s := range statements {
		if !s.serves(rotationService) {
			continue
		}
		accounts, byAccount := s.names("aws:SourceAccount")
		arns, byARN := s.names("aws:SourceArn")
		switch {
		case byAccount && !fits(accounts, account):
			elsewhere = strings.Join(accounts, ", ")
		case byARN && !fits(arns, arn):
			elsewhere = strings.Join(arns, ", ")
		case byAccount || byARN:
			return doctor.Allowed, ""
		default:
			is = doctor.AllowedToAnyone
		}
	}
	if is == doctor.NotAllowed && elsewhere != "" {
		return doctor.AllowedElsewhere, doctor.Plain(elsewhere)
	}
	return is, ""
}

// concurrency is what is reserved for the function.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
func (a *Account) concurrency(name string) section {
	return section{"concurrency", "lambda:GetFunctionConcurrency", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		var got struct{ ReservedConcurrentExecutions *int }
		err := a.call(ctx, request{service: "lambda", path: functionPath("2019-09-30", name, "concurrency")}, &got)
		if err != nil && !notFound(err) {
			return nil, err
		}
		return func(s *doctor.Snapshot) { functionOf(s).Reserved = got.ReservedConcurrentExecutions }, nil
	}}
}

// key is the state of a customer's key.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
func (a *Account) key(id string) section {
	return section{"key", "kms:DescribeKey", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		var got struct {
			KeyMetadata struct{ KeyState string }
		}
		err := a.call(ctx, request{service: "kms", target: "TrentService.DescribeKey", body: map[string]string{"KeyId": id}}, &got)
		missing := notFound(err)
		if err != nil && !missing {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			s.Key = &doctor.Key{ID: id, Missing: missing, State: got.KeyMetadata.KeyState}
		}, nil
	}}
}

// history is how far back CloudTrail answers.
const history = 90 * 24 * time.Hour

// events are asked for by name: those of a rotation name their secret in a place that cannot be asked for.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (a *Account) events(x *doctor.Secret) section {
	return section{"CloudTrail", "cloudtrail:LookupEvents", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		from := a.Now().Add(-history)
		if x.Rotated != nil && x.Rotated.After(from) {
			from = *x.Rotated
		}
		var got struct {
			Events []struct{ CloudTrailEvent string }
		}
		err := a.call(ctx, request{
			service: "cloudtrail", target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents",
			body: map[string]any{
				"LookupAttributes": []map[string]string{{"AttributeKey": "EventName", "AttributeValue": "RotationAbandoned"}},
				"StartTime":        from.Unix(), "MaxResults": 50,
			},
		}, &got)
		if err != nil {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			s.Events = new(doctor.Events)
			for _, event := range got.Events { // newest first
				var detail struct {
					EventTime           time.Time
					AdditionalEventData struct {
						SecretID string `json:"SecretId"`
					}
				}
				if json.Unmarshal([]byte(event.CloudTrailEvent), &detail) == nil && detail.AdditionalEventData.SecretID == x.ARN {
					s.Events.Abandoned = &detail.EventTime
					return
				}
			}
		}, nil
	}}
}

// logGroup is where the function writes, as far as that is known; empty where nothing is to be read.
func (a *Account) logGroup(s *doctor.Snapshot) string {
	if s.Secret.Rotator == "" || s.Function != nil && s.Function.Missing || s.Secret.Deleted != nil {
		return ""
	}
	if s.Function != nil && s.Function.LogGroup != "" {
		return s.Function.LogGroup
	}
	parts := strings.Split(s.Secret.Rotator, ":") // arn:aws:lambda:REGION:ACCOUNT:function:NAME
	if len(parts) < 7 {
		return ""
	}
	return "/aws/lambda/" + parts[6]
}

// recent is how far back the log is read where no rotation began.
const recent = 3 * 24 * time.Hour

// log is one page of the function's log, from where the rotation began. Lines are looked for here and not by a pattern of
// CloudWatch's, which may have 1,024 characters.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (a *Account) log(s *doctor.Snapshot, group string) section {
	return section{"log", "logs:FilterLogEvents", func(ctx context.Context) (func(*doctor.Snapshot), error) {
		since := s.Taken.Add(-recent)
		for _, v := range s.Versions {
			if v.Created != nil && open([]doctor.Version{v}) {
				since = *v.Created
			}
		}
		var got struct {
			Events []struct {
				Timestamp int64
				Message   string
			}
			NextToken string
		}
		err := a.call(ctx, request{
			service: "logs", target: "Logs_20140328.FilterLogEvents",
			body: map[string]any{"logGroupName": group, "startTime": since.UnixMilli()},
		}, &got)
		missing := notFound(err)
		if err != nil && !missing {
			return nil, err
		}
		return func(s *doctor.Snapshot) {
			s.Log = &doctor.Log{Group: group, Missing: missing, Since: since, Partial: got.NextToken != ""}
			for _, event := range got.Events {
				s.Log.Line(time.UnixMilli(event.Timestamp).UTC(), event.Message, s.Secret.ARN)
			}
		}, nil
	}}
}
