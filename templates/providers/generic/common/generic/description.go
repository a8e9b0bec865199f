package generic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
)

// Description is how an API creates, lists and revokes keys: provider.json.
//
// In paths, queries and bodies {label} is what a new key is called, {id} the key
// that is meant, {expires} the end of a new one, and any other {name} what the
// secret has under that key. Where something stands in an answer is written with
// dots, in a list by its number: data.key, data.0.key.
type Description struct {
	// Base is the API's URL; API_BASE_URL overrides it.
	Base    string            `json:"base"`
	Auth    Auth              `json:"auth"`
	Headers map[string]string `json:"headers"`
	// Lifetime is how long a key lives, none for ever.
	Lifetime duration `json:"lifetime"`

	Create *Call `json:"create"`
	Verify *Call `json:"verify"`
	List   *List `json:"list"`
	Revoke *Call `json:"revoke"`
	Roll   *Call `json:"roll"`
	// Orphans is "accepted", and not "refused", for an API that has neither a list nor idempotency
	// keys: a key that is made and not stored can then not be found again.
	Orphans string `json:"orphans"`
}

// Auth is how a key is presented, the admin's as well as the application's.
type Auth struct {
	Scheme string `json:"scheme"` // bearer, basic or header
	User   string `json:"user"`   // with basic; without one the key is the user, as with Stripe
	Header string `json:"header"` // with header
	Prefix string `json:"prefix"` // with header, before the key
}

// Call is one call of the API and what its answer means.
type Call struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  map[string]string `json:"query"`
	JSON   map[string]any    `json:"json"`
	Form   map[string]string `json:"form"`
	// Once is the header that takes an idempotency key, if there is one.
	Once string `json:"idempotency_header"`

	// Where these stand in the answer.
	ID           string `json:"id"`
	Key          string `json:"key"`
	Expires      string `json:"expires"`
	Scopes       string `json:"scopes"`
	ScopesHeader string `json:"scopes_header"`

	// Codes are what statuses mean that the API uses in its own way.
	Codes map[string]rotation.Code `json:"codes"`
	// Quota is how the API says that it has no room for another key.
	Quota *Quota `json:"quota"`
}

// Quota is a status, and a text that the answer then contains.
type Quota struct {
	Status   int    `json:"status"`
	Contains string `json:"contains"`
}

// List is the call that lists keys.
type List struct {
	Call
	Items   string `json:"items"` // where the keys stand, "" if the answer is the list
	Label   string `json:"label"`
	Created string `json:"created"`
	Paging  Paging `json:"paging"`
}

// Paging is how a list goes on.
type Paging struct {
	// By is page, with a number from 1 on; after, with the last key's id; link,
	// with a Link header; or "" for a list of one page.
	By    string `json:"by"`
	Param string `json:"param"` // of the query, with page and after
	More  string `json:"more"`  // where the answer says that there is more, with after
}

// next puts into the query what asks for the next page, and reports whether there
// is one.
func (l *List) next(query url.Values, page int, answer, last document, header http.Header) bool {
	switch l.Paging.By {
	case "page":
		query.Set(l.Paging.Param, strconv.Itoa(page+1))
		return true
	case "after":
		query.Set(l.Paging.Param, last.text(l.ID))
		return answer.text(l.Paging.More) == "true"
	case "link":
		return nextLink(header, query)
	default:
		return false
	}
}

// nextLink takes the query of the link to the next page, and nothing else of it:
// calls go where the description says.
// https://www.rfc-editor.org/rfc/rfc8288
func nextLink(header http.Header, query url.Values) bool {
	for link := range strings.SplitSeq(header.Get("Link"), ",") {
		target, rel, _ := strings.Cut(link, ";")
		if !strings.Contains(rel, `rel="next"`) {
			continue
		}
		u, err := url.Parse(strings.Trim(strings.TrimSpace(target), "<>"))
		if err != nil {
			return false
		}
		clear(query)
		maps.Copy(query, u.Query())
		return true
	}
	return false
}

// Parse reads a description and refuses one that cannot work, with every reason.
func Parse(text []byte) (Description, error) {
	var d Description
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, rotation.Errorf(rotation.CodeBadConfig, "provider.json: %v", err)
	}
	return d, errors.Join(d.faults()...)
}

func (d *Description) faults() (faults []error) {
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, rotation.Errorf(rotation.CodeBadConfig, "provider.json: "+format, args...))
		}
	}
	need(slices.Contains([]string{"bearer", "basic", "header"}, d.Auth.Scheme), "auth.scheme %q is none of bearer, basic, header", d.Auth.Scheme)
	need(d.Auth.Scheme != "header" || d.Auth.Header != "", "auth.header is missing")
	need(d.Verify != nil, "verify is missing")
	need(d.Roll != nil || d.Create != nil && d.Revoke != nil, "there is neither roll nor create and revoke")
	if d.Create != nil {
		need(d.Create.ID != "" && d.Create.Key != "", "create does not say where id and key stand in its answer")
		need(d.List != nil || d.Create.Once != "" || d.Orphans == "accepted",
			`a key that is made and not stored could not be found again: describe list, or create's idempotency_header, or say "orphans": "accepted"`)
	}
	if d.List != nil {
		need(slices.Contains([]string{"", "page", "after", "link"}, d.List.Paging.By), "list.paging.by %q is none of page, after, link", d.List.Paging.By)
		need(d.List.ID != "" && d.List.Label != "" && d.List.Created != "", "list does not say where id, label and created stand")
	}
	calls := map[string]*Call{"create": d.Create, "verify": d.Verify, "revoke": d.Revoke, "roll": d.Roll}
	if d.List != nil {
		calls["list"] = &d.List.Call
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		call := calls[name]
		need(call == nil || !strings.Contains(call.Path, "{"+apikey.KeyValue+"}"), "%s.path holds the key, and paths stand in logs", name)
	}
	return faults
}

func (a Auth) with(key rotation.Sensitive) apihttp.Auth {
	switch {
	case a.Scheme == "bearer":
		return apihttp.Bearer(key)
	case a.Scheme == "header":
		return apihttp.Header(a.Header, a.Prefix, key)
	case a.User == "":
		return apihttp.Basic(key.Reveal(), rotation.Sensitive{})
	default:
		return apihttp.Basic(a.User, key)
	}
}

// duration is a time.Duration that JSON writes as 2160h.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// filler puts values in the places of placeholders.
type filler struct {
	values
	secret  rotation.Value
	missing string // a key that the secret lacks
}

func (f *filler) text(text string) string { return f.fill(text, func(s string) string { return s }) }

func (f *filler) path(text string) string { return f.fill(text, url.PathEscape) }

func (f *filler) fill(text string, escape func(string) string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		out.WriteString(before)
		name, after, closed := strings.Cut(rest, "}")
		if !found || !closed {
			return out.String() + rest
		}
		out.WriteString(escape(f.value(name)))
		text = after
	}
}

func (f *filler) value(name string) string {
	switch name {
	case "label":
		return f.label
	case "id":
		return f.id
	case "expires":
		return f.expires.Format(time.RFC3339)
	}
	text, ok := f.secret.Get(name)
	if !ok {
		f.missing = name
	}
	return text.Reveal()
}

// json fills the texts in a JSON document.
func (f *filler) json(doc map[string]any) any {
	if doc == nil {
		return nil
	}
	return f.any(doc)
}

func (f *filler) any(doc any) any {
	switch doc := doc.(type) {
	case string:
		return f.text(doc)
	case map[string]any:
		filled := make(map[string]any, len(doc))
		for key, value := range doc {
			filled[key] = f.any(value)
		}
		return filled
	case []any:
		filled := make([]any, len(doc))
		for i, value := range doc {
			filled[i] = f.any(value)
		}
		return filled
	default:
		return doc
	}
}

func (f *filler) form(fields map[string]string) url.Values {
	if fields == nil {
		return nil
	}
	form := make(url.Values)
	for name, text := range fields {
		form.Set(name, f.text(text))
	}
	return form
}

// document is an answer. It cannot print itself.
type document struct{ root any }

// UnmarshalJSON keeps numbers as they stand.
func (d *document) UnmarshalJSON(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(&d.root)
}

// Format keeps the answer out of messages.
func (document) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// at returns what stands at a path, nil for nothing.
func (d document) at(path string) any {
	here := d.root
	for name := range strings.SplitSeq(path, ".") {
		switch below := here.(type) {
		case map[string]any:
			here = below[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(below) {
				return nil
			}
			here = below[i]
		default:
			return nil
		}
	}
	return here
}

// denies reports whether an answer with a good status says that the call failed:
// "success" or "ok" is false, or "error" or "errors" holds something.
func (d document) denies() bool {
	object, _ := d.root.(map[string]any)
	for _, name := range []string{"success", "ok"} {
		if object[name] == false {
			return true
		}
	}
	for _, name := range []string{"error", "errors"} {
		switch said := object[name].(type) {
		case string:
			if said != "" {
				return true
			}
		case bool:
			if said {
				return true
			}
		case map[string]any:
			if len(said) > 0 {
				return true
			}
		case []any:
			if len(said) > 0 {
				return true
			}
		}
	}
	return false
}

// text returns the text, number or boolean at a path, "" for none.
func (d document) text(path string) string {
	if path == "" {
		return ""
	}
	switch v := d.at(path).(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

func (d document) texts(path string) (texts []string) {
	for _, item := range d.items(path) {
		if text, ok := item.root.(string); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// items returns the list at a path, "" for the answer itself.
func (d document) items(path string) (items []document) {
	list, _ := d.root.([]any)
	if path != "" {
		list, _ = d.at(path).([]any)
	}
	for _, item := range list {
		items = append(items, document{item})
	}
	return items
}

// layouts are the forms of a time that are understood, beside a number. One without a
// zone is taken for UTC.
var layouts = []string{time.RFC3339, time.DateTime, "2006-01-02T15:04:05", time.DateOnly, time.RFC1123Z, time.RFC1123}

// time reads a time in one of the layouts or as a number since 1970, in seconds or
// what else its size says; zero is none. A day is its beginning.
func (d document) time(path string) (time.Time, error) {
	text := d.text(path)
	if text == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return since1970(n), nil
	}
	for _, layout := range layouts {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, rotation.Errorf(rotation.CodeBadAnswer, "the API's answer has no time at %q that is understood", path)
}

// since1970 takes a number for that unit in which it is a time before the year 5138:
// seconds, milliseconds, microseconds or nanoseconds.
func since1970(n int64) time.Time {
	const latest = 1e11 // in seconds
	switch {
	case n < latest:
		return time.Unix(n, 0)
	case n < latest*1e3:
		return time.UnixMilli(n)
	case n < latest*1e6:
		return time.UnixMicro(n)
	default:
		return time.Unix(0, n)
	}
}

// youngest is time for the day on which a key was made: a key that only may be old must
// not be taken for one.
func (d document) youngest(path string) (time.Time, error) {
	at, err := d.time(path)
	if _, day := time.Parse(time.DateOnly, d.text(path)); day == nil {
		at = at.Add(24*time.Hour - time.Second)
	}
	return at, err
}
