package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/spf13/cobra"

	"github.com/rotasmith/rotasmith/generator/doctor"
	"github.com/rotasmith/rotasmith/generator/doctor/account"
)

// errBroken says by its exit code alone that doctor has found something broken: it was printed as the result.
var errBroken = &hinted{errors.New("something is broken"), "", exitDifferent}

const rightsOfDoctor = "it takes secretsmanager:DescribeSecret; rotasmith doctor --policy prints a policy with all that doctor can use"

type doctorOptions struct {
	secret  string
	region  string
	profile string
	json    bool
	strict  bool
	noLogs  bool
	save    string
	offline string
	policy  bool

	all     bool
	deep    bool
	filters []string
	regions []string
	format  string
}

func (a *app) doctorCommand() *cobra.Command {
	o := new(doctorOptions)
	c := &cobra.Command{
		Use:   "doctor [SECRET]",
		Short: "Say in which state a secret's rotation is, why, and what to do",
		Long: "doctor reads, in at most eight calls, a secret's labels and versions, its rotation function and that one's log, its key, its policy\n" +
			"and CloudTrail, and says in one screen where the rotation stands, why, and which commands to paste. It reads no value and changes\n" +
			"nothing. SECRET is a name or an ARN. The secret's description is enough: doctor names every right that it lacks.\n\n" +
			"--all lists every secret of the region, a hundred a call, the broken ones first; secrets that AWS rotates by itself are counted.\n" +
			"It leaves out those that are scheduled for deletion. --deep reads all of what is not well, as for one secret.\n\n" +
			"--save keeps what was read, without any value, for --offline and for support.\n\n" +
			"The exit code is 0 when nothing is broken and 3 when something is, 1 for what could not be read, 2 for a secret that is not there.",
		Example: "  rotasmith doctor prod/orders\n  rotasmith doctor prod/orders --save snapshot.json\n  rotasmith doctor --offline snapshot.json --json\n" +
			"  rotasmith doctor --all --filter tag:team=orders --format csv\n  rotasmith doctor --policy > doctor-policy.json",
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.secret = args[0]
			}
			if err := o.check(len(args) == 1); err != nil {
				return err
			}
			return a.runDoctor(cmd.Context(), o)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	c.Flags().StringVar(&o.region, "region", "", "AWS region, that of the ARN or of the environment if not given")
	c.Flags().StringVar(&o.profile, "profile", "", "profile of the AWS CLI")
	c.Flags().BoolVar(&o.json, "json", false, "print the result as JSON")
	c.Flags().BoolVar(&o.strict, "strict", false, "exit with 3 for a warning too")
	c.Flags().BoolVar(&o.noLogs, "no-logs", false, "leave the function's log alone")
	c.Flags().StringVar(&o.save, "save", "", "new `file` for what was read; no value is in it")
	c.Flags().StringVar(&o.offline, "offline", "", "`file` of --save to diagnose instead of a secret")
	c.Flags().BoolVar(&o.policy, "policy", false, "print the IAM policy that allows all that doctor reads")
	c.Flags().BoolVar(&o.all, "all", false, "every secret of the region in one table")
	c.Flags().BoolVar(&o.deep, "deep", false, "with --all: read all of what is not well")
	c.Flags().StringArrayVar(&o.filters, "filter", nil, "with --all: only secrets with a tag, as `tag:KEY=VALUE`; repeatable")
	c.Flags().StringSliceVar(&o.regions, "regions", nil, "with --all: several regions, with commas between them")
	c.Flags().StringVar(&o.format, "format", "text", "with --all: how to print: "+strings.Join(fleetFormats, ", "))
	if err := c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(fleetFormats, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // only for a flag that this file does not define
	}
	return c
}

// check refuses flags that do not go together.
func (o *doctorOptions) check(named bool) error {
	tasks := 0
	for _, asked := range []bool{named, o.offline != "", o.policy, o.all} {
		if asked {
			tasks++
		}
	}
	const cure = "rotasmith doctor SECRET, or one of --all, --offline FILE and --policy"
	switch {
	case tasks == 0:
		return usagef(cure, "no secret is named")
	case tasks > 1:
		return usagef(cure, "a secret, --all, --offline and --policy exclude each other")
	case named && o.secret == "":
		return usagef("give the name or the ARN of a secret", "the secret's name is empty")
	case o.save != "" && !named:
		return usagef("rotasmith doctor SECRET --save FILE", "--save is for one secret")
	case !o.all && (o.deep || len(o.filters) > 0 || len(o.regions) > 0 || o.format != "text"):
		return usagef("rotasmith doctor --all", "--deep, --filter, --regions and --format are for --all")
	case len(o.regions) > 0 && o.region != "":
		return usagef("name all regions by --regions", "--region and --regions exclude each other")
	case o.json && o.format != "text" && o.format != "json":
		return usagef("leave one of them out", "--json and --format %s exclude each other", o.format)
	case !slices.Contains(fleetFormats, o.format):
		return usagef("one of: "+strings.Join(fleetFormats, ", "), "unknown --format %q", o.format)
	}
	if o.json {
		o.format = "json"
	}
	return nil
}

func (a *app) runDoctor(ctx context.Context, o *doctorOptions) error {
	switch {
	case o.policy:
		return a.print(account.Policy(o.region))
	case o.all:
		return a.runFleet(ctx, o)
	}
	snapshot, err := a.snapshot(ctx, o)
	if err != nil {
		return err
	}
	if o.save != "" {
		if err := save(o.save, snapshot); err != nil {
			return err
		}
	}
	diagnosis := doctor.Diagnose(snapshot)
	if o.json {
		err = a.print(diagnosisJSON(snapshot, diagnosis))
	} else {
		err = a.print(diagnosisText(snapshot, diagnosis, min(columns(a.Out), helpWidth)), nil)
	}
	if err != nil {
		return err
	}
	return o.verdict(diagnosis.Severity())
}

// verdict is the exit code of the worst that was found.
func (o *doctorOptions) verdict(worst doctor.Severity) error {
	if worst == doctor.Broken || worst == doctor.Warning && o.strict {
		return errBroken
	}
	return nil
}

// snapshot reads a secret, or a file of --save.
func (a *app) snapshot(ctx context.Context, o *doctorOptions) (*doctor.Snapshot, error) {
	if o.offline != "" {
		return saved(o.offline)
	}
	region := o.region
	if named, err := arn.Parse(o.secret); err == nil && region == "" {
		region = named.Region
	}
	bounded, cancel := context.WithTimeout(ctx, secretTimeout)
	defer cancel()
	from, err := openAccount(bounded, region, o.profile)
	if err != nil {
		return nil, err
	}
	s, err := from.Secret(bounded, o.secret, !o.noLogs)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case bounded.Err() != nil && err != nil:
		return nil, cannotRead("", o.secret, fmt.Errorf("no answer within %v", secretTimeout), rightsOfDoctor)
	case err != nil:
		return nil, cannotRead("", o.secret, err, rightsOfDoctor)
	}
	return s, nil
}

func openAccount(ctx context.Context, region, profile string) (*account.Account, error) {
	from, err := account.Open(ctx, region, profile)
	switch {
	case errors.Is(err, account.ErrNoRegion):
		return nil, &hinted{err, "name it by --region, AWS_REGION or a profile", exitUsage}
	case err != nil:
		return nil, &hinted{err, "aws sts get-caller-identity shows whether credentials and region are in order", exitFailed}
	}
	return from, nil
}

// save writes a snapshot to a file that is not there yet.
func save(name string, s *doctor.Snapshot) error {
	text, err := indented(s)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usagef("choose another name, or remove it", "--save: %q is there already", name)
	}
	if err != nil {
		return &hinted{fmt.Errorf("--save: %w", err), "choose a file that you may write to", exitFailed}
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// saved reads a snapshot.
func saved(name string) (*doctor.Snapshot, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, &hinted{fmt.Errorf("--offline: %w", err), "name a file that rotasmith doctor SECRET --save has written", exitUsage}
	}
	s := new(doctor.Snapshot)
	if err := json.Unmarshal(text, s); err != nil || s.Format == 0 || s.Secret.ARN == "" {
		return nil, usagef("name a file that rotasmith doctor SECRET --save has written", "--offline: %q holds no snapshot", name)
	}
	if s.Format > doctor.Format {
		return nil, usagef("take the version of rotasmith that has written it", "--offline: %q is of a newer form, %d", name, s.Format)
	}
	return s, nil
}
