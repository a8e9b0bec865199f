// Command terraform-provider-aws is the AWS provider without AWS: it serves the recorded schema of the real one, plans
// what the configuration says and applies nothing. Terraform and OpenTofu check with it what they can check of emitted
// configurations without a network: names, types, references, conditions, order.
//
// It does not know what only AWS's code knows. Of that it checks ARNs, because a text in the place of an ARN is the
// likeliest fault that a schema lets pass.
package main

import (
	_ "embed"
	"log"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
)

// recorded is the output of "terraform providers schema -json"; x_recorded in it says of which versions.
//
//go:embed schema.json
var recorded []byte

func main() {
	schema, err := parseSchema(recorded)
	if err != nil {
		log.Fatal(err)
	}
	err = tf6server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov6.ProviderServer { return &provider{schema: schema} })
	if err != nil {
		log.Fatal(err)
	}
}
