package generator

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

const answersHead = `# yaml-language-server: $schema=` + SchemaFile + `
# The answers that this project was made from. rotasmith new --answers rotasmith.yaml makes it again.
# keep lists the files that are yours to change: a change there is reported, never taken for a fault.
`

// record fills in the files that the generator itself writes. None holds a clock, and LockFile alone the version:
// the same answers give the same bytes.
func (p *project) record(files []File) error {
	lock := -1
	for i, e := range p.plan {
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
			data, err = p.spec.Schema()
		default:
			data, err = p.spec.answersYAML()
		}
		if err != nil {
			return err
		}
		files[i] = newFile(e, data)
	}
	data, err := p.spec.lockJSON(p.Version, files)
	if err != nil {
		return err
	}
	files[lock] = newFile(p.plan[lock], data)
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
