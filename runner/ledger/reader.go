package ledger

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/glovebox-run/glovebox/runner/atomicfile"
)

// DamageError says that a ledger is not what this program wrote.
type DamageError struct {
	File string
	Line int // from 1
	What string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s is damaged in line %d: %s", e.File, e.Line, e.What)
}

// Reader reads a ledger from a stream, one event at a time.
type Reader struct {
	r      *bufio.Reader
	name   string
	line   int
	seq    int64
	offset int64
	torn   int64
}

// NewReader returns a Reader of r; name stands in its errors.
func NewReader(r io.Reader, name string) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, MaxLine), name: name}
}

// Next returns the next event, io.EOF after the last whole line, and a
// *DamageError where the file is damaged. A line without its end is no event.
func (r *Reader) Next() (Event, error) {
	line, err := r.r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF):
		r.torn = int64(len(line))
		return Event{}, io.EOF
	case errors.Is(err, bufio.ErrBufferFull):
		r.line++
		return Event{}, r.damage(fmt.Sprintf("longer than %d bytes", MaxLine))
	case err != nil:
		return Event{}, fmt.Errorf("read ledger: %w", err)
	}
	r.line++
	e, err := decode(line)
	if err != nil {
		return Event{}, r.damage(err.Error())
	}
	if e.Seq != r.seq+1 {
		return Event{}, r.damage(fmt.Sprintf("event %d follows event %d", e.Seq, r.seq))
	}
	r.seq = e.Seq
	r.offset += int64(len(line))
	return e, nil
}

// Offset is where the last whole line ends, in bytes.
func (r *Reader) Offset() int64 { return r.offset }

// Torn is the length in bytes of a last line without its end, 0 if there is
// none. It is known once Next has returned io.EOF.
func (r *Reader) Torn() int64 { return r.torn }

func (r *Reader) damage(what string) error {
	return &DamageError{File: r.name, Line: r.line, What: what}
}

func decode(line []byte) (Event, error) {
	if !utf8.Valid(line) { // which the decoder would mend in silence
		return Event{}, errors.New("not UTF-8")
	}
	var version struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal(line, &version); err != nil {
		return Event{}, fmt.Errorf("no JSON object: %w", err)
	}
	if version.V != Version {
		return Event{}, fmt.Errorf("format %d, and this glovebox reads format %d", version.V, Version)
	}
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return Event{}, err
	}
	return e, check(e)
}

// check refuses what would make the sums lie.
func check(e Event) error {
	switch {
	case e.Kind == "":
		return errors.New("no kind")
	case e.Kind == Request && e.Money == nil:
		return errors.New("a request without a reserve")
	case e.Kind == Settled && (e.Money == nil || e.Money.Settles <= 0):
		return errors.New("a settlement of nothing")
	case e.Money != nil && !(sane(e.Money.Reserved) && sane(e.Money.Spent) && sane(e.Money.Reported.Decimal) && sane(e.Money.Computed.Decimal)):
		return errors.New("an amount of money that is negative or beyond reason")
	}
	return nil
}

// sane bounds an amount. The exponent is what matters: adding 1e9000 to
// anything makes a number of 9000 digits.
func sane(d decimal.Decimal) bool {
	return !d.IsNegative() && d.Exponent() >= -64 && d.Exponent() <= 12 && d.NumDigits() <= 80
}

// Read returns all events of the ledger name below root. It may be called
// while another process writes: a line that is not whole yet is left out.
func Read(root *os.Root, name string) ([]Event, error) {
	f, err := atomicfile.Open(root, name, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	defer f.Close()
	var events []Event
	for r := NewReader(f, name); ; {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
}

// Sum adds a ledger up while another process writes it. The zero value has read
// nothing yet.
type Sum struct {
	totals       Totals
	line         int
	offset, size int64
}

// Update reads what has come since and returns the totals of all. A ledger that
// is not there yet adds up to nothing.
func (s *Sum) Update(root *os.Root, name string) (Totals, error) {
	f, err := atomicfile.Open(root, name, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return s.totals, nil
	}
	if err != nil {
		return s.totals, fmt.Errorf("open ledger: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s.totals, fmt.Errorf("read ledger: %w", err)
	}
	if info.Size() == s.size {
		return s.totals, nil
	}
	if _, err := f.Seek(s.offset, io.SeekStart); err != nil {
		return s.totals, fmt.Errorf("read ledger: %w", err)
	}
	r := NewReader(f, name)
	r.line, r.seq, r.offset = s.line, s.totals.Seq, s.offset
	for {
		e, err := r.Next()
		if errors.Is(err, io.EOF) {
			s.line, s.offset, s.size = r.line, r.offset, r.offset+r.torn
			return s.totals, nil
		}
		if err != nil {
			return s.totals, err
		}
		s.totals.Add(e)
	}
}
