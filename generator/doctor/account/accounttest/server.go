// Package accounttest is an AWS account on the loopback interface, as far as doctor reads one: Secrets Manager is
// whatever handler is given, such as a rehearsal.Front; Lambda, CloudWatch Logs, KMS and CloudTrail answer with what is
// set, in the form that their documentation gives.
package accounttest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
)

// Server answers for all services. Set the fields before the first request. A nil answer is a thing that does not exist.
type Server struct {
	Secrets http.Handler
	Tags    map[string]string // of every secret

	Configuration map[string]any // of the function
	Policy        string         // of the function
	Concurrency   map[string]any
	KeyState      string
	Events        []any
	Log           map[string]any // the answer of FilterLogEvents

	// Deny refuses an action, such as kms:DescribeKey, as IAM does; Fail answers its first tries as an ill service.
	Deny func(action string) bool
	Fail map[string]int

	mu    sync.Mutex
	calls []Call
}

// Call is one request: the action that it takes, the resource that it names, and what it was signed for.
type Call struct{ Action, Resource, Signature string }

// Calls are the requests so far. A request that the SDK sends again, as it does on a busy machine, is none.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

// targets are the actions of JSON 1.1 and the member of the request that names the resource.
var targets = map[string][2]string{
	"TrentService.DescribeKey":                                            {"kms:DescribeKey", "KeyId"},
	"Logs_20140328.FilterLogEvents":                                       {"logs:FilterLogEvents", "logGroupName"},
	"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents": {"cloudtrail:LookupEvents", ""},
}

// paths are the actions of Lambda by the end of their path.
var paths = map[string]string{
	"configuration": "lambda:GetFunctionConfiguration", "policy": "lambda:GetPolicy", "concurrency": "lambda:GetFunctionConcurrency",
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	target := r.Header.Get("X-Amz-Target")
	if op, ok := strings.CutPrefix(target, "secretsmanager."); ok {
		attempt := r.Header.Get("Amz-Sdk-Request")
		if strings.HasPrefix(attempt, "attempt=") && !strings.HasPrefix(attempt, "attempt=1;") {
			s.tagged(w, r, op)
			return
		}
		if s.note(Call{Action: "secretsmanager:" + op, Signature: signedFor(r)}) {
			refuse(w, http.StatusBadRequest, "AccessDeniedException", "not authorized")
			return
		}
		s.tagged(w, r, op)
		return
	}
	call := Call{Signature: signedFor(r)}
	if known, ok := targets[target]; ok {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body) // a member that is missing is empty
		call.Action = known[0]
		call.Resource, _ = body[known[1]].(string)
	} else {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // DATE/functions/NAME/WHAT
		call.Action, call.Resource = paths[parts[len(parts)-1]], parts[max(0, len(parts)-2)]
	}
	if s.note(call) {
		refuse(w, http.StatusForbidden, "AccessDeniedException", "User is not authorized to perform: "+call.Action)
		return
	}
	if s.ill(call.Action) {
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "")
		return
	}
	s.answer(w, call.Action)
}

// tagged is the answer of Secrets, with the tags in what it describes.
func (s *Server) tagged(w http.ResponseWriter, r *http.Request, op string) {
	answer := httptest.NewRecorder()
	s.Secrets.ServeHTTP(answer, r)
	body := answer.Body.Bytes()
	var described map[string]any
	if answer.Code == http.StatusOK && (op == "DescribeSecret" || op == "ListSecrets") && json.Unmarshal(body, &described) == nil {
		list, ok := described["SecretList"].([]any)
		if !ok {
			list = []any{described}
		}
		for _, secret := range list {
			secret.(map[string]any)["Tags"] = s.tags()
		}
		body, _ = json.Marshal(described) // it was JSON
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(body) // the client may be gone
}

func (s *Server) tags() (list []map[string]string) {
	for key, value := range s.Tags {
		list = append(list, map[string]string{"Key": key, "Value": value})
	}
	return list
}

func (s *Server) note(c Call) (denied bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, c)
	return s.Deny != nil && s.Deny(c.Action)
}

func (s *Server) ill(action string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail[action] == 0 {
		return false
	}
	s.Fail[action]--
	return true
}

func (s *Server) answer(w http.ResponseWriter, action string) {
	answers := map[string]struct {
		there bool
		body  any
	}{
		"lambda:GetFunctionConfiguration": {s.Configuration != nil, s.Configuration},
		"lambda:GetPolicy":                {s.Policy != "", map[string]any{"Policy": s.Policy}},
		"lambda:GetFunctionConcurrency":   {true, s.Concurrency},
		"kms:DescribeKey":                 {s.KeyState != "", map[string]any{"KeyMetadata": map[string]any{"KeyState": s.KeyState}}},
		"cloudtrail:LookupEvents":         {true, map[string]any{"Events": s.Events}},
		"logs:FilterLogEvents":            {s.Log != nil, s.Log},
	}
	a, ok := answers[action]
	switch {
	case !ok:
		refuse(w, http.StatusBadRequest, "UnknownOperationException", "")
	case !a.there && strings.HasPrefix(action, "kms:"):
		refuse(w, http.StatusBadRequest, "NotFoundException", "")
	case !a.there:
		refuse(w, http.StatusNotFound, "ResourceNotFoundException", "")
	default:
		_ = json.NewEncoder(w).Encode(a.body) // the client may be gone
	}
}

// refuse answers with an error: Lambda names its code in a header, the others in the body.
func refuse(w http.ResponseWriter, status int, code, message string) {
	if status == http.StatusForbidden || status == http.StatusNotFound {
		w.Header().Set("X-Amzn-Errortype", code+":http://internal.amazon.com/coral/")
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws#%s","message":%q}`, code, message)
}

// signedFor is the scope of a signature: REGION/SERVICE.
func signedFor(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 4 {
		return ""
	}
	return parts[2] + "/" + parts[3]
}

// Setenv points the SDK's environment at url.
func Setenv(setenv func(key, value string), url string) {
	for key, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	} {
		setenv(key, value)
	}
}
