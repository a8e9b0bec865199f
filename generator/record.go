package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

const answersHead = `# yaml-language-server: $schema=` + SchemaFile + `
# What this project was made from. rotasmith new --answers rotasmith.yaml makes it again.
# keep lists the files that are yours to change: a change there is reported, never taken for a fault.
`

// record fills in the files that the generator itself writes. None holds a clock or a version: the same answers give the same bytes.
func (r *renderer) record(p Plan, files []File) error {
	lock := -1
	for i, e := range p {
		if e.Action != Record {
			continue
		}
		var data []byte
		var err error
		switch e.Path {
		case LockFile:
			lock = i
			continue
		case SchemaFile:
			data, err = r.spec.Schema()
		default:
			data, err = r.spec.answersYAML()
		}
		if err != nil {
			return err
		}
		files[i] = newFile(e, data)
	}
	data, err := r.spec.lockJSON(files)
	if err != nil {
		return err
	}
	files[lock] = newFile(p[lock], data)
	return nil
}

// answersYAML records every answer in the order of the questions, with the comments of the file that it was given in; it is itself an
// answers file.
func (s *Spec) answersYAML() ([]byte, error) {
	var doc yaml.Node
	doc.Kind = yaml.MappingNode
	for _, r := range s.Resolved {
		key := new(yaml.Node)
		key.SetString(r.Question.Key)
		value := new(yaml.Node)
		if r.Question.List {
			value.Kind = yaml.SequenceNode
			for _, item := range SplitList(r.Value) {
				n := new(yaml.Node)
				n.SetString(item)
				value.Content = append(value.Content, n)
			}
		} else {
			value.SetString(r.Value)
		}
		r.comments.copyTo(key, value)
		doc.Content = append(doc.Content, key, value)
	}
	var b bytes.Buffer
	b.WriteString(answersHead)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}

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
		records = append(records, lockedFile{f.Path, fmt.Sprintf("%04o", f.Mode.Perm()), s.catalog.digestOf(f)})
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

// digestOf returns the digest of a file, from memory if it is the same in every project.
func (c *Catalog) digestOf(f File) string {
	if _, copied := c.copies.Load(f.Source); !copied {
		return digest(f.Data)
	}
	sum, _ := remember(&c.digests, f.Source, func() (string, error) { return digest(f.Data), nil }) // cannot fail
	return sum
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
