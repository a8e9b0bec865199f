package servers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// FerretDBProgram names the environment variable with another program than the
// one that .ci/setup built.
const FerretDBProgram = "ROTASMITH_FERRETDB"

func findFerretDB() (root string, err error) {
	if _, err := exec.LookPath(ferretDBProgram()); err != nil {
		return "", &MissingError{FerretDB, "run .ci/setup, or set " + FerretDBProgram}
	}
	return "", nil
}

func ferretDBProgram() string {
	if program := os.Getenv(FerretDBProgram); program != "" {
		return program
	}
	return cached("bin", "ferretdb")
}

// ferretDBScript serves until its standard input ends, like the others. The program
// takes each of its flags from the environment too, and a password is none for a
// command line.
// https://docs.ferretdb.io/v1.24/configuration/flags/
const ferretDBScript = `
trap '' INT
dir=$1
shift
trap 'rm -rf "$dir"' EXIT
exec 3<&0
FERRETDB_SETUP_PASSWORD=$(cat "$dir/password") "$@" 2>&1 </dev/null 3<&- &
cat <&3 >/dev/null
kill "$!"
wait "$!"
`

func launchFerretDB(ctx context.Context, s *Server, _, dir string) error {
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(s.Admin.Password), 0o600); err != nil {
		return err
	}
	log, err := os.Create(s.LogFile)
	if err != nil {
		return err
	}
	s.process, err = start(ctx, s.Kind, []string{
		"sh", "-c", ferretDBScript, "sh", dir, ferretDBProgram(),
		"--handler=sqlite", "--sqlite-url=file:" + dir + "/", "--state-dir=" + dir, "--telemetry=disable", "--debug-addr=-",
		"--listen-addr=", "--listen-tls=127.0.0.1:" + strconv.Itoa(s.Port),
		"--listen-tls-cert-file=" + s.CertificateFile, "--listen-tls-key-file=" + s.KeyFile,
		"--test-enable-new-auth", "--setup-database=admin", "--setup-username=" + s.Admin.User,
	}, "Listening on TLS", log)
	return err
}
