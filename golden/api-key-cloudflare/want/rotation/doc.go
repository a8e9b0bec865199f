// Package rotation is the core of a Secrets Manager rotation function: it
// receives the four steps of a rotation, decides from the secret's staging
// labels what is left to do, and leaves to a [Strategy] what a step means for
// one kind of credential.
//
// The core owns every guard, so that no strategy has to repeat one:
//
//   - labels are read afresh in every invocation and never remembered;
//   - the version named by ClientRequestToken is the only pending version;
//   - a pending value that differs from AWSCURRENT in more than the credential
//     is refused before anything is dialled;
//   - AWSCURRENT is moved by compare-and-swap and only after the new
//     credential has just been proven;
//   - nothing that is printed, logged or returned can carry a secret.
//
// A process may be killed before or after any call to the outside. The next
// delivery of the same event finds its way from the labels and from what the
// credentials can do, not from memory. Package rotationtest proves it.
//
// It does not talk to a database or to an API: strategies and targets do.
package rotation
