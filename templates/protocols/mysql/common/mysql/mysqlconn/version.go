package mysqlconn

import (
	"strconv"
	"strings"
)

// Version is a server's version.
type Version struct {
	MariaDB             bool
	Major, Minor, Patch int
}

// auroraPatch stands in for the last part of versions such as
// 8.0.mysql_aurora.3.04.0: Aurora MySQL 3 began with what is in MySQL 8.0.23.
// https://docs.aws.amazon.com/AmazonRDS/latest/AuroraMySQLReleaseNotes/AuroraMySQL.Updates.30Updates.html
const auroraPatch = 23

// ParseVersion reads what VERSION() returns, such as 8.0.36, 5.7.44-log,
// 9.7.4-2 and 10.11.19-MariaDB-log. Parts that are no numbers are 0.
func ParseVersion(text string) Version {
	v := Version{MariaDB: strings.Contains(text, "MariaDB")}
	parts := strings.SplitN(text, ".", 4)
	for i, part := range []*int{&v.Major, &v.Minor, &v.Patch} {
		if i < len(parts) {
			*part = leadingNumber(parts[i])
		}
	}
	if v.Major == 8 && strings.Contains(text, ".mysql_aurora.") {
		v.Patch = auroraPatch
	}
	return v
}

func leadingNumber(text string) int {
	if end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' }); end >= 0 {
		text = text[:end]
	}
	n, _ := strconv.Atoi(text)
	return n
}

// AtLeast reports whether v is not older than a version of the same server.
func (v Version) AtLeast(major, minor, patch int) bool {
	switch {
	case v.Major != major:
		return v.Major > major
	case v.Minor != minor:
		return v.Minor > minor
	default:
		return v.Patch >= patch
	}
}

func (v Version) String() string {
	server := "MySQL"
	if v.MariaDB {
		server = "MariaDB"
	}
	return server + " " + strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor) + "." + strconv.Itoa(v.Patch)
}
