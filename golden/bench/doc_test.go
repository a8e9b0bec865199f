//go:build linux

// Package bench measures what rotasmith writes as the process that Lambda
// starts, beside what can be had on any machine: Lambdas that do nothing but
// describe a secret. They run in turns, so that both meet the same load; the
// ratios between them hold elsewhere, the milliseconds do not.
//
// A limit stands behind the unit that it is for, such as 1.3 x-trivial(≤2).
// None fails: time on a shared machine proves nothing. The limits in
// x-trivial of a rotation are a part of what AWS's own rotation functions take,
// half of the wall time and two fifths of the processor's, with both measured
// against the trivial Lambda on one machine.
//
// The processor's time is the function's process alone, which Linux tells and
// others do not.
package bench
