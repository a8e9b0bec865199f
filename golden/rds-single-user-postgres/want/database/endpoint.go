package database

import (
	"regexp"
	"time"

	"example.com/orders-db/rotation"
)

// The cluster endpoints of Aurora, of Multi-AZ clusters and of DocumentDB, and
// those of RDS Proxy, in every partition.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/multi-az-db-clusters-concepts-connection-management.html
// https://docs.aws.amazon.com/documentdb/latest/developerguide/endpoints.html
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-endpoints.html
var (
	readerEndpoint = regexp.MustCompile(`(?i)^([^.]+\.cluster-)ro-([^.]+` + region + `)$`)
	customEndpoint = regexp.MustCompile(`(?i)^[^.]+\.cluster-custom-[^.]+` + region + `$`)
	proxyEndpoint  = regexp.MustCompile(`(?i)^[^.]+\.(?:endpoint\.)?proxy-[^.]+` + region + `$`)
)

// region is how the names go on. China has the region behind the service.
const region = `\.(?:[^.]+\.(?:rds|docdb)\.amazonaws\.com|(?:rds|docdb)\.[^.]+\.amazonaws\.com\.cn)\.?`

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

// lagPause is the time between two log-ins on a replica that may not have
// learned of a new password yet.
const lagPause = 500 * time.Millisecond

// RideOut calls prove, which logs in as a. On a host that may be a replica it
// does so again while the password is refused, until wait fails: the replica is
// given the rest of the invocation to learn of it.
func (a Account) RideOut(wait func(time.Duration) error, prove func() error) error {
	for {
		err := prove()
		if !a.MayLag() || rotation.CodeOf(err) != rotation.CodeAuthRejected || wait(lagPause) != nil {
			return err
		}
	}
}

// isProxy reports whether host is an RDS Proxy. It stands before one database,
// whose own host it does not tell.
func isProxy(host string) bool { return proxyEndpoint.MatchString(host) }
