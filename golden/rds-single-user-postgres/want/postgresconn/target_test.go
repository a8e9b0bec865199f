package postgresconn

import (
	"crypto/x509"
	"strings"
	"testing"

	"example.com/orders-db/database"
	"example.com/orders-db/rotation"
)

// TestEnvironmentIsNotRead sets what the driver reads and looks at what is left
// of it. (C6)
func TestEnvironmentIsNotRead(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere.invalid", "PGPORT": "1", "PGDATABASE": "elsewhere", "PGUSER": "somebody", "PGPASSWORD": "wrong",
		"PGAPPNAME": "other", "PGCONNECT_TIMEOUT": "x", "PGSSLMODE": "prefer", "PGSSLKEY": "/absent", "PGSSLCERT": "/absent",
		"PGSSLROOTCERT": "/absent", "PGSSLNEGOTIATION": "direct", "PGTARGETSESSIONATTRS": "standby", "PGTZ": "Mars/Phobos",
		"PGOPTIONS": "-c statement_timeout=1", "PGMINPROTOCOLVERSION": "3.2", "PGMAXPROTOCOLVERSION": "9",
		"PGCHANNELBINDING": "maybe", "PGREQUIREAUTH": "none",
	} {
		t.Setenv(name, value)
	}
	config, err := driverConfig()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.Fallbacks) > 0 || len(config.RuntimeParams) > 0 || config.ValidateConnect != nil || config.TLSConfig != nil ||
		config.Password != "unused" || config.ConnectTimeout != 0 || config.SSLNegotiation != "" ||
		config.MinProtocolVersion != "3.0" || config.MaxProtocolVersion != "3.0" || config.ChannelBinding != "prefer" {
		t.Error("the environment has set something")
	}

	t.Setenv("PGSERVICE", "absent")
	_, err = New(Kind{}, x509.NewCertPool(), database.Alphanumeric(32, 64))
	if got := rotation.CodeOf(err); got != rotation.CodeBadConfig {
		t.Errorf("with PGSERVICE: got %v, want %q", err, rotation.CodeBadConfig)
	}
}

func TestCheckName(t *testing.T) {
	kind := Kind{Name: "PostgreSQL", NameLimit: 63}
	if err := kind.CheckName(strings.Repeat("ü", 31) + "x"); err != nil {
		t.Error(err)
	}
	if err := kind.CheckName(strings.Repeat("ü", 32)); rotation.CodeOf(err) != rotation.CodeBadUsers {
		t.Errorf("got %v, want %q", err, rotation.CodeBadUsers)
	}
}
