// Package dualpassword gives a MySQL user two passwords, a primary and a secondary one,
// so that the previous goes on working while the new one is being introduced.
//
// RETAIN CURRENT PASSWORD keeps the primary password. That is not AWSCURRENT's if a
// rotation was given up after its change, or if this one is delivered twice:
// AWSCURRENT would then stop working. So a statement retains a password only if the
// server confirms that it is the primary one: REPLACE accepts no other.
// https://dev.mysql.com/doc/refman/8.4/en/password-management.html#dual-passwords
package dualpassword

import (
	"context"
	"errors"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/strategies/single-user/database/singleuser"
)

// statements are those that overlap needs of a server with two passwords per user.
type statements interface {
	// Replace sets the primary password of the session's own user if it is
	// previous, which is errNotPrimary otherwise. retain makes previous the
	// secondary one; without it the secondary one stays as it is.
	Replace(ctx context.Context, previous, password rotation.Sensitive, retain bool) error
	// Assign sets the primary password of any user.
	Assign(ctx context.Context, user string, password rotation.Sensitive, retain bool) error
}

// errNotPrimary is the cause of an error that says so.
var errNotPrimary = errors.New("the password to be replaced is not the primary one")

// overlap makes o.Pending log in beside o.Current by what the user itself may
// do in own. It may be called again at any point.
func overlap(ctx context.Context, own statements, o singleuser.Overlap) error {
	failure := own.Replace(ctx, o.Current, o.Pending, true)
	if done, err := settled(ctx, failure, o); done || err != nil {
		return err
	}
	// AWSCURRENT is the secondary password, which stays as it is when the
	// primary one, of a rotation that was given up, is replaced.
	abandoned, err := o.Abandoned(ctx)
	if err != nil {
		return err
	}
	for _, password := range abandoned {
		err := own.Replace(ctx, password, o.Pending, false)
		if !errors.Is(err, errNotPrimary) {
			return err
		}
	}
	return rotation.Errorf(rotation.CodeServer, "AWSCURRENT is the user's secondary password, and the primary one is in no version of the secret that can be read: "+
		"let an administrator change the password, or make AWSCURRENT's the only one with DISCARD OLD PASSWORD after setting it").Because(failure)
}

// overlapAsAdmin is overlap for an admin's session: own only finds out which
// password is the primary one, by replacing it with itself.
func overlapAsAdmin(ctx context.Context, own, admin statements, o singleuser.Overlap) error {
	err := own.Replace(ctx, o.Current, o.Current, false)
	switch {
	case err == nil, errors.Is(err, errNotPrimary):
	case rotation.CodeOf(err) == rotation.CodePolicy:
		// A rule that AWSCURRENT itself does not meet comes before the answer.
		return rotation.Errorf(rotation.CodePolicy, "the server's password rules hide whether AWSCURRENT is the primary password").
			Because(errors.Join(singleuser.ErrOnePassword, err))
	default:
		return err
	}
	failure := admin.Assign(ctx, o.User, o.Pending, err == nil)
	_, err = settled(ctx, failure, o)
	return err
}

// settled says whether the pending password is in force after an attempt to set
// it: a rule against reusing passwords also refuses one that an earlier
// delivery has set already, and the same goes for a primary password that is
// not AWSCURRENT's.
func settled(ctx context.Context, failure error, o singleuser.Overlap) (bool, error) {
	notPrimary := errors.Is(failure, errNotPrimary)
	if !notPrimary && rotation.CodeOf(failure) != rotation.CodePolicy {
		return failure == nil, failure
	}
	inForce, err := o.InForce(ctx)
	if err != nil || inForce || notPrimary {
		return inForce, err
	}
	return false, failure
}
