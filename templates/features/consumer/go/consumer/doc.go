// Package consumer reads a secret that is rotated, for an application that must not notice. Its rules:
//
//   - R1 A caller waits for Secrets Manager only before there is a first value. Later reads happen in the background, and a value stays in use
//     while they fail.
//   - R2 One read at a time serves all callers, and needs one right, secretsmanager:GetSecretValue.
//   - R3 A rejection is one of a version. Where a newer one is in use, that is tried without a read. Else the secret is read at once, and again
//     after 50, 100, 200 ms and so on, up to every 30 s.
//   - R4 While a version is known to be rejected nothing logs in with it, but for one caller after a read: it may be in force again.
//   - R5 Waiting ends with the caller's context or with [Options.Wait]. The error is the server's own and [ErrRejected].
//   - R6 [Options.Pending]: where AWSCURRENT is rejected, AWSPENDING is tried if it is of the same user.
//   - R7 [Options.Previous]: where AWSCURRENT is rejected, AWSPREVIOUS is tried.
//   - R8 Only a rejected log-in is repeated: nothing else can have happened. A statement or a request that the server took is not.
//   - R9 No error, log line or printed [Version] holds a value.
//   - R10 Where a driver takes its credential only when a client is made, another client is made, and the previous one ends after a while.
//
// [Do] is for log-ins of any kind; the package below this one has it for the driver. Neither imports another package of this project: use them
// from here, or copy the folder.
package consumer
