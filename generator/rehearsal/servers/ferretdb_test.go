package servers

import (
	"os"
	"os/exec"
	"testing"
)

// TestDocumentDBEngine runs the tests that every emitted project has behind the
// build tag db, on a server that stands in for DocumentDB.
func TestDocumentDBEngine(t *testing.T) {
	server := FerretDB(t)
	t.Cleanup(func() { server.Reset(t) })
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-tags=db", "./templates/engines/documentdb/...")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "ROTATION_TEST_DOCUMENTDB_URL="+server.URL(server.Admin, server.AdminPassword))
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
