package clerkemu

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Message is a mail that the instance sent.
type Message struct {
	To      string    `json:"to"`
	Subject string    `json:"subject"`
	Code    string    `json:"code"`
	SentAt  time.Time `json:"sentAt"`
}

// mailbox keeps the latest messages, oldest first.
type mailbox struct {
	size int
	page *template.Template

	mu       sync.Mutex
	messages []Message
}

func newMailbox(size int) (*mailbox, error) {
	page, err := template.ParseFS(mailboxFiles, "mailbox.html")
	if err != nil {
		return nil, fmt.Errorf("mailbox page: %w", err)
	}
	return &mailbox{size: size, page: page}, nil
}

func (m *mailbox) add(message Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.messages) == m.size {
		m.messages = slices.Delete(m.messages, 0, 1)
	}
	m.messages = append(m.messages, message)
}

// Mail returns the messages to an address, or all of them when it is empty,
// newest first. Test addresses get no mail.
func (s *Server) Mail(to string) []Message {
	s.mail.mu.Lock()
	defer s.mail.mu.Unlock()
	found := []Message{}
	for _, message := range slices.Backward(s.mail.messages) {
		if to == "" || strings.EqualFold(message.To, to) {
			found = append(found, message)
		}
	}
	return found
}

//go:embed mailbox.html mailbox.css
var mailboxFiles embed.FS

// mailboxPolicy lets the page have its own style sheet and form, nothing else.
const mailboxPolicy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// serveMailboxPage is GET /mailbox, the page for a person. ?to= filters.
func (s *Server) serveMailboxPage(w http.ResponseWriter, r *http.Request) {
	to := strings.TrimSpace(r.URL.Query().Get("to"))
	var page bytes.Buffer
	err := s.mail.page.Execute(&page, struct {
		To       string
		Messages []Message
	}{to, s.Mail(to)})
	if err != nil {
		s.opts.Logger.ErrorContext(r.Context(), "embedded Clerk: mailbox page", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	setPageHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes()) // an error means that the client is gone
}

// serveMailboxJSON is GET /mailbox.json, the same for a test.
func (s *Server) serveMailboxJSON(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.Mail(strings.TrimSpace(r.URL.Query().Get("to"))))
}

func serveMailboxStyle(w http.ResponseWriter, r *http.Request) {
	setPageHeaders(w.Header())
	http.ServeFileFS(w, r, mailboxFiles, "mailbox.css")
}

func setPageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", mailboxPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// writeJSON answers requests that are not part of the Backend API.
func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	setPageHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client is gone
}
