package generator

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// newAnswer is the comment behind the answer to a question that was not there before.
const newAnswer = "new: default"

// Amend returns the text of an answers file with the answers of s to the questions changed in their places, and with those to the questions added
// behind the one that they follow. Nothing else is touched, comments and style stay. A file that is no list of lines is written anew.
func (s *Spec) Amend(text []byte, changed, added func(key string) bool) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	lines := linesOf(&doc, text)
	if lines == nil {
		if !slices.ContainsFunc(s.Resolved, func(r Resolved) bool { return changed(r.Question.Key) || added(r.Question.Key) }) {
			return text, nil
		}
		return s.answersYAML()
	}
	for _, r := range s.Resolved {
		at, given := lines.find(r.Question.Key)
		isChanged, isAdded := changed(r.Question.Key), added(r.Question.Key)
		switch {
		case given && isChanged:
			entry, err := r.entry(lines.entries[at].comment)
			if err != nil {
				return nil, err
			}
			lines.entries[at].text = entry
		case !given && (isChanged || isAdded):
			comment := ""
			if !isChanged {
				comment = newAnswer
			}
			entry, err := r.entry(comment)
			if err != nil {
				return nil, err
			}
			lines.insert(r.Question.Key, entry)
		case !given:
			continue
		}
		lines.last = r.Question.Key
	}
	return lines.join(), nil
}

// entry writes an answer as it stands in the file, with a comment behind it.
func (r *Resolved) entry(comment string) (string, error) {
	key, value := r.nodes()
	value.LineComment = comment
	if r.Question.List && len(value.Content) > 0 {
		key.LineComment, value.LineComment = comment, ""
	}
	return encodeYAML(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}})
}

// answerLines is an answers file of one answer after the other, and what stands between them.
type answerLines struct {
	entries []answerLine
	last    string // the key of the answer that was looked at last
	end     string // of a line
}

// answerLine is one answer with its lines, or what stands before, between or behind answers, which has no key.
type answerLine struct {
	key, text, comment string
}

// linesOf takes a file apart; it returns nil if the answers do not stand one below the other.
func linesOf(doc *yaml.Node, text []byte) *answerLines {
	l := &answerLines{end: "\n"}
	if bytes.Contains(text, []byte("\r\n")) {
		l.end = "\r\n"
	}
	if len(doc.Content) == 0 {
		l.entries = append(l.entries, answerLine{text: string(text)})
		return l
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode || top.Style&yaml.FlowStyle != 0 {
		return nil
	}
	all := slices.Collect(strings.Lines(string(text)))
	from := 0
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		next := len(all)
		if i+2 < len(top.Content) {
			next = top.Content[i+2].Line - 1
		}
		begin, end := key.Line-1, next
		if begin < from || end > len(all) || end <= begin {
			return nil
		}
		for end > begin+1 && isCommentOrBlank(all[end-1]) {
			end--
		}
		comment := strings.TrimSpace(strings.TrimPrefix(commentBehind(key, value), "#"))
		l.entries = append(l.entries, answerLine{text: strings.Join(all[from:begin], "")},
			answerLine{key: key.Value, text: strings.Join(all[begin:end], ""), comment: comment})
		from = end
	}
	l.entries = append(l.entries, answerLine{text: strings.Join(all[from:], "")})
	return l
}

// commentBehind returns the comment behind an answer.
func commentBehind(key, value *yaml.Node) string {
	if key.LineComment != "" {
		return key.LineComment
	}
	return value.LineComment
}

func isCommentOrBlank(line string) bool {
	line = strings.TrimSpace(line)
	return line == "" || strings.HasPrefix(line, "#")
}

func (l *answerLines) find(key string) (at int, found bool) {
	at = slices.IndexFunc(l.entries, func(e answerLine) bool { return e.key == key && key != "" })
	return at, at >= 0
}

// insert puts an answer behind the one that was looked at last, or first.
func (l *answerLines) insert(key, text string) {
	at, found := l.find(l.last)
	if !found { // behind what stands before the first answer
		at = 0
	}
	if before := &l.entries[at]; before.text != "" && !strings.HasSuffix(before.text, "\n") {
		before.text += l.end
	}
	l.entries = slices.Insert(l.entries, at+1, answerLine{key: key, text: text})
}

func (l *answerLines) join() []byte {
	var b strings.Builder
	for _, e := range l.entries {
		text := e.text
		if l.end == "\r\n" && !strings.Contains(text, l.end) {
			text = strings.ReplaceAll(text, "\n", l.end)
		}
		b.WriteString(text)
	}
	return []byte(b.String())
}
