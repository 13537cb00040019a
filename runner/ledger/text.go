package ledger

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// redacted is e with redact applied to all its texts.
func redacted(e Event, redact func(string) string) Event {
	if redact == nil {
		return e
	}
	return mapTexts(e, redact)
}

// mapTexts is a copy of e in which f was applied to every text, whatever field
// of whatever payload it stands in, so that a field added later can't be
// forgotten. Kind is a word of ours and left alone.
func mapTexts(e Event, f func(string) string) Event {
	kind := e.Kind
	e = mapValue(reflect.ValueOf(e), f).Interface().(Event)
	e.Kind = kind
	return e
}

// mapValue copies v, mapping its strings. What has no fields to set (times,
// decimals, numbers) is taken as it is.
func mapValue(v reflect.Value, f func(string) string) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(f(v.String())).Convert(v.Type())
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(mapValue(v.Elem(), f))
		return p
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		s := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			s.Index(i).Set(mapValue(v.Index(i), f))
		}
		return s
	case reflect.Struct:
		s := reflect.New(v.Type()).Elem()
		s.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				s.Field(i).Set(mapValue(v.Field(i), f))
			}
		}
		return s
	default:
		return v
	}
}

// cut is s bounded to about max bytes: its head and its tail, with a count of
// what lay between.
func cut(s string, max int) string {
	if len(s) <= max {
		return s
	}
	head, tail := s[:max/3], s[len(s)-max/3:]
	head = strings.ToValidUTF8(head, "")
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return fmt.Sprintf("%s\n[%d bytes left out]\n%s", head, len(s)-len(head)-len(tail), tail)
}
