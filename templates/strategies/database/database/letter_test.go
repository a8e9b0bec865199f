package database

import (
	"strings"
	"testing"
)

// TestNotLetter knows the letters that a password may begin with, the first and the last
// among them. (C10)
func TestNotLetter(t *testing.T) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for r := range rune(0x100) {
		if got := notLetter(r); got == strings.ContainsRune(letters, r) {
			t.Errorf("%q: %t", r, got)
		}
	}
}
