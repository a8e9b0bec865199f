package parity

import (
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/rotasmith/rotasmith/templates/project/rotation"
	"github.com/rotasmith/rotasmith/templates/protocols/mysql/common/mysql/mysqlconn"
)

// identified returns the clause that sets another user's password as the hash
// that one of [mysql.Plugins] would have stored, so that the password itself
// stands in no statement. The server takes a hash without asking its rules for
// passwords, which those from here meet by themselves.
func identified(plugin string, password rotation.Sensitive) string {
	return fmt.Sprintf("IDENTIFIED WITH %s AS %s", mysqlconn.Literal(plugin), mysqlconn.Literal(hash(plugin, rand.Text()[:saltLength], password.Reveal())))
}

const saltLength = 20

// hash returns what plugin stores for password.
// https://dev.mysql.com/doc/refman/8.4/en/caching-sha2-pluggable-authentication.html
// https://dev.mysql.com/doc/refman/8.4/en/sha256-pluggable-authentication.html
func hash(plugin, salt, password string) string {
	switch plugin {
	case "caching_sha2_password":
		return "$A$005$" + salt + crypt(password, salt)
	case "sha256_password":
		return "$5$" + salt + "$" + crypt(password, salt)
	default:
		once := sha1.Sum([]byte(password))
		twice := sha1.Sum(once[:])
		return "*" + strings.ToUpper(hex.EncodeToString(twice[:]))
	}
}

// crypt is the last part of what crypt(3) makes with SHA-256 in 5000 rounds, but
// that MySQL's salt may be longer.
// https://www.akkadia.org/drepper/SHA-crypt.txt
func crypt(password, salt string) string {
	const rounds = 5000
	sum := func(parts ...string) string {
		digest := sha256.Sum256([]byte(strings.Join(parts, "")))
		return string(digest[:])
	}
	stretch := func(digest string, length int) string {
		return strings.Repeat(digest, length/len(digest)+1)[:length]
	}
	inner := sum(password, salt, password)
	start := []string{password, salt, stretch(inner, len(password))}
	for bits := len(password); bits > 0; bits >>= 1 {
		if bits&1 == 1 {
			start = append(start, inner)
		} else {
			start = append(start, password)
		}
	}
	digest := sum(start...)
	p := stretch(sum(strings.Repeat(password, len(password))), len(password))
	s := stretch(sum(strings.Repeat(salt, 16+int(digest[0]))), len(salt))
	for round := range rounds {
		parts := []string{digest, "", "", p}
		if round%2 == 1 {
			parts[0], parts[3] = p, digest
		}
		if round%3 != 0 {
			parts[1] = s
		}
		if round%7 != 0 {
			parts[2] = p
		}
		digest = sum(parts...)
	}
	return shuffled(digest)
}

// shuffled writes a digest in the order and with the characters that crypt(3)
// has, three bytes in four characters with the lowest bits first.
func shuffled(digest string) string {
	const characters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var out strings.Builder
	write := func(bits, n int) {
		for range n {
			out.WriteByte(characters[bits&63])
			bits >>= 6
		}
	}
	for i := range 10 {
		a, b, c := i*21%30, (i*21+10)%30, (i*21+20)%30
		write(int(digest[a])<<16|int(digest[b])<<8|int(digest[c]), 4)
	}
	write(int(digest[31])<<8|int(digest[30]), 3)
	return out.String()
}
