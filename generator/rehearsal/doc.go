// Package rehearsal runs a rotator, as the Lambda binary that it is, against a
// Secrets Manager and a Lambda of its own: no AWS account, no network beyond the
// loopback interface.
//
//   - [Front] speaks Secrets Manager's wire protocol in front of the in-memory
//     rotationtest.SecretsManager.
//   - [Function] is one execution environment of Lambda: it starts the binary,
//     serves it the runtime API, and can kill or freeze it.
//   - [Service] plays what Secrets Manager does with the two: it calls
//     RotateSecret and invokes the function step by step, again after a failure.
//
// They fit together like this:
//
//	secrets := &rotationtest.SecretsManager{}
//	front := httptest.NewServer(&rehearsal.Front{SecretsManager: secrets})
//	function := &rehearsal.Function{Path: "bootstrap", Env: []string{
//		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + front.URL,
//		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=x",
//	}}
//	defer function.Close()
//	service := &rehearsal.Service{SecretsManager: secrets, Function: function}
//	steps, err := service.Rotate(ctx, "orders-db", token)
//
// To kill the process around its k-th request, count in the hooks of Front: kill
// in Before and return [ErrDrop], and the request never arrived; kill in After
// and return ErrDrop, and it had its effect but no answer.
//
//	front.Before = func(c rehearsal.Call) error {
//		if calls.Add(1) == k {
//			function.Kill()
//			return rehearsal.ErrDrop
//		}
//		return nil
//	}
//
// Reads are exact unless Front.Lagging says how late they are. A request whose answer
// was dropped is repeated by the SDK's client as it is repeated to AWS; errors that
// hooks return are throttling and illness.
//
// Not here: signatures are not checked, requests are never throttled by themselves, and of Lambda there are no layers, no
// extensions, no limits on memory or size.
package rehearsal
