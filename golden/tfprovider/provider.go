package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// provider answers what checking, planning and a pretended apply ask for. The embedded interface stands for the rest of
// the protocol, which nothing here calls.
type provider struct {
	tfprotov6.ProviderServer

	schema *tfprotov6.GetProviderSchemaResponse
}

func (p *provider) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	response := &tfprotov6.GetMetadataResponse{}
	for name := range p.schema.ResourceSchemas {
		response.Resources = append(response.Resources, tfprotov6.ResourceMetadata{TypeName: name})
	}
	for name := range p.schema.DataSourceSchemas {
		response.DataSources = append(response.DataSources, tfprotov6.DataSourceMetadata{TypeName: name})
	}
	return response, nil
}

func (p *provider) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (*tfprotov6.GetProviderSchemaResponse, error) {
	return p.schema, nil
}

func (*provider) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (*tfprotov6.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (*provider) ValidateProviderConfig(_ context.Context, request *tfprotov6.ValidateProviderConfigRequest) (*tfprotov6.ValidateProviderConfigResponse, error) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: request.Config}, nil
}

func (*provider) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (*provider) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (*tfprotov6.StopProviderResponse, error) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (p *provider) ValidateResourceConfig(_ context.Context, request *tfprotov6.ValidateResourceConfigRequest) (*tfprotov6.ValidateResourceConfigResponse, error) {
	diagnostics, err := check(p.schema.ResourceSchemas[request.TypeName], request.TypeName, request.Config)
	return &tfprotov6.ValidateResourceConfigResponse{Diagnostics: diagnostics}, err
}

func (p *provider) ValidateDataResourceConfig(_ context.Context, request *tfprotov6.ValidateDataResourceConfigRequest) (*tfprotov6.ValidateDataResourceConfigResponse, error) {
	diagnostics, err := check(p.schema.DataSourceSchemas[request.TypeName], request.TypeName, request.Config)
	return &tfprotov6.ValidateDataResourceConfigResponse{Diagnostics: diagnostics}, err
}

func (p *provider) UpgradeResourceState(_ context.Context, request *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	kind := p.schema.ResourceSchemas[request.TypeName].ValueType()
	state, err := request.RawState.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	upgraded, err := tfprotov6.NewDynamicValue(kind, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &upgraded}, err
}

// GetFunctions tells of none: the recorded schema does not say what the provider's functions take.
func (*provider) GetFunctions(context.Context, *tfprotov6.GetFunctionsRequest) (*tfprotov6.GetFunctionsResponse, error) {
	return &tfprotov6.GetFunctionsResponse{}, nil
}

// CallFunction does not know what would come of it.
func (*provider) CallFunction(context.Context, *tfprotov6.CallFunctionRequest) (*tfprotov6.CallFunctionResponse, error) {
	unknown, err := tfprotov6.NewDynamicValue(tftypes.DynamicPseudoType, tftypes.NewValue(tftypes.DynamicPseudoType, tftypes.UnknownValue))
	return &tfprotov6.CallFunctionResponse{Result: &unknown}, err
}

// keptVersions is how many versions of a secret are kept. Those without a label that are older than the last of
// these, and older than a day, are gone.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
const keptVersions = 100

// rotationsEnv is how many rotations, a day apart, have come after what Terraform made.
const rotationsEnv = "SIMULATED_ROTATIONS"

// ReadResource finds everything as it was left but for the versions of secrets, which rotations push out.
func (p *provider) ReadResource(_ context.Context, request *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	rotations, _ := strconv.Atoi(os.Getenv(rotationsEnv)) // none is none
	if request.TypeName == "aws_secretsmanager_secret_version" && rotations >= keptVersions {
		kind := p.schema.ResourceSchemas[request.TypeName].ValueType()
		gone, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, nil))
		return &tfprotov6.ReadResourceResponse{NewState: &gone}, err
	}
	return &tfprotov6.ReadResourceResponse{NewState: request.CurrentState, Private: request.Private}, nil
}

// PlanResourceChange leaves open what AWS would fill in.
func (p *provider) PlanResourceChange(_ context.Context, request *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := p.schema.ResourceSchemas[request.TypeName]
	planned, err := rewrite(schema, request.ProposedNewState, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		switch {
		case attribute.WriteOnly:
			return tftypes.NewValue(value.Type(), nil)
		case attribute.Computed && value.IsNull():
			return tftypes.NewValue(value.Type(), tftypes.UnknownValue)
		default:
			return value
		}
	})
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: planned}, err
}

// ApplyResourceChange fills in what was left open, with the same values each time.
func (p *provider) ApplyResourceChange(_ context.Context, request *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	state, err := rewrite(p.schema.ResourceSchemas[request.TypeName], request.PlannedState, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		if value.IsKnown() {
			return value
		}
		return fake(request.TypeName, attribute)
	})
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state}, err
}

func (p *provider) ReadDataSource(_ context.Context, request *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	state, err := rewrite(p.schema.DataSourceSchemas[request.TypeName], request.Config, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		if attribute.Computed && value.IsNull() {
			return fake(request.TypeName, attribute)
		}
		return value
	})
	return &tfprotov6.ReadDataSourceResponse{State: state}, err
}

// check finds what the schema leaves to the provider: a value for what only the provider may set, and a text that is no
// ARN where one is needed.
func check(schema *tfprotov6.Schema, typeName string, config *tfprotov6.DynamicValue) ([]*tfprotov6.Diagnostic, error) {
	var diagnostics []*tfprotov6.Diagnostic
	_, err := rewrite(schema, config, func(attribute *tfprotov6.SchemaAttribute, value tftypes.Value) tftypes.Value {
		refuse := func(why string) {
			diagnostics = append(diagnostics, &tfprotov6.Diagnostic{
				Severity: tfprotov6.DiagnosticSeverityError,
				Summary:  fmt.Sprintf("%s: %s %s", typeName, attribute.Name, why),
			})
		}
		if value.IsNull() || !value.IsKnown() {
			return value
		}
		if attribute.Computed && !attribute.Optional {
			refuse("is set by the provider alone")
		}
		var text string
		if wantsARN(typeName, attribute.Name) && value.As(&text) == nil && !arn.MatchString(text) {
			refuse(fmt.Sprintf("is %q, not an ARN", text))
		}
		return value
	})
	return diagnostics, err
}

// arn is what the real provider takes for one.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/verify/validate.go
var arn = regexp.MustCompile(`^arn:aws(-[a-z]+)*:[^:]*:([a-z]{2}(-[a-z]+)+-\d)?:(aws|aws-managed|third-party|\d{12}|cw.{10})?:.+$`)

func wantsARN(typeName, attribute string) bool {
	return strings.HasSuffix(attribute, "_arn") || typeName == "aws_lambda_function" && attribute == "role"
}

// rewrite passes each attribute of a value through change.
func rewrite(schema *tfprotov6.Schema, in *tfprotov6.DynamicValue, change func(*tfprotov6.SchemaAttribute, tftypes.Value) tftypes.Value) (*tfprotov6.DynamicValue, error) {
	kind := schema.ValueType()
	value, err := in.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	value, err = tftypes.Transform(value, func(path *tftypes.AttributePath, value tftypes.Value) (tftypes.Value, error) {
		if attribute := attributeAt(schema.Block, path); attribute != nil {
			return change(attribute, value), nil
		}
		return value, nil
	})
	if err != nil {
		return nil, err
	}
	out, err := tfprotov6.NewDynamicValue(kind, value)
	return &out, err
}

// sentinel stands for every secret that AWS would answer with: it must not be found in a state, a plan or a log.
const sentinel = "secret-sentinel-c41d"

// fake is a value as AWS could have answered it.
func fake(typeName string, attribute *tfprotov6.SchemaAttribute) tftypes.Value {
	kind := attribute.Type
	switch {
	case kind.Is(tftypes.String) && (attribute.Sensitive || strings.Contains(attribute.Name, "password")):
		return tftypes.NewValue(kind, sentinel)
	case kind.Is(tftypes.String):
		return tftypes.NewValue(kind, fakeText(typeName, attribute.Name))
	case kind.Is(tftypes.Number):
		return tftypes.NewValue(kind, 0)
	case kind.Is(tftypes.Bool):
		return tftypes.NewValue(kind, false)
	case kind.Is(tftypes.Map{}):
		return tftypes.NewValue(kind, map[string]tftypes.Value{})
	case kind.Is(tftypes.List{}), kind.Is(tftypes.Set{}):
		return tftypes.NewValue(kind, []tftypes.Value{})
	default:
		return tftypes.NewValue(kind, nil)
	}
}

func fakeText(typeName, attribute string) string {
	switch {
	case attribute == "arn", strings.HasSuffix(attribute, "_arn"):
		return "arn:aws:fake:eu-west-1:111122223333:" + typeName
	case attribute == "account_id":
		return "111122223333"
	case attribute == "region":
		return "eu-west-1"
	case attribute == "partition":
		return "aws"
	case strings.HasSuffix(attribute, "json"), strings.HasSuffix(attribute, "policy"):
		return "{}"
	default:
		return "fake-" + attribute
	}
}
