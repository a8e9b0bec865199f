package generator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

const answersHead = `# What this project was made from. rotasmith new --answers rotasmith.yaml makes it again.
# keep lists the files that are yours to change: a change there is reported, never taken for a fault.
`

// record fills in the two files that the generator itself writes. Neither holds a clock or a version: the same answers give the same bytes.
func (r *renderer) record(p Plan, files []File) error {
	lock := -1
	for i, e := range p {
		switch {
		case e.Action != Record:
		case e.Path == LockFile:
			lock = i
		default:
			data, err := r.spec.answersYAML()
			if err != nil {
				return err
			}
			files[i] = newFile(e, data)
		}
	}
	data, err := r.spec.lockJSON(files)
	if err != nil {
		return err
	}
	files[lock] = newFile(p[lock], data)
	return nil
}

// answersYAML records every answer in the order of the questions; it is itself an answers file.
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

type lockedFile struct {
	Path   string `json:"path"`
	Mode   string `json:"mode"`
	SHA256 string `json:"sha256"`
}

// lockJSON records a digest of the answers and the digest of every other file, one file a line.
func (s *Spec) lockJSON(files []File) ([]byte, error) {
	answers := make(map[string]string, len(s.Resolved))
	for _, r := range s.Resolved {
		answers[r.Question.Key] = r.Value
	}
	canonical, err := json.Marshal(answers)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"answers\": %q,\n  \"files\": [", digest(canonical))
	separator := "\n    "
	for _, f := range files {
		if f.Path == LockFile || f.Path == "" {
			continue
		}
		line, err := json.Marshal(lockedFile{f.Path, fmt.Sprintf("%04o", f.Mode.Perm()), digest(f.Data)})
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
