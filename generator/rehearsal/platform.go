package rehearsal

import (
	"strings"

	"github.com/rotasmith/rotasmith/generator/rehearsal/iam"
)

// Platform is what AWS itself does with a function's role, without a call of the
// function's own code: it writes the log, sends traces and attaches the function to
// its subnets.
type Platform struct {
	Function       string // ARN
	Traced         bool
	VPC            string   // id, with Subnets
	Subnets        []string // ids, none if the function runs in no VPC
	SecurityGroups []string // ids
}

// Requests returns what AWS asks of IAM for it.
func (p Platform) Requests() []iam.Request {
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
	stream := p.arn("logs", "log-group:/aws/lambda/"+p.Function[strings.LastIndex(p.Function, ":")+1:]+":log-stream:2026/01/01/[$LATEST]0a1b")
	requests := []iam.Request{{Action: "logs:CreateLogStream", Resource: stream}, {Action: "logs:PutLogEvents", Resource: stream}}
	if p.Traced {
		// https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
		requests = append(requests, iam.Request{Action: "xray:PutTelemetryRecords", Resource: "*"}, iam.Request{Action: "xray:PutTraceSegments", Resource: "*"})
	}
	if len(p.Subnets) == 0 {
		return requests
	}
	// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
	ask := func(action, resource string) {
		requests = append(requests, iam.Request{Action: "ec2:" + action, Resource: resource, Context: map[string][]string{"ec2:Vpc": {p.arn("ec2", "vpc/"+p.VPC)}}})
	}
	ask("DescribeNetworkInterfaces", "*")
	ask("DescribeSubnets", "*")
	created := p.arn("ec2", "network-interface/eni-0a1b2c3d")
	ask("CreateNetworkInterface", created)
	for _, id := range p.Subnets {
		ask("CreateNetworkInterface", p.arn("ec2", "subnet/"+id))
	}
	for _, id := range p.SecurityGroups {
		ask("CreateNetworkInterface", p.arn("ec2", "security-group/"+id))
	}
	for _, action := range []string{"AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "DeleteNetworkInterface"} {
		ask(action, created)
	}
	return requests
}

// arn returns the ARN of something of a service in the function's region and account.
func (p Platform) arn(service, resource string) string {
	parts := strings.SplitN(p.Function, ":", 6)
	return strings.Join([]string{parts[0], parts[1], service, parts[3], parts[4], resource}, ":")
}
