package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/providers/aws-iam-user/common/awsiamuser"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apihttp"
	"github.com/rotasmith/rotasmith/templates/strategies/api-key/apikey/apikeytest"
	"github.com/rotasmith/rotasmith/templates/strategies/overlap/apikey/overlap"
)

var wire = apikeytest.Wire{
	Initial: `{"user_name":"orders"}`,
	Server:  func(l *apikeytest.Ledger) http.Handler { return (&server{ledger: l}).routes() },
	Strategy: func(client apihttp.Client, _ func() time.Time) rotation.Strategy {
		return overlap.New(awsiamuser.New(aws.Config{
			Region: "eu-west-1",
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "role", SecretAccessKey: apikeytest.AdminKey}, nil
			}),
			HTTPClient: &http.Client{
				Transport:     byAction{client.Transport},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			},
			Retryer: func() aws.Retryer { return aws.NopRetryer{} }, // which would pause
		}), overlap.Config{})
	},
	Ledger: func(l *apikeytest.Ledger) { l.Room = 2 },
}

// K1, K2, K3, K4, K8: with two access keys at the most, none is lost, none is left,
// and none of another secret is touched.
func TestProof(t *testing.T) { wire.Prove(t) }

// C7, K7: each answer of AWS has its code. There is room enough: without, a key that
// is said to be gone and is not shows as a quota that is full.
func TestAnswers(t *testing.T) {
	wire := wire
	wire.Ledger = nil
	wire.Answers(t)
}

// K3, K7: the previous access key makes room, and one that is not known everywhere at
// once is waited for.
func TestRotations(t *testing.T) {
	wire := wire
	wire.Ledger = func(l *apikeytest.Ledger) { l.Room, l.Lag = 2, 20*time.Second }
	wire.Rotate(t, 10)
}

// byAction puts a call's action into its path, so that the kinds of call can be told
// apart.
type byAction struct{ next http.RoundTripper }

func (b byAction) RoundTrip(call *http.Request) (*http.Response, error) {
	host := call.URL.Host
	call, err := withAction(call)
	if err != nil {
		return nil, err
	}
	call.Host = host
	return b.next.RoundTrip(call)
}

// withAction returns a call at a path that is its action.
func withAction(call *http.Request) (*http.Request, error) {
	body, err := io.ReadAll(call.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	call = call.Clone(call.Context())
	call.URL.Path, call.Body = "/"+form.Get("Action"), io.NopCloser(bytes.NewReader(body))
	return call, nil
}

// server answers as https://docs.aws.amazon.com/IAM/latest/APIReference/ has it, for a
// user whose access keys are the book's but for the foreign one.
type server struct {
	ledger   *apikeytest.Ledger
	inactive sync.Map // ids
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST sts.eu-west-1.amazonaws.com/GetCallerIdentity", s.identify)
	mux.HandleFunc("POST iam.amazonaws.com/ListAccessKeys", s.asRole(s.list))
	mux.HandleFunc("POST iam.amazonaws.com/CreateAccessKey", s.asRole(s.create))
	mux.HandleFunc("POST iam.amazonaws.com/UpdateAccessKey", s.asRole(s.update))
	mux.HandleFunc("POST iam.amazonaws.com/DeleteAccessKey", s.asRole(s.remove))
	return http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		call, err := withAction(call)
		if err != nil {
			refuse(w, http.StatusBadRequest, "MalformedInput")
			return
		}
		mux.ServeHTTP(w, call)
	})
}

func (s *server) identify(w http.ResponseWriter, call *http.Request) {
	id, _, _ := scope(call)
	for _, key := range s.ledger.Keys() {
		if key.ID != id {
			continue
		}
		if !signed(call, key.Secret) {
			refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
			return
		}
		_, known := s.ledger.Accepts(key.Secret)
		if _, inactive := s.inactive.Load(id); known && !inactive {
			answer(w, "GetCallerIdentity", "<Arn>arn:aws:iam::111122223333:user/teams/orders</Arn><UserId>AIDA</UserId><Account>111122223333</Account>")
			return
		}
	}
	refuse(w, http.StatusForbidden, "InvalidClientTokenId")
}

func (s *server) asRole(serve func(http.ResponseWriter, url.Values)) http.HandlerFunc {
	return func(w http.ResponseWriter, call *http.Request) {
		if id, _, _ := scope(call); id != "role" || !signed(call, apikeytest.AdminKey) {
			refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
			return
		}
		form := apikeytest.Form(call)
		if form.Get("UserName") != "orders" {
			refuse(w, http.StatusForbidden, "AccessDenied")
			return
		}
		serve(w, form)
	}
}

// list has one access key a page.
func (s *server) list(w http.ResponseWriter, form url.Values) {
	var ours []apikeytest.Key
	for _, key := range s.ledger.Keys() {
		if !s.ledger.Foreign(key.ID) {
			ours = append(ours, key)
		}
	}
	for i, key := range ours {
		if after := form.Get("Marker"); after == "" || i > 0 && ours[i-1].ID == after {
			member, more := "<member>"+s.describe(key)+"</member>", i+1 < len(ours)
			answer(w, "ListAccessKeys", fmt.Sprintf("<AccessKeyMetadata>%s</AccessKeyMetadata><IsTruncated>%t</IsTruncated><Marker>%s</Marker>", member, more, key.ID))
			return
		}
	}
	answer(w, "ListAccessKeys", "<AccessKeyMetadata/><IsTruncated>false</IsTruncated>")
}

func (s *server) create(w http.ResponseWriter, _ url.Values) {
	key, ok := s.ledger.Create("", "")
	if !ok {
		refuse(w, http.StatusConflict, "LimitExceeded")
		return
	}
	answer(w, "CreateAccessKey", "<AccessKey>"+s.describe(key)+"<SecretAccessKey>"+key.Secret+"</SecretAccessKey></AccessKey>")
}

func (s *server) update(w http.ResponseWriter, form url.Values) {
	for _, key := range s.ledger.Keys() {
		if key.ID == form.Get("AccessKeyId") && form.Get("Status") == "Inactive" {
			s.inactive.Store(key.ID, true)
			answer(w, "UpdateAccessKey", "")
			return
		}
	}
	refuse(w, http.StatusNotFound, "NoSuchEntity")
}

// remove wants the access key to be inactive, which IAM does not (K3).
func (s *server) remove(w http.ResponseWriter, form url.Values) {
	id := form.Get("AccessKeyId")
	if _, inactive := s.inactive.Load(id); !inactive {
		refuse(w, http.StatusConflict, "DeleteConflict")
		return
	}
	if !s.ledger.Revoke(id) {
		refuse(w, http.StatusNotFound, "NoSuchEntity")
		return
	}
	answer(w, "DeleteAccessKey", "")
}

func (s *server) describe(key apikeytest.Key) string {
	status := "Active"
	if _, inactive := s.inactive.Load(key.ID); inactive {
		status = "Inactive"
	}
	return fmt.Sprintf("<UserName>orders</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate>",
		key.ID, status, key.Created.UTC().Format(time.RFC3339))
}

func answer(w http.ResponseWriter, action, result string) {
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></%[1]sResponse>", action, result)
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>refused</Message></Error><RequestId>r</RequestId></ErrorResponse>", code)
}

// scope returns which access key a call is signed with, and for which region and
// service.
func scope(call *http.Request) (id, region, service string) {
	_, credential, _ := strings.Cut(call.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	if parts := strings.Split(credential, "/"); len(parts) == 5 {
		return parts[0], parts[2], parts[3]
	}
	return "", "", ""
}

// signed reports whether a call bears the signature that the secret gives it.
func signed(call *http.Request, secret string) bool {
	body, err := io.ReadAll(call.Body)
	if err != nil {
		return false
	}
	call.Body = io.NopCloser(bytes.NewReader(body))
	again, err := http.NewRequestWithContext(call.Context(), http.MethodPost, "https://"+call.Host+"/", bytes.NewReader(body))
	if err != nil {
		return false
	}
	_, names, _ := strings.Cut(call.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	for name := range strings.SplitSeq(names, ";") { // others came on the way
		again.Header[http.CanonicalHeaderKey(name)] = call.Header.Values(name)
	}
	at, err := time.Parse("20060102T150405Z", call.Header.Get("X-Amz-Date"))
	if err != nil {
		return false
	}
	id, region, service := scope(call)
	sum := sha256.Sum256(body)
	credentials := aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
	err = v4.NewSigner().SignHTTP(call.Context(), credentials, again, hex.EncodeToString(sum[:]), service, region, at)
	return err == nil && again.Header.Get("Authorization") == call.Header.Get("Authorization")
}
