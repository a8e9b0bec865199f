package cmd

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/AlecAivazis/survey/v2/terminal"
)

// keyboard hands on one key at a time. Survey and the editor read ahead and drop what they have read: every line but the first of a paste.
// Survey also takes Ctrl-D for Enter, which would accept a default before it is on the screen; both type the tail of a key that they do not know into
// the answer, and Escape alone would change what the letters after it do.
type keyboard struct {
	fd    uintptr
	in    *bufio.Reader
	ahead [][]byte // keys typed before the first question
	rest  []byte   // of the last key
}

func newKeyboard(fd uintptr, in io.Reader) *keyboard {
	return &keyboard{fd: fd, in: bufio.NewReader(in)}
}

// typedAhead returns the keys that were typed ahead, as lines.
func (k *keyboard) typedAhead() io.Reader {
	typed := bytes.ReplaceAll(bytes.Join(k.ahead, nil), []byte("\r"), []byte("\n"))
	k.ahead = nil
	return bytes.NewReader(typed)
}

// isPlace reports whether a key is the terminal's word on where its cursor is.
func isPlace(key []byte) bool { return len(key) > 3 && key[len(key)-1] == 'R' }

func (k *keyboard) Fd() uintptr { return k.fd }

func (k *keyboard) Read(p []byte) (int, error) {
	for len(k.rest) == 0 {
		if len(k.ahead) > 0 {
			k.rest, k.ahead = k.ahead[0], k.ahead[1:]
			continue
		}
		key, err := k.key()
		if err != nil {
			return 0, err
		}
		if !isPlace(key) { // its reader has gone
			k.rest = key
		}
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	return n, nil
}

// key reads one key; nothing for one to be left out.
func (k *keyboard) key() ([]byte, error) {
	b, err := k.in.ReadByte()
	switch {
	case err != nil:
		return nil, err
	case b == 0x04:
		return []byte{terminal.KeyInterrupt}, nil
	case b == terminal.KeyEscape:
		return k.escape(), nil
	}
	return []byte{b}, nil
}

// escape reads the rest of an escape sequence, which a terminal sends at once. It returns nothing for one that would be misread, and an arrow
// as every reader knows it.
func (k *keyboard) escape() []byte {
	key := []byte{terminal.KeyEscape}
	for k.in.Buffered() > 0 {
		b, err := k.in.ReadByte()
		if err != nil {
			return nil
		}
		key = append(key, b)
		if len(key) == 2 && (b == '[' || b == 'O') {
			continue
		}
		if len(key) == 2 {
			return nil // Alt and a letter
		}
		if b < 0x40 || b > 0x7e {
			continue
		}
		if strings.IndexByte("ABCDFHR", b) >= 0 && (len(key) == 3 || b == 'R') || string(key) == "\x1b[3~" {
			key[1] = '['
			return key
		}
		return nil
	}
	return nil
}
