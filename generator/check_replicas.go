package generator

import (
	"cmp"
	"slices"
	"strings"
)

// checkReplicas refuses regions that cannot have a replica of a secret in the primary region, as far as that one is known.
func checkReplicas(value string, get Lookup) error {
	regions, primary := SplitList(value), get("region")
	if len(regions) == 0 {
		return nil
	}
	home := cmp.Or(primary, regions[0])
	for i, region := range regions {
		switch {
		case regionPattern(region) == nil:
			return advise("the names of AWS regions such as eu-central-1,us-east-1", "bad region %q in replicas", region)
		case slices.Contains(regions[:i], region):
			return advise("name each region once", "region %q is twice in replicas", region)
		case region == primary:
			return advise("leave it out: a replica is in another region", "region %q is that of the secret itself", region)
		case partition(region) != partition(home):
			return advise("name regions of one partition", "a secret in %q has no replica in %q: they are in different partitions of AWS",
				home, region)
		}
	}
	return nil
}

// partition returns what keeps regions apart that cannot replicate to each other: China, the GovClouds, all others.
func partition(region string) string {
	for _, prefix := range []string{"cn-", "us-gov-", "us-iso-", "us-isob-", "eu-isoe-", "us-isof-", "eusc-"} {
		if strings.HasPrefix(region, prefix) {
			return prefix
		}
	}
	return ""
}
