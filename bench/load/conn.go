// Package load sends requests from many connections that stay open, and notes how long the answers take. It shares the machine with what it
// measures, so it does no more than it has to: the bytes of a request are made beforehand, of an answer only the length is understood, and nothing is allocated per request.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"strconv"
	"time"
)

// requestTimeout bounds one request with its answer.
const requestTimeout = time.Minute

// conn is a connection that stays open.
type conn struct {
	net.Conn
	r    *bufio.Reader
	body []byte // of the last answer
}

func dial(addr string) (*conn, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 16<<10)}, nil
}

// do sends a request and returns the body of its answer, which is good until the next.
func (c *conn) do(request []byte) ([]byte, error) {
	if err := c.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return nil, err
	}
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	return c.answer()
}

func (c *conn) answer() ([]byte, error) {
	status, err := c.r.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200 "))
	if !ok {
		status = bytes.Clone(bytes.TrimSpace(status))
	}
	length, chunked := -1, false
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if len(name) == 0 {
			break
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return nil, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	if err := c.read(length, chunked); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: %s", status, c.body)
	}
	return c.body, nil
}

// read reads the body of an answer.
func (c *conn) read(length int, chunked bool) (err error) {
	switch {
	case chunked:
		if c.body, err = io.ReadAll(httputil.NewChunkedReader(c.r)); err == nil {
			_, err = c.r.Discard(len("\r\n")) // after the last chunk
		}
	case length < 0:
		err = errors.New("an answer of unknown length")
	default:
		if cap(c.body) < length {
			c.body = make([]byte, length)
		}
		c.body = c.body[:length]
		_, err = io.ReadFull(c.r, c.body)
	}
	return err
}
