package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// lock is what LockFile holds.
type lock struct {
	Answers string       `json:"answers"`
	Files   []lockedFile `json:"files"`
}

type lockedFile struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"`
	SHA256 string `json:"sha256"`
}

// answersDigest returns the digest of those answers that decide what is in the files: all but keep.
func (s *Spec) answersDigest(wanted func(key string) bool) (string, error) {
	answers := make(map[string]string, len(s.Resolved))
	for _, r := range s.Resolved {
		if r.Question.Key != "keep" && wanted(r.Question.Key) {
			answers[r.Question.Key] = r.Value
		}
	}
	canonical, err := json.Marshal(answers)
	return digest(canonical), err
}

func everyKey(string) bool { return true }

// lockJSON records a digest of the answers and the digest of every other file.
func (s *Spec) lockJSON(files []File) ([]byte, error) {
	answers, err := s.answersDigest(everyKey)
	if err != nil {
		return nil, err
	}
	var records []lockedFile
	for _, f := range files {
		if f.Path == LockFile || f.Path == "" {
			continue
		}
		records = append(records, lockedFile{f.Path, fmt.Sprintf("%04o", f.Mode.Perm()), f.SHA256})
	}
	return lockText(answers, records)
}

// lockText is the content of LockFile, one file a line.
func lockText(answers string, files []lockedFile) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"answers\": %q,\n  \"files\": [", answers)
	separator := "\n    "
	for _, f := range files {
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

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
