package grants

import "strings"

// outside walks through text and calls at for every byte that is neither quoted
// nor in parentheses, until that returns false. A quotation mark inside of a
// quotation is doubled, which looks like the beginning of another one.
func outside(text string, at func(i int) bool) {
	var quote byte
	depth := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
			continue
		case c == ')':
			depth--
		}
		if depth == 0 && !at(i) {
			return
		}
		switch c {
		case '`', '\'', '"':
			quote = c
		case '(':
			depth++
		}
	}
}

// cut is [strings.Cut] for a separator that is neither quoted nor in
// parentheses, of which it may be the beginning.
func cut(text, separator string) (before, after string, found bool) {
	outside(text, func(i int) bool {
		found = strings.HasPrefix(text[i:], separator)
		if found {
			before, after = text[:i], text[i+len(separator):]
		}
		return !found
	})
	if !found {
		before = text
	}
	return before, after, found
}

func contains(text, part string) bool {
	_, _, found := cut(text, part)
	return found
}

// list splits at commas that are neither quoted nor in parentheses.
func list(text string) []string {
	var items []string
	for more := true; more; {
		var item string
		item, text, more = cut(text, ",")
		items = append(items, strings.TrimSpace(item))
	}
	return items
}
