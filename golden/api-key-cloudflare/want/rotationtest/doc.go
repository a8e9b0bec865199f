// Package rotationtest proves a rotation strategy: it kills the rotator before
// and after every call to the outside, breaks its connections, freezes it and
// delivers everything twice, plays the service on both sides of that, and looks
// after each whether the secret still works.
//
// [Prove] is the whole of it. It needs a [Subject]: how to make the strategy for
// a process, whose calls go through [Process], and whether a value works. Nothing
// else has to be written for an engine of one's own.
//
// [SecretsManager] is the service in memory. There is no network here and no
// clock but the one that tests move.
package rotationtest
