package golden

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rotasmith/rotasmith/generator"
	"github.com/rotasmith/rotasmith/golden/space"
)

// TestFirstValueNamesTheDatabaseBehindAProxy follows database_host from the
// deployment into the first value, where the rotation looks for it (T9): beside host,
// which is what applications use. REFERENCE.md tells what the proxy needs.
func TestFirstValueNamesTheDatabaseBehindAProxy(t *testing.T) {
	_, renderer := openTemplates(t)
	schema := schemaOf(t)
	for _, base := range []map[string]string{
		{"type": "rds-single-user", "engine": "postgres"}, {"type": "rds-two-user", "engine": "postgres"},
		{"type": "rds-single-user", "engine": "mysql"}, {"type": "rds-two-user", "engine": "mariadb"},
	} {
		t.Run(base["type"]+" "+base["engine"], func(t *testing.T) {
			base["name"] = "orders"
			result, err := renderer.Generate(generator.Texts(base))
			if err != nil {
				t.Fatal(err)
			}
			m := schema.Parse(terraform(t, renderer, base))
			given := space.Deployment(m, doubleARN(t, roleSecret), doubleARN(t, roleAdmin))
			secret := given["secrets"].GetAttr("orders").AsValueMap()
			for host, behind := range map[string]string{"proxy.example.com": "db.example.com", "db.example.com": ""} {
				secret["host"], secret["database_host"] = cty.StringVal(host), cty.NullVal(cty.String)
				if behind != "" {
					secret["database_host"] = cty.StringVal(behind)
				}
				given["secrets"] = cty.ObjectVal(map[string]cty.Value{"orders": cty.ObjectVal(secret)})
				d := m.Evaluate(given)
				if findings := m.Findings(); len(findings) > 0 || len(d.Refused) > 0 {
					t.Fatalf("%v %v", findings, d.Refused)
				}
				first := d.Outputs["first_values"].AsValueMap()["orders"].AsValueMap()
				got := "" // and not null: the seed would store that
				if value, ok := first["database_host"]; ok {
					got = value.AsString()
				}
				if got != behind || first["host"].AsString() != host {
					t.Errorf("of host %s and database_host %q the first value is %v", host, behind, first)
				}
			}
			for _, f := range result.Files {
				if f.Path == "REFERENCE.md" && !strings.Contains(strings.Join(strings.Fields(string(f.Data)), " "), "Register this secret with the proxy") {
					t.Error("REFERENCE.md does not say to register the secret with the proxy")
				}
			}
		})
	}
}
