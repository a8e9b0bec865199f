package hclcheck

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Schema is what a provider's resources look like.
type Schema struct {
	provider  *block
	resources map[string]*block
	data      map[string]*block
	files     sync.Map // *file by name and content
}

type block struct {
	spec hcldec.Spec // what a configuration may say
	kind cty.Type    // what a reference may name, the computed attributes as well

	attributes map[string]attribute
	nested     map[string]*block
}

type attribute struct {
	kind                         cty.Type
	required, optional, computed bool
}

type jsonBlock struct {
	Attributes map[string]struct {
		Type     cty.Type
		Required bool
		Optional bool
		Computed bool
	}
	BlockTypes map[string]struct {
		NestingMode string `json:"nesting_mode"`
		Block       jsonBlock
		MinItems    int `json:"min_items"`
		MaxItems    int `json:"max_items"`
	} `json:"block_types"`
}

// ParseSchema reads the output of "terraform providers schema -json" for one provider.
func ParseSchema(data []byte) (*Schema, error) {
	type entry struct{ Block jsonBlock }
	var document struct {
		Schemas map[string]struct {
			Provider    entry
			Resources   map[string]entry `json:"resource_schemas"`
			DataSources map[string]entry `json:"data_source_schemas"`
		} `json:"provider_schemas"`
	}
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	for _, recorded := range document.Schemas {
		s := &Schema{resources: make(map[string]*block), data: make(map[string]*block)}
		var err error
		if s.provider, err = recorded.Provider.Block.convert(); err != nil {
			return nil, err
		}
		for into, from := range map[*map[string]*block]map[string]entry{&s.resources: recorded.Resources, &s.data: recorded.DataSources} {
			for name, e := range from {
				if (*into)[name], err = e.Block.convert(); err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		return s, nil
	}
	return nil, errors.New("the recorded schema holds no provider")
}

func (j jsonBlock) convert() (*block, error) {
	b := &block{attributes: make(map[string]attribute), nested: make(map[string]*block)}
	spec, kinds := hcldec.ObjectSpec{}, map[string]cty.Type{}
	for name, a := range j.Attributes {
		b.attributes[name] = attribute{a.Type, a.Required, a.Optional, a.Computed}
		kinds[name] = a.Type
		if a.Required || a.Optional { // the others are the provider's alone to set
			spec[name] = &hcldec.AttrSpec{Name: name, Type: a.Type, Required: a.Required}
		}
	}
	for name, n := range j.BlockTypes {
		inner, err := n.Block.convert()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b.nested[name] = inner
		switch n.NestingMode {
		case "single":
			spec[name] = &hcldec.BlockSpec{TypeName: name, Nested: inner.spec, Required: n.MinItems > 0}
			kinds[name] = inner.kind
		case "list":
			spec[name] = &hcldec.BlockListSpec{TypeName: name, Nested: inner.spec, MinItems: n.MinItems, MaxItems: n.MaxItems}
			kinds[name] = cty.List(inner.kind)
		case "set":
			spec[name] = &hcldec.BlockSetSpec{TypeName: name, Nested: inner.spec, MinItems: n.MinItems, MaxItems: n.MaxItems}
			kinds[name] = cty.Set(inner.kind)
		default:
			return nil, fmt.Errorf("%s: unknown nesting mode %q", name, n.NestingMode)
		}
	}
	b.spec, b.kind = spec, cty.Object(kinds)
	return b, nil
}
