package database_test

import (
	"strings"
	"testing"

	"example.com/orders-db/database"
)

// T8: changes go to the cluster's writer, whatever endpoint applications use.
// Only RDS's own names are rewritten, and only those that say who the writer is.
func TestWriter(t *testing.T) {
	for _, test := range []struct {
		host, writer string
		mayLag       bool
	}{
		{"c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com", true},
		{"C.Cluster-RO-1a2b.EU-West-1.RDS.AmazonAWS.com", "C.Cluster-1a2b.EU-West-1.RDS.AmazonAWS.com", true},
		{"c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com.", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com.", true},
		{"c.cluster-ro-1a2b.rds.cn-north-1.amazonaws.com.cn", "c.cluster-1a2b.rds.cn-north-1.amazonaws.com.cn", true}, // China puts rds first
		{"c.cluster-ro-1a2b.us-gov-west-1.rds.amazonaws.com", "c.cluster-1a2b.us-gov-west-1.rds.amazonaws.com", true},
		{"c.cluster-custom-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-custom-1a2b.eu-west-1.rds.amazonaws.com", true},
		{"c.cluster-custom-1a2b.rds.cn-north-1.amazonaws.com.cn", "c.cluster-custom-1a2b.rds.cn-north-1.amazonaws.com.cn", true},
		{"c.cluster-ro-1a2b.eu-west-1.docdb.amazonaws.com", "c.cluster-1a2b.eu-west-1.docdb.amazonaws.com", true},
		{"c.cluster-ro-1a2b.docdb.cn-north-1.amazonaws.com.cn", "c.cluster-1a2b.docdb.cn-north-1.amazonaws.com.cn", true},

		// The reader endpoint of a Multi-AZ cluster looks like Aurora's.
		{"multi-az.cluster-ro-123456789012.us-east-1.rds.amazonaws.com", "multi-az.cluster-123456789012.us-east-1.rds.amazonaws.com", true},
		{"c.Cluster-Custom-1a2b.EU-West-1.rds.amazonaws.com.", "c.Cluster-Custom-1a2b.EU-West-1.rds.amazonaws.com.", true},

		{"multi-az-instance-1.1a2b.us-east-1.rds.amazonaws.com", "multi-az-instance-1.1a2b.us-east-1.rds.amazonaws.com", false},
		{"dw.1a2b.eu-west-1.redshift.amazonaws.com", "dw.1a2b.eu-west-1.redshift.amazonaws.com", false},
		{"wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com", "wg.123456789012.eu-west-1.redshift-serverless.amazonaws.com", false},
		{"c.cluster-1a2b.eu-west-1.rds.amazonaws.com", "c.cluster-1a2b.eu-west-1.rds.amazonaws.com", false},
		{"i.1a2b.eu-west-1.rds.amazonaws.com", "i.1a2b.eu-west-1.rds.amazonaws.com", false},
		{"cluster-ro-1.1a2b.eu-west-1.rds.amazonaws.com", "cluster-ro-1.1a2b.eu-west-1.rds.amazonaws.com", false}, // an instance of that name
		{"c.proxy-1a2b.eu-west-1.rds.amazonaws.com", "c.proxy-1a2b.eu-west-1.rds.amazonaws.com", false},
		{"c.cluster-ro-1a2b.example.com", "c.cluster-ro-1a2b.example.com", false},
		{"c.cluster-ro-1a2b.rds.amazonaws.com.example.com", "c.cluster-ro-1a2b.rds.amazonaws.com.example.com", false},
		{"c.cluster-ro-1a2b.notrds.amazonaws.com", "c.cluster-ro-1a2b.notrds.amazonaws.com", false},
		{"c.cluster-ro-", "c.cluster-ro-", false},
		{"db", "db", false},
		{"10.0.0.1", "10.0.0.1", false},
		{"::1", "::1", false},
		{"", "", false},
		// Some letters change their length with their case.
		{"Ⱥ.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", "Ⱥ.cluster-1a2b.eu-west-1.rds.amazonaws.com", true},
		{strings.Repeat("Ⱥ", 50) + ".cluster-ro-", strings.Repeat("Ⱥ", 50) + ".cluster-ro-", false},
	} {
		t.Run(test.host, func(t *testing.T) {
			a := database.Account{User: "app", Host: test.host, ServerName: test.host, Port: 1}
			if got := a.Writer(); got.Host != test.writer || got.ServerName != test.writer || got.User != a.User || got.Port != a.Port {
				t.Errorf("writer is %q with a certificate for %q, want %q", got.Host, got.ServerName, test.writer)
			}
			if got := a.MayLag(); got != test.mayLag {
				t.Errorf("may lag: %t", got)
			}
		})
	}
	alias := database.Account{Host: "c.cluster-ro-1a2b.eu-west-1.rds.amazonaws.com", ServerName: "db.example.com"}
	if got := alias.Writer(); got.ServerName != alias.ServerName {
		t.Errorf("the secret's own server name became %q", got.ServerName)
	}
}
