package wire

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
)

// KeySize is the length of a key for [Seal] in bytes.
const KeySize = 32

// maxSealed is how many bytes of the stream one record holds.
const maxSealed = 16 << 10

// Seal puts a stream into records that nobody without the key can read, make,
// change, repeat, leave out or reorder: the first record that is not the other
// side's next one is an error that wraps [ErrProtocol]. host tells the two
// sides apart; each key is for one stream.
//
// On Linux nothing in a box reaches the agent's descriptors and the stream
// needs none of this. Kernels of a runtime's own may let every process of the
// same user open them (gVisor does).
func Seal(conn io.ReadWriteCloser, key []byte, host bool) (io.ReadWriteCloser, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("%w: a key of %d bytes", ErrProtocol, len(key))
	}
	toAgent, err := newRecords(key, "to the agent")
	if err != nil {
		return nil, err
	}
	toHost, err := newRecords(key, "to the host")
	if err != nil {
		return nil, err
	}
	s := &sealed{conn: conn, from: bufio.NewReaderSize(conn, maxSealed), in: toHost, out: toAgent}
	if !host {
		s.in, s.out = toAgent, toHost
	}
	return s, nil
}

type sealed struct {
	conn io.ReadWriteCloser
	from *bufio.Reader
	in   *records
	rest []byte // of the last record, not read yet
	bad  error

	writing sync.Mutex
	out     *records
}

// Read returns bytes of one record.
func (s *sealed) Read(p []byte) (int, error) {
	for len(s.rest) == 0 && s.bad == nil {
		s.rest, s.bad = s.in.open(s.from)
	}
	if len(s.rest) == 0 {
		return 0, s.bad
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *sealed) Write(p []byte) (n int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	for len(p) > 0 {
		part := p[:min(len(p), maxSealed)]
		if _, err := s.conn.Write(s.out.seal(part)); err != nil {
			return n, err
		}
		n, p = n+len(part), p[len(part):]
	}
	return n, nil
}

func (s *sealed) Close() error { return s.conn.Close() }

// records are those of one direction. A record is its length in two bytes and
// that many of AES-GCM, whose nonce is the number of the record: it is not sent.
type records struct {
	aead   cipher.AEAD
	number uint64
	buffer []byte
}

const recordHead = 2

func newRecords(key []byte, direction string) (*records, error) {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(direction))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &records{aead: aead, buffer: make([]byte, recordHead+maxSealed+aead.Overhead())}, nil
}

// nonce is the next one. 2^64 records never happen.
func (r *records) nonce() []byte {
	n := make([]byte, r.aead.NonceSize())
	binary.BigEndian.PutUint64(n[len(n)-8:], r.number)
	r.number++
	return n
}

// seal makes a record, which is valid until the next.
func (r *records) seal(plain []byte) []byte {
	body := r.aead.Seal(r.buffer[recordHead:recordHead], r.nonce(), plain, nil)
	binary.BigEndian.PutUint16(r.buffer, uint16(len(body)))
	return r.buffer[:recordHead+len(body)]
}

// open reads a record, which is valid until the next.
func (r *records) open(from io.Reader) ([]byte, error) {
	if _, err := io.ReadFull(from, r.buffer[:recordHead]); err != nil {
		return nil, err // io.EOF between two records is the end
	}
	n := int(binary.BigEndian.Uint16(r.buffer))
	if n <= r.aead.Overhead() || n > len(r.buffer)-recordHead {
		return nil, fmt.Errorf("%w: a record of %d bytes", ErrProtocol, n)
	}
	body := r.buffer[recordHead : recordHead+n]
	if _, err := io.ReadFull(from, body); err != nil {
		if err == io.EOF { // right behind the head: that is no end either
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	plain, err := r.aead.Open(body[:0], r.nonce(), body, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: a record that the other side did not make", ErrProtocol)
	}
	return plain, nil
}
