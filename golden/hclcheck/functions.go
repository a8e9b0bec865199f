package hclcheck

import (
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions are Terraform's, by name. Those that Terraform adds to the common
// ones are computed where a configuration here needs them, and unknown otherwise.
// https://developer.hashicorp.com/terraform/language/functions
var functions = sync.OnceValue(func() map[string]function.Function {
	all := map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "can": tryfunc.CanFunc, "ceil": stdlib.CeilFunc, "chomp": stdlib.ChompFunc, "chunklist": stdlib.ChunklistFunc,
		"coalesce": stdlib.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc, "concat": stdlib.ConcatFunc,
		"contains": stdlib.ContainsFunc, "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc, "flatten": stdlib.FlattenFunc,
		"floor": stdlib.FloorFunc, "format": stdlib.FormatFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
		"join": stdlib.JoinFunc, "jsondecode": stdlib.JSONDecodeFunc, "jsonencode": stdlib.JSONEncodeFunc, "keys": stdlib.KeysFunc,
		"lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "merge": stdlib.MergeFunc, "min": stdlib.MinFunc, "parseint": stdlib.ParseIntFunc,
		"range": stdlib.RangeFunc, "regex": stdlib.RegexFunc, "regexall": stdlib.RegexAllFunc, "reverse": stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc, "setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc,
		"setunion": stdlib.SetUnionFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "split": stdlib.SplitFunc,
		"strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc, "title": stdlib.TitleFunc, "trim": stdlib.TrimFunc,
		"trimprefix": stdlib.TrimPrefixFunc, "trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "try": tryfunc.TryFunc,
		"upper": stdlib.UpperFunc, "values": stdlib.ValuesFunc, "zipmap": stdlib.ZipmapFunc, "lookup": stdlib.LookupFunc,
		"replace": replace, "signum": stdlib.SignumFunc, "pow": stdlib.PowFunc, "log": stdlib.LogFunc, "index": stdlib.IndexFunc,
		"length": length, "one": one, "sum": sum, "timecmp": opaque(cty.Number), "startswith": affix(true), "endswith": affix(false), "alltrue": every(true), "anytrue": every(false),
		"tostring": to(cty.String), "tonumber": to(cty.Number), "tobool": to(cty.Bool),
		"tolist": to(cty.List(cty.DynamicPseudoType)), "toset": to(cty.Set(cty.DynamicPseudoType)), "tomap": to(cty.Map(cty.DynamicPseudoType)),
		"fileexists": opaque(cty.Bool),
	}
	for _, name := range []string{
		"base64encode", "base64decode", "base64sha256", "file", "filebase64", "filebase64sha256", "filesha256", "md5", "sha1", "sha256", "sha512",
		"templatefile", "timestamp", "timeadd", "formatdate", "urlencode", "uuid", "abspath", "basename", "dirname", "cidrhost", "cidrsubnet",
	} {
		all[name] = opaque(cty.String)
	}
	for _, name := range []string{"matchkeys", "sensitive", "nonsensitive", "issensitive", "transpose", "yamldecode", "yamlencode", "fileset"} {
		all[name] = opaque(cty.DynamicPseudoType)
	}
	return all
})

var anyParameter = function.Parameter{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true}

// opaque takes anything and does not tell what becomes of it.
func opaque(kind cty.Type) function.Function {
	return function.New(&function.Spec{
		VarParam: &anyParameter,
		Type:     function.StaticReturnType(kind),
		Impl:     func([]cty.Value, cty.Type) (cty.Value, error) { return cty.UnknownVal(kind), nil },
	})
}

func to(kind cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{anyParameter},
		Type: func(args []cty.Value) (cty.Type, error) {
			if args[0].Type() == cty.DynamicPseudoType {
				return kind, nil
			}
			if conversion := convert.GetConversionUnsafe(args[0].Type(), kind); conversion == nil && !args[0].Type().Equals(kind) {
				_, err := convert.Convert(args[0], kind)
				return cty.DynamicPseudoType, err
			}
			value, err := convert.Convert(args[0], kind)
			return value.Type(), err
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return convert.Convert(args[0], kind) },
	})
}

// replace takes a substring between slashes for a regular expression.
// https://developer.hashicorp.com/terraform/language/functions/replace
var replace = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "string", Type: cty.String}, {Name: "substring", Type: cty.String}, {Name: "replacement", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		sub := args[1].AsString()
		if len(sub) > 1 && strings.HasPrefix(sub, "/") && strings.HasSuffix(sub, "/") {
			return stdlib.RegexReplace(args[0], cty.StringVal(sub[1:len(sub)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})

var length = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		switch kind := args[0].Type(); {
		case kind == cty.String, kind == cty.DynamicPseudoType, kind.IsCollectionType(), kind.IsTupleType(), kind.IsObjectType():
			return cty.Number, nil
		default:
			return cty.Number, function.NewArgErrorf(0, "has no length")
		}
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch kind := args[0].Type(); {
		case kind.IsTupleType():
			return cty.NumberIntVal(int64(kind.Length())), nil
		case kind.IsObjectType():
			return cty.NumberIntVal(int64(len(kind.AttributeTypes()))), nil
		case kind == cty.String:
			return stdlib.Strlen(args[0])
		case !args[0].IsKnown():
			return cty.UnknownVal(cty.Number), nil
		default:
			return args[0].Length(), nil
		}
	},
})

var one = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType, AllowDynamicType: true}},
	Type:   function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch args[0].LengthInt() {
		case 0:
			return cty.NullVal(cty.DynamicPseudoType), nil
		case 1:
			return args[0].AsValueSlice()[0], nil
		default:
			return cty.DynamicVal, function.NewArgErrorf(0, "has more than one element")
		}
	},
})

var sum = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		total := cty.Zero
		for _, value := range args[0].AsValueSlice() {
			total = total.Add(value)
		}
		return total, nil
	},
})

func affix(first bool) function.Function {
	cut := stdlib.TrimSuffixFunc
	if first {
		cut = stdlib.TrimPrefixFunc
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			rest, err := cut.Call(args)
			return cty.BoolVal(err == nil && (args[1].AsString() == "" || len(rest.AsString()) < len(args[0].AsString()))), err
		},
	})
}

// every is alltrue, or anytrue for false.
func every(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result := cty.BoolVal(all)
			for _, value := range args[0].AsValueSlice() {
				switch {
				case !value.IsKnown():
					result = cty.UnknownVal(cty.Bool)
				case value.IsNull() || value.True() != all:
					return cty.BoolVal(!all), nil
				}
			}
			return result, nil
		},
	})
}
