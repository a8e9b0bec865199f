package cmd

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account"
)

// patient is one secret of many.
type patient struct {
	snapshot  *doctor.Snapshot
	diagnosis *doctor.Diagnosis
}

// rank orders by how bad it is, then by region and name.
func (p *patient) rank(other *patient) int {
	rank := func(p *patient) int {
		if len(p.diagnosis.Findings) == 0 {
			return len(doctor.Severities())
		}
		return slices.Index(doctor.Severities(), p.diagnosis.Severity())
	}
	return cmp.Or(rank(p)-rank(other), cmp.Compare(p.snapshot.Region, other.snapshot.Region), cmp.Compare(p.snapshot.Secret.Name, other.snapshot.Secret.Name))
}

// fleet is what came of all secrets.
type fleet struct {
	patients []*patient
	managed  map[string]int // by what rotates them, where nothing is broken
}

func (a *app) runFleet(ctx context.Context, o *doctorOptions) error {
	filters, err := parseFilters(o.filters)
	if err != nil {
		return err
	}
	regions := o.regions
	if len(regions) == 0 {
		regions = []string{o.region}
	}
	f := &fleet{managed: make(map[string]int)}
	lists, errs := make([][]*patient, len(regions)), make([]error, len(regions))
	var wg sync.WaitGroup
	for i, region := range regions {
		wg.Go(func() { lists[i], errs[i] = examine(ctx, o, region, filters) })
	}
	wg.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, p := range slices.Concat(lists...) {
		f.add(p)
	}
	slices.SortFunc(f.patients, (*patient).rank)
	failed := errors.Join(errs...)
	if failed != nil && len(regions) == 1 {
		return failed // there is no table
	}
	width := 0
	if isWindow(a.Out) {
		width = columns(a.Out)
	}
	out := bufio.NewWriter(a.Out)
	if err := f.write(out, o.format, width, failed); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	return o.verdict(f.worst())
}

// add counts a secret that AWS rotates by itself, and keeps any other.
func (f *fleet) add(p *patient) {
	if p.diagnosis.State == doctor.StateManaged && p.diagnosis.Severity() == doctor.Note {
		f.managed[cmp.Or(p.snapshot.Secret.OwningService, p.snapshot.Secret.Type)]++
		return
	}
	f.patients = append(f.patients, p)
}

// worst is the severity of the first.
func (f *fleet) worst() doctor.Severity {
	if len(f.patients) == 0 {
		return doctor.Note
	}
	return f.patients[0].diagnosis.Severity()
}

// String is the one summary line.
func (f *fleet) String() string {
	counts := make(map[doctor.Severity]int)
	for _, p := range f.patients {
		counts[p.diagnosis.Severity()]++
	}
	secrets := "secrets"
	if len(f.patients) == 1 {
		secrets = "secret"
	}
	return fmt.Sprintf("%d %s, %d broken, %d with warnings", len(f.patients), secrets, counts[doctor.Broken], counts[doctor.Warning])
}

// parseFilters reads tag:KEY and tag:KEY=VALUE.
func parseFilters(words []string) (filters []account.Filter, err error) {
	for _, word := range words {
		rest, ok := strings.CutPrefix(word, "tag:")
		key, value, _ := strings.Cut(rest, "=")
		if !ok || key == "" {
			return nil, usagef("write --filter tag:KEY=VALUE, or tag:KEY for any value", "--filter %q is no tag", word)
		}
		filters = append(filters, account.Filter{Key: key, Value: value})
	}
	return filters, nil
}

// examine diagnoses the secrets of a region, and again all of what is not well if that is asked for.
func examine(ctx context.Context, o *doctorOptions, region string, filters []account.Filter) ([]*patient, error) {
	from, err := openAccount(ctx, region, o.profile)
	if err != nil {
		return nil, err
	}
	list, err := from.Secrets(ctx, filters)
	if err != nil {
		hint := "it takes secretsmanager:ListSecrets; rotasmith doctor --policy prints a policy with all that doctor can use"
		return nil, &hinted{fmt.Errorf("cannot list the secrets in %q: %s", from.Region(), message(err)), hint, exitFailed}
	}
	patients := make([]*patient, len(list))
	for i, s := range list {
		patients[i] = &patient{s, doctor.Diagnose(s)}
	}
	if o.deep {
		deepen(ctx, from, patients, !o.noLogs)
	}
	return patients, nil
}

// atOnce is how many secrets are read at the same time. CloudTrail answers two requests a second.
const atOnce = 2

// deepen reads all of the secrets that are not well. One that cannot be read stays as it was listed.
func deepen(ctx context.Context, from *account.Account, patients []*patient, logs bool) {
	var wg sync.WaitGroup
	free := make(chan bool, atOnce)
	for _, p := range patients {
		if len(p.diagnosis.Findings) == 0 || p.diagnosis.State == doctor.StateManaged {
			continue
		}
		free <- true
		wg.Go(func() {
			defer func() { <-free }()
			if s, err := from.Secret(ctx, p.snapshot.ID, logs); err == nil {
				p.snapshot, p.diagnosis = s, doctor.Diagnose(s)
			}
		})
	}
	wg.Wait()
}
