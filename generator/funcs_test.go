package generator

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/template"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"go.yaml.in/yaml/v3"
)

// refused holds every other function of sprig, by the reason why no template may use it.
var refused = map[string]string{
	"reads the environment or the network": `env expandenv getHostByName`,
	"reads the clock or the time zone": `now ago date dateInZone date_in_zone dateModify date_modify mustDateModify must_date_modify htmlDate
		htmlDateInZone toDate mustToDate unixEpoch duration durationRound`,
	"is random": `randAlpha randAlphaNum randAscii randNumeric randBytes randInt shuffle uuidv4`,
	"makes or handles secrets": `bcrypt htpasswd encryptAES decryptAES derivePassword genPrivateKey genCA genCAWithKey genSelfSignedCert
		genSelfSignedCertWithKey genSignedCert genSignedCertWithKey buildCustomCert`,
	"has no fixed order":                  `keys values`,
	"changes data that other files share": `set unset merge mergeOverwrite mustMerge mustMergeOverwrite deepCopy mustDeepCopy`,
	"depends on the operating system":     `osBase osDir osExt osClean osIsAbs`,
	"takes bad input for a value": `atoi int int64 float64 toDecimal add addf add1 add1f sub subf div divf mod mul mulf max maxf min minf
		biggest round ceil floor fromJson mustFromJson toJson toPrettyJson toRawJson mustToRawJson b64dec b32dec regexFind regexFindAll regexMatch
		regexReplaceAll regexReplaceAllLiteral regexSplit get pluck`,
	"quotes for Go, or cuts runes in two": `quote squote trunc substr abbrev abbrevboth initials`,
	"takes 0 and false for missing":       `default coalesce`,
	"has no bound":                        `until untilStep seq repeat`,
	"has no use in a project":             `hello swapcase sha1sum sha512sum adler32sum deepEqual urlParse urlJoin split splitn trimall tuple typeIsLike`,
}

func TestSprigIsSplitIntoAllowedAndRefused(t *testing.T) {
	why := make(map[string]string)
	for reason, names := range refused {
		for name := range strings.FieldsSeq(names) {
			why[name] = reason
		}
	}
	for _, name := range allowed {
		if reason, ok := why[name]; ok {
			t.Errorf("%s is allowed and refused: it %s", name, reason)
		}
		why[name] = "allowed"
	}
	if diff := cmp.Diff(sortedKeys(sprig.TxtFuncMap()), sortedKeys(why)); diff != "" {
		t.Errorf("a function of sprig is neither allowed nor refused, or is none of sprig's (-sprig +ours):\n%s", diff)
	}
}

func TestFuncsAreAllThere(t *testing.T) {
	want := append([]string{"code", "hcl", "md", "sh", "yaml"}, allowed...)
	slices.Sort(want)
	if diff := cmp.Diff(want, sortedKeys(funcs())); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
}

// hostile are texts that mean something in one of the languages.
var hostile = []string{
	"", " ", "plain", `"`, `\`, `\"`, "'", `'"'"'`, "${var.x}", "%{ if true }", "$${", "%%{", "$", "%", "`", "``", "``` `", "$(rm -rf /)", "a;b", "a b",
	"#", "- a", "a: b", "{{.Name}}", "*x*", "_x_", "[a](b)", "<b>", "&amp;", "~~x~~", "| a |", "é", "\u2028", "\u0085", "\x7f", "\x00", "\xff", "\ufeff", "😀",
	"a\nb", "\r", "\t", "!x", "yes", "null", "0x1", "~", "-n", "=x",
}

func TestHostileAnswersStayInTheirString(t *testing.T) {
	for _, s := range hostile {
		checkHCL(t, s)
		checkYAML(t, s)
		checkMarkdown(t, s)
		checkShell(t, s)
	}
}

func FuzzHCL(f *testing.F)      { fuzz(f, checkHCL) }
func FuzzYAML(f *testing.F)     { fuzz(f, checkYAML) }
func FuzzMarkdown(f *testing.F) { fuzz(f, checkMarkdown) }
func FuzzShell(f *testing.F)    { fuzz(f, checkShell) }

func fuzz(f *testing.F, check func(*testing.T, string)) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(check)
}

// quoted expands a template as Render does.
func quoted(t *testing.T, text, s string) string {
	t.Helper()
	var b bytes.Buffer
	if err := template.Must(template.New("").Funcs(funcs()).Parse(text)).Execute(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func checkHCL(t *testing.T, s string) {
	text := quoted(t, "before = 1\nx = {{hcl .}}\nafter = 2\n", s)
	file, diags := hclsyntax.ParseConfig([]byte(text), "x.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("%q: %v in\n%s", s, diags, text)
	}
	attrs, _ := file.Body.JustAttributes()
	if len(attrs) != 3 {
		t.Fatalf("%q broke out:\n%s", s, text)
	}
	value, diags := attrs["x"].Expr.Value(nil)
	// HCL texts are kept in Unicode's composed form.
	if diags.HasErrors() || value.AsString() != hclText(s) {
		t.Errorf("%q: reads as %#v, %v", s, value, diags)
	}
}

func checkYAML(t *testing.T, s string) {
	text := quoted(t, "before: 1\nx: {{yaml .}}\nafter: 2\n", s)
	var doc map[string]any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("%q: %v in\n%s", s, err, text)
	}
	if want := strings.ToValidUTF8(s, "\uFFFD"); len(doc) != 3 || doc["x"] != want {
		t.Errorf("%q: reads as %#v", s, doc)
	}
}

// checkMarkdown holds md to one line in which nothing that Markdown reads stands without a backslash, and code to a span that ends where it should.
func checkMarkdown(t *testing.T, s string) {
	text := quoted(t, "{{md .}}", s)
	escaped := false
	for _, r := range text {
		if r == '\n' || r == '\r' || !escaped && strings.ContainsRune("`*_[]<>&|~#!$", r) {
			t.Fatalf("%q: %q has live %q", s, text, r)
		}
		escaped = !escaped && r == '\\'
	}
	if escaped {
		t.Errorf("%q: %q escapes what follows it", s, text)
	}
	span := quoted(t, "{{code .}}", s)
	fence := span[:len(span)-len(strings.TrimLeft(span, "`"))]
	inner := strings.TrimSuffix(strings.TrimPrefix(span, fence), fence)
	if fence == "" || strings.Contains(inner, fence) || strings.HasPrefix(inner, "`") || strings.HasSuffix(inner, "`") || strings.Contains(span, "\n") {
		t.Errorf("%q: code span %q", s, span)
	}
}

// checkShell has a shell print the word; a NUL cannot be in one.
func checkShell(t *testing.T, s string) {
	if strings.Contains(s, "\x00") {
		return
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh")
	}
	out, err := exec.CommandContext(t.Context(), sh, "-c", quoted(t, "printf '%s|' {{sh .}} end", s)).Output()
	if err != nil || string(out) != s+"|end|" {
		t.Errorf("%q: the shell prints %q, %v", s, out, err)
	}
	if !utf8.ValidString(s) && utf8.Valid(out) {
		t.Errorf("%q: bytes were changed", s)
	}
}

// hclText is what an HCL text holds of s: valid UTF-8 in composed form.
func hclText(s string) string { return cty.StringVal(strings.ToValidUTF8(s, "\uFFFD")).AsString() }
