package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Lock is what LockFile holds: what a project was written with.
type Lock struct {
	Answers   string       `json:"answers"`   // as of Spec.AnswersDigest
	Rotasmith string       `json:"rotasmith"` // the version that wrote it, for people; empty before it was recorded. No file is found by it.
	Files     []LockedFile `json:"files"`     // all but LockFile itself, sorted by path
}

// LockedFile is one file as it was written.
type LockedFile struct {
	Path   string       `json:"path"`
	Mode   string       `json:"mode"`          // "0644" or "0755"
	SHA256 string       `json:"sha256"`        // in hex
	Open   OpenConflict `json:"open,omitzero"` // a conflict that an update has left in the file
}

// OpenConflict is a conflict that is not settled yet: the file holds both texts between markers, or did. SHA256 stays that of the text which both
// changed. Both digests are in hex.
type OpenConflict struct {
	Theirs string `json:"theirs"` // what the templates gave
	Yours  string `json:"yours"`  // what stood in the file before
}

// AnswersDigest returns the digest of those answers that decide what is in the files, which are all but keep: of those whose keys are
// wanted, nil for every one.
func (s *Spec) AnswersDigest(wanted func(key string) bool) (string, error) {
	answers := make(map[string]string, len(s.Resolved))
	for _, r := range s.Resolved {
		if r.Question.Key != "keep" && (wanted == nil || wanted(r.Question.Key)) {
			answers[r.Question.Key] = r.Value
		}
	}
	return digestOf(answers)
}

func digestOf(answers map[string]string) (string, error) {
	canonical, err := json.Marshal(answers)
	return Digest(canonical), err
}

// lockJSON records the version of rotasmith, a digest of the answers and the digest of every other file.
func (s *Spec) lockJSON(version string, files []File) ([]byte, error) {
	answers, err := s.AnswersDigest(nil)
	if err != nil {
		return nil, err
	}
	l := Lock{Answers: answers, Rotasmith: version}
	for _, f := range files {
		if f.Path == LockFile || f.Path == "" {
			continue
		}
		l.Files = append(l.Files, LockedFile{Path: f.Path, Mode: fmt.Sprintf("%04o", f.Mode.Perm()), SHA256: f.SHA256})
	}
	return l.Text()
}

// Text is the content of LockFile, one file a line.
func (l *Lock) Text() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"answers\": %q,\n  \"rotasmith\": %q,\n  \"files\": [", l.Answers, l.Rotasmith)
	separator := "\n    "
	for _, f := range l.Files {
		line, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		b.WriteString(separator)
		b.Write(line)
		separator = ",\n    "
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}

// Digest is the SHA-256 of data in hex.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
