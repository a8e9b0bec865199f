package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// parseSchema converts the JSON that Terraform prints into the messages that it reads.
func parseSchema(data []byte) (*tfprotov6.GetProviderSchemaResponse, error) {
	var document struct {
		Schemas map[string]struct {
			Provider    jsonSchema            `json:"provider"`
			Resources   map[string]jsonSchema `json:"resource_schemas"`
			DataSources map[string]jsonSchema `json:"data_source_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	for _, schemas := range document.Schemas {
		provider, err := schemas.Provider.convert()
		if err != nil {
			return nil, err
		}
		resources, err := convertAll(schemas.Resources)
		if err != nil {
			return nil, err
		}
		dataSources, err := convertAll(schemas.DataSources)
		if err != nil {
			return nil, err
		}
		return &tfprotov6.GetProviderSchemaResponse{Provider: provider, ResourceSchemas: resources, DataSourceSchemas: dataSources}, nil
	}
	return nil, errors.New("the recorded schema holds no provider")
}

type jsonSchema struct {
	Version int64     `json:"version"`
	Block   jsonBlock `json:"block"`
}

type jsonBlock struct {
	Attributes map[string]struct {
		Type       json.RawMessage `json:"type"`
		Required   bool            `json:"required"`
		Optional   bool            `json:"optional"`
		Computed   bool            `json:"computed"`
		Sensitive  bool            `json:"sensitive"`
		Deprecated bool            `json:"deprecated"`
		WriteOnly  bool            `json:"write_only"`
	} `json:"attributes"`
	BlockTypes map[string]struct {
		NestingMode string    `json:"nesting_mode"`
		Block       jsonBlock `json:"block"`
		MinItems    int64     `json:"min_items"`
		MaxItems    int64     `json:"max_items"`
	} `json:"block_types"`
}

func convertAll(schemas map[string]jsonSchema) (map[string]*tfprotov6.Schema, error) {
	converted := make(map[string]*tfprotov6.Schema, len(schemas))
	for name, schema := range schemas {
		var err error
		if converted[name], err = schema.convert(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return converted, nil
}

func (s jsonSchema) convert() (*tfprotov6.Schema, error) {
	block, err := s.Block.convert()
	return &tfprotov6.Schema{Version: s.Version, Block: block}, err
}

func (b jsonBlock) convert() (*tfprotov6.SchemaBlock, error) {
	block := &tfprotov6.SchemaBlock{}
	for name, attribute := range b.Attributes {
		kind, err := tftypes.ParseJSONType(attribute.Type) //nolint:staticcheck // nothing else reads this notation
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		block.Attributes = append(block.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: kind,
			Required: attribute.Required, Optional: attribute.Optional, Computed: attribute.Computed,
			Sensitive: attribute.Sensitive, Deprecated: attribute.Deprecated, WriteOnly: attribute.WriteOnly,
		})
	}
	for name, nested := range b.BlockTypes {
		mode, ok := map[string]tfprotov6.SchemaNestedBlockNestingMode{
			"single": tfprotov6.SchemaNestedBlockNestingModeSingle,
			"list":   tfprotov6.SchemaNestedBlockNestingModeList,
			"set":    tfprotov6.SchemaNestedBlockNestingModeSet,
		}[nested.NestingMode]
		if !ok {
			return nil, fmt.Errorf("%s: unknown nesting mode %q", name, nested.NestingMode)
		}
		inner, err := nested.Block.convert()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		block.BlockTypes = append(block.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: inner, Nesting: mode, MinItems: nested.MinItems, MaxItems: nested.MaxItems,
		})
	}
	return block, nil
}

// attributeAt returns the attribute that path leads to, nil if it leads to a block or into an attribute's own type.
func attributeAt(block *tfprotov6.SchemaBlock, path *tftypes.AttributePath) *tfprotov6.SchemaAttribute {
	var found *tfprotov6.SchemaAttribute
	for _, step := range path.Steps() {
		name, ok := step.(tftypes.AttributeName)
		if !ok && found == nil {
			continue // an element of a nested block
		}
		if found != nil || block == nil {
			return nil
		}
		found, block = lookup(block, string(name))
	}
	return found
}

func lookup(block *tfprotov6.SchemaBlock, name string) (*tfprotov6.SchemaAttribute, *tfprotov6.SchemaBlock) {
	for _, attribute := range block.Attributes {
		if attribute.Name == name {
			return attribute, nil
		}
	}
	for _, nested := range block.BlockTypes {
		if nested.TypeName == name {
			return nil, nested.Block
		}
	}
	return nil, nil
}
