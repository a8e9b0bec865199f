package database

import "regexp"

// The cluster endpoints of Aurora and of Multi-AZ clusters, in every partition.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
var (
	readerEndpoint = regexp.MustCompile(`(?i)^([^.]+\.cluster-)ro-([^.]+` + region + `)$`)
	customEndpoint = regexp.MustCompile(`(?i)^[^.]+\.cluster-custom-[^.]+` + region + `$`)
)

// region is how the names go on. China has the region behind the service.
const region = `\.(?:[^.]+\.rds\.amazonaws\.com|rds\.[^.]+\.amazonaws\.com\.cn)\.?`

// Writer returns a with the endpoint that takes changes: a reader endpoint
// (name.cluster-ro-id.region.rds.amazonaws.com) becomes its cluster endpoint
// (name.cluster-id....). Every other host stays as it is: an instance or custom
// endpoint does not tell where the writer is, and the engine finds out by
// asking the server whether it is read-only.
func (a Account) Writer() Account {
	host := readerEndpoint.ReplaceAllString(a.Host, "$1$2")
	if a.ServerName == a.Host {
		a.ServerName = host
	}
	a.Host = host
	return a
}

// MayLag reports whether a's host may answer from a replica, which learns of a
// change a moment later than the writer.
func (a Account) MayLag() bool {
	return readerEndpoint.MatchString(a.Host) || customEndpoint.MatchString(a.Host)
}
