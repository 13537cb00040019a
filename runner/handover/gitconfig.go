package handover

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// setting is one line of a git config: key in section, and in subsection if it
// has one. Sections and keys are of lower case, as git compares them.
type setting struct {
	section, sub, key string
	value             string
	bare              bool // no "=": true, for git
}

// name is the setting as `git config --list` writes it.
func (s setting) name() string {
	if s.sub == "" {
		return s.section + "." + s.key
	}
	return s.section + "." + s.sub + "." + s.key
}

var errConfig = errors.New("it is no git config")

// parseConfig reads a git config as git does (config.c: git_parse_source).
// Where the two might differ does not matter for safety: what is not exactly of
// the plain form of plainConfig is replaced by what was understood.
func parseConfig(text string) ([]setting, error) {
	p := &configParser{text: strings.TrimPrefix(text, "\ufeff")}
	var settings []setting
	for {
		switch c := p.next(); {
		case c == end:
			return settings, nil
		case c == '\n' || c == ' ' || c == '\t':
		case c == '#' || c == ';':
			p.skipLine()
		case c == '[':
			if err := p.header(); err != nil {
				return nil, err
			}
		case isAlpha(c) && p.section != "":
			s, err := p.setting(c)
			if err != nil {
				return nil, err
			}
			settings = append(settings, s)
		default:
			return nil, errConfig
		}
	}
}

const end = rune(-1)

type configParser struct {
	text         string
	section, sub string
}

// next takes a character; a line may end in CRLF. Bytes above ASCII come one by one.
func (p *configParser) next() rune {
	if p.text == "" {
		return end
	}
	if strings.HasPrefix(p.text, "\r\n") {
		p.text = p.text[1:]
	}
	c := p.text[0]
	p.text = p.text[1:]
	return rune(c)
}

func (p *configParser) skipLine() {
	for c := p.next(); c != '\n' && c != end; c = p.next() {
	}
}

// header reads what follows a "[".
func (p *configParser) header() error {
	var name strings.Builder
	c := p.next()
	for ; isAlpha(c) || isDigit(c) || c == '-' || c == '.'; c = p.next() {
		name.WriteByte(lower(c))
	}
	p.section, p.sub = name.String(), ""
	if p.section == "" {
		return errConfig
	}
	if c == ']' {
		// The old form [section.sub].
		if section, sub, ok := strings.Cut(p.section, "."); ok {
			p.section, p.sub = section, sub
		}
		return nil
	}
	for c == ' ' || c == '\t' {
		c = p.next()
	}
	if c != '"' {
		return errConfig
	}
	var sub strings.Builder
	for {
		switch c = p.next(); c {
		case end, '\n', 0:
			return errConfig
		case '"':
			p.sub = sub.String()
			if p.next() != ']' {
				return errConfig
			}
			return nil
		case '\\':
			if c = p.next(); c == end || c == '\n' || c == 0 {
				return errConfig
			}
		}
		sub.WriteByte(byte(c))
	}
}

// setting reads a key that begins with c, and its value.
func (p *configParser) setting(c rune) (setting, error) {
	s := setting{section: p.section, sub: p.sub}
	var key strings.Builder
	for ; isAlpha(c) || isDigit(c) || c == '-'; c = p.next() {
		key.WriteByte(lower(c))
	}
	s.key = key.String()
	for c == ' ' || c == '\t' {
		c = p.next()
	}
	if c == '\n' || c == end {
		s.bare, s.value = true, "true"
		return s, nil
	}
	if c != '=' {
		return s, errConfig
	}
	var err error
	s.value, err = p.value()
	return s, err
}

func (p *configParser) value() (string, error) {
	var b strings.Builder
	quoted, length := false, 0 // length without blanks at the end
	for {
		c := p.next()
		switch {
		case c == 0 || c == end && quoted || c == '\n' && quoted:
			return "", errConfig
		case c == end || c == '\n':
			return b.String()[:length], nil
		case !quoted && (c == '#' || c == ';'):
			p.skipLine()
			return b.String()[:length], nil
		case !quoted && (c == ' ' || c == '\t'):
			if b.Len() > 0 {
				b.WriteByte(byte(c))
			}
			continue
		case c == '"':
			quoted = !quoted
		case c == '\\':
			c = p.next()
			if c == '\n' {
				continue
			}
			plain, ok := map[rune]byte{'t': '\t', 'b': '\b', 'n': '\n', '\\': '\\', '"': '"'}[c]
			if !ok {
				return "", errConfig
			}
			b.WriteByte(plain)
		default:
			b.WriteByte(byte(c))
		}
		length = b.Len()
	}
}

func isAlpha(c rune) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c rune) bool { return c >= '0' && c <= '9' }

func lower(c rune) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return byte(c)
}

// formatConfig writes settings so that git reads exactly them.
func formatConfig(settings []setting) string {
	var b strings.Builder
	section := ""
	for _, s := range settings {
		header := "[" + s.section + "]"
		if s.sub != "" {
			header = fmt.Sprintf(`[%s "%s"]`, s.section, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s.sub))
		}
		if header != section {
			section = header
			b.WriteString(header + "\n")
		}
		value := s.value
		if !plainValue.MatchString(value) {
			value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\b", `\b`).Replace(value) + `"`
		}
		b.WriteString("\t" + s.key + " = " + value + "\n")
	}
	return b.String()
}

var (
	plainValue  = regexp.MustCompile(`^[A-Za-z0-9_./:@%+*,~=-]*$`)
	plainHeader = regexp.MustCompile(`^\[[A-Za-z0-9-]+(?: "[^"\\\x00-\x1f]*")?\]$`)
	plainLine   = regexp.MustCompile(`^\s*[A-Za-z][A-Za-z0-9-]*\s*=\s*[^"\\#;\x00-\x08\x0a-\x1f]*$`)
	plainRemark = regexp.MustCompile(`^\s*(?:[#;].*)?$`)
)

// plainConfig says that every line of a config is of a form that nobody can
// read in two ways.
func plainConfig(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if !plainHeader.MatchString(line) && !plainLine.MatchString(line) && !plainRemark.MatchString(line) {
			return false
		}
	}
	return true
}
