package rehearsal

import (
	"io"
	"net/http"
	"strconv"
	"sync"
)

// newRuntimeAPI is Lambda's runtime API for one process:
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. An invocation
// from the inbox is the answer to the process's next poll, which waits for it.
func newRuntimeAPI(inbox <-chan *invocation, initError chan<- *FunctionError) http.Handler {
	var (
		mu      sync.Mutex
		pending = map[string]*invocation{} // handed out and not answered
	)
	take := func(r *http.Request) *invocation {
		mu.Lock()
		defer mu.Unlock()
		inv := pending[r.PathValue("id")]
		delete(pending, r.PathValue("id"))
		return inv
	}
	accept := func(answered func([]byte) answer) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return // the process is gone; that it is, is reported by its end
			}
			inv := take(r)
			if inv == nil {
				writeJSON(w, http.StatusBadRequest, FunctionError{"InvalidRequestID", "Invalid request ID"})
				return
			}
			inv.answer <- answered(body)
			writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
		}
	}

	const runtime = "/2018-06-01/runtime"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtime+"/invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case inv := <-inbox:
			mu.Lock()
			pending[inv.id] = inv
			mu.Unlock()
			h := w.Header()
			h.Set("Content-Type", "application/json")
			h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
			h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
			h.Set("Lambda-Runtime-Invoked-Function-Arn", FunctionARN)
			// If this fails, the process has ended, which its end reports.
			_, _ = w.Write(inv.event)
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("POST "+runtime+"/invocation/{id}/response", accept(func(body []byte) answer {
		return answer{body: body}
	}))
	mux.HandleFunc("POST "+runtime+"/invocation/{id}/error", accept(func(body []byte) answer {
		return answer{err: functionError(body)}
	}))
	mux.HandleFunc("POST "+runtime+"/init/error", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select {
		case initError <- functionError(body):
		default: // only the first counts
		}
		writeJSON(w, http.StatusAccepted, map[string]string{"status": "OK"})
	})
	return mux
}
