package generator

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// allowed names what templates may use of sprig: functions of their arguments alone, whose result has one order, that fail on bad input
// instead of guessing. Any other function does not parse in a template. funcs_test.go gives the reason for each one refused.
var allowed = []string{
	"all", "any", "append", "b32enc", "b64enc", "camelcase", "cat", "chunk", "compact", "concat", "contains",
	"dict", "dig", "dir", "base", "clean", "ext", "isAbs", "empty", "fail", "first", "has", "hasKey", "hasPrefix",
	"hasSuffix", "indent", "initial", "join", "kebabcase", "kindIs", "kindOf", "last", "list", "lower", "mustAppend", "mustChunk",
	"mustCompact", "mustFirst", "mustHas", "mustInitial", "mustLast", "mustPrepend", "mustPush", "mustRegexFind", "mustRegexFindAll",
	"mustRegexMatch", "mustRegexReplaceAll", "mustRegexReplaceAllLiteral", "mustRegexSplit", "mustRest", "mustReverse", "mustSlice",
	"mustToJson", "mustToPrettyJson", "mustUniq", "mustWithout", "nindent", "nospace", "omit", "pick", "plural", "prepend", "push",
	"regexQuoteMeta", "replace", "rest", "reverse", "semver", "semverCompare", "sha256sum", "slice", "snakecase", "sortAlpha",
	"splitList", "ternary", "title", "toString", "toStrings", "trim", "trimAll", "trimPrefix", "trimSuffix", "typeIs", "typeOf",
	"uniq", "untitle", "upper", "without", "wrap", "wrapWith",
}

// funcs returns what templates may call: the allowed part of sprig, and the functions that quote a value for the language it lands in.
var funcs = sync.OnceValue(func() template.FuncMap {
	all := sprig.TxtFuncMap()
	f := make(template.FuncMap, len(allowed)+5)
	for _, name := range allowed {
		f[name] = all[name]
	}
	maps.Copy(f, template.FuncMap{"hcl": hclQuote, "yaml": yamlQuote, "sh": ShellQuote, "md": mdEscape, "code": mdCode})
	return f
})

// hclQuote returns an HCL string literal; ${ and %{ lose their meaning.
func hclQuote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(strings.ToValidUTF8(s, "\uFFFD"))).Bytes())
}

// yamlQuote returns a double-quoted YAML scalar. Go's escapes are a part of YAML's once every byte belongs to a rune.
func yamlQuote(s string) string { return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD")) }

// ShellQuote returns s as one word for a POSIX shell, left bare when that is safe.
func ShellQuote(s string) string {
	const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=@%,"
	if s != "" && strings.Trim(s, bare) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// mdEscape returns text that Markdown shows as it is, for a place inside a line.
func mdEscape(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), " ") {
		if strings.ContainsRune("\\`*_[]<>&|~#!$", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// mdCode returns a Markdown code span.
func mdCode(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if s == "" || len(fence) > 1 {
		s = " " + s + " "
	}
	return fence + s + fence
}
