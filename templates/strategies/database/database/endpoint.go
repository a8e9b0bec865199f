package database

import "strings"

// Writer returns a with the endpoint that takes changes: an Aurora or Multi-AZ
// reader endpoint (name.cluster-ro-id.region.rds.amazonaws.com) becomes its
// cluster endpoint (name.cluster-id....). Every other host stays as it is: an
// instance or custom endpoint does not tell where the writer is, and the
// engine finds out by asking the server whether it is read-only.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html
func (a Account) Writer() Account {
	name, rest, ok := cutFold(a.Host, ".cluster-ro-")
	if !ok || !isRDS(rest) {
		return a
	}
	host := name + ".cluster-" + rest
	if strings.EqualFold(a.ServerName, a.Host) {
		a.ServerName = host
	}
	a.Host = host
	return a
}

// MayLag reports whether a's host may answer from a replica, which learns of a
// change a moment later than the writer.
func (a Account) MayLag() bool {
	_, rest, reader := cutFold(a.Host, ".cluster-ro-")
	_, custom, isCustom := cutFold(a.Host, ".cluster-custom-")
	return reader && isRDS(rest) || isCustom && isRDS(custom)
}

// isRDS reports whether rest, the part of a host name after its cluster label,
// ends as RDS's names do in every partition.
func isRDS(rest string) bool {
	rest = strings.ToLower(strings.TrimSuffix(rest, "."))
	return strings.HasSuffix(rest, ".rds.amazonaws.com") || strings.HasSuffix(rest, ".rds.amazonaws.com.cn")
}

// cutFold is strings.Cut without regard to case.
func cutFold(s, sep string) (before, after string, found bool) {
	if i := strings.Index(strings.ToLower(s), sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
