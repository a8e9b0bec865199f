package generator

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"golang.org/x/mod/module"
)

// The patterns that editors also check, as part of the schema.
const (
	nameExpr       = `^[a-z][a-z0-9-]{0,39}$`
	secretNameExpr = `^[A-Za-z0-9/_+=.@-]{1,512}$`
	regionExpr     = `^[a-z]{2,4}(-[a-z]+)*-(central|(north|south)?(east|west)|north|south)-[0-9]{1,2}$`
)

var (
	namePattern       = regexpOnce(nameExpr)
	secretNamePattern = regexpOnce(secretNameExpr)
	regionPattern     = regexpOnce(regionExpr)
)

// regexpOnce compiles on first use: start-up pays for none of these.
func regexpOnce(expr string) func(string) []string {
	compiled := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
	return func(s string) []string { return compiled().FindStringSubmatch(s) }
}

func validateName(value string, _ *Resolution) error {
	if namePattern(value) == nil {
		return advise("1 to 40 lower-case letters, digits and hyphens, beginning with a letter", "bad name %q", value)
	}
	if reserved(value) {
		return advise("choose another", "name %q is a device on Windows", value)
	}
	return nil
}

func validateModule(value string, _ *Resolution) error {
	if _, path, ok := strings.Cut(value, "://"); ok {
		return advise(fmt.Sprintf("a Go module path has no scheme: %s", strings.TrimSuffix(path, ".git")), "bad module path %q", value)
	}
	if err := module.CheckPath(value); err != nil {
		if invalid, ok := errors.AsType[*module.InvalidPathError](err); ok {
			err = invalid.Err
		}
		return advise("a Go module path such as example.com/team/project", "bad module path %q: %v", value, err)
	}
	return nil
}

func validateSecretName(value string, _ *Resolution) error {
	if secretNamePattern(value) == nil {
		return advise("1 to 512 letters, digits and /_+=.@-", "bad secret_name %q", value)
	}
	return nil
}

func validateRegion(value string, _ *Resolution) error {
	if regionPattern(value) == nil {
		return advise("the name of an AWS region such as eu-west-1", "bad region %q", value)
	}
	return nil
}

func validateKeep(value string, _ *Resolution) error {
	for _, pattern := range SplitList(value) {
		if _, err := path.Match(pattern, ""); err != nil || !filepath.IsLocal(filepath.FromSlash(pattern)) {
			return advise("patterns of paths inside the project, such as README.md or docs/*.md", "bad pattern %q in keep", pattern)
		}
	}
	return nil
}

// validateReplicas refuses regions that cannot have a replica of a secret in the primary region, as far as that one is known.
func validateReplicas(value string, so *Resolution) error {
	regions, primary := SplitList(value), so.Get("region")
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
