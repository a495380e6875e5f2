package clerkemu

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Bounds of what one user may accumulate. When a bound on history is reached
// the oldest entry is forgotten.
const (
	maxEmailAddressesPerUser   = 100
	maxVerificationsPerAddress = 100
	maxSessionsPerUser         = 1000
	maxSignInTokensPerUser     = 1000
)

// store holds every record. All of its methods expect mu to be held; nobody
// may hold it while hashing a password or writing to the network. Every
// look-up goes through a map, so that a million users cost no more than one.
type store struct {
	mu sync.Mutex

	maxUsers     int
	users        map[string]*user
	byAge        []*user // by createdAt, then id
	byExternalID map[string]*user
	emails       map[string]*emailAddress
	byAddress    map[string][]*emailAddress // every state
	claims       map[string]*emailAddress   // verified or reserved: at most one
	sessions     map[string]*session
	clients      map[string]*client
	signInTokens map[string]*signInToken
}

func newStore(maxUsers int) *store {
	return &store{
		maxUsers:     maxUsers,
		users:        map[string]*user{},
		byExternalID: map[string]*user{},
		emails:       map[string]*emailAddress{},
		byAddress:    map[string][]*emailAddress{},
		claims:       map[string]*emailAddress{},
		sessions:     map[string]*session{},
		clients:      map[string]*client{},
		signInTokens: map[string]*signInToken{},
	}
}

func compareAge(a, b *user) int {
	return cmp.Or(a.createdAt.Compare(b.createdAt), cmp.Compare(a.id, b.id))
}

// addUser puts in a user and its addresses, or nothing at all: it fails when
// an address or the external id is taken, or the instance is full.
func (st *store) addUser(u *user) error {
	if len(st.users) >= st.maxUsers {
		return errUserQuota(st.maxUsers)
	}
	if err := st.externalIDFree(u.externalID, u); err != nil {
		return err
	}
	for _, e := range u.emails {
		if err := st.addressFree(e); err != nil {
			return err
		}
	}
	st.users[u.id] = u
	i, _ := slices.BinarySearchFunc(st.byAge, u, compareAge)
	st.byAge = slices.Insert(st.byAge, i, u)
	if u.externalID != nil {
		st.byExternalID[*u.externalID] = u
	}
	for _, e := range u.emails {
		st.indexEmail(e)
	}
	return nil
}

// removeUser takes out a user with all that belongs to it. Its addresses are
// free again.
func (st *store) removeUser(u *user) {
	for _, e := range u.emails {
		st.unindexEmail(e)
	}
	for _, sess := range u.sessions {
		st.forgetSession(sess)
	}
	for _, token := range u.signInTokens {
		delete(st.signInTokens, token.id)
	}
	if u.externalID != nil {
		delete(st.byExternalID, *u.externalID)
	}
	if i, found := slices.BinarySearchFunc(st.byAge, u, compareAge); found {
		st.byAge = slices.Delete(st.byAge, i, i+1)
	}
	delete(st.users, u.id)
}

// setCreatedAt moves the user to its place in the order of age.
func (st *store) setCreatedAt(u *user, at time.Time) {
	if i, found := slices.BinarySearchFunc(st.byAge, u, compareAge); found {
		st.byAge = slices.Delete(st.byAge, i, i+1)
	}
	u.createdAt = at
	i, _ := slices.BinarySearchFunc(st.byAge, u, compareAge)
	st.byAge = slices.Insert(st.byAge, i, u)
}

// setExternalID gives the user another external id, or none.
func (st *store) setExternalID(u *user, id *string) error {
	if err := st.externalIDFree(id, u); err != nil {
		return err
	}
	if u.externalID != nil {
		delete(st.byExternalID, *u.externalID)
	}
	if id != nil {
		st.byExternalID[*id] = u
	}
	u.externalID = id
	return nil
}

func (st *store) externalIDFree(id *string, u *user) error {
	if id == nil {
		return nil
	}
	if holder := st.byExternalID[*id]; holder != nil && holder != u {
		return errIdentifierExists("external_id")
	}
	return nil
}

// addressFree fails when someone else claims the address of e.
func (st *store) addressFree(e *emailAddress) error {
	if holder := st.claims[e.address]; holder != nil && holder != e {
		return errIdentifierExists("email_address")
	}
	return nil
}

// indexEmail makes the address of a stored user findable.
func (st *store) indexEmail(e *emailAddress) {
	st.emails[e.id] = e
	st.byAddress[e.address] = append(st.byAddress[e.address], e)
	if e.claims() {
		st.claims[e.address] = e
	}
}

func (st *store) unindexEmail(e *emailAddress) {
	delete(st.emails, e.id)
	if st.claims[e.address] == e {
		delete(st.claims, e.address)
	}
	rest := slices.DeleteFunc(st.byAddress[e.address], func(other *emailAddress) bool { return other == e })
	if len(rest) == 0 {
		delete(st.byAddress, e.address)
	} else {
		st.byAddress[e.address] = rest
	}
}

// markVerified makes a free address verified, and its owner's alone.
func (st *store) markVerified(e *emailAddress, how *addressVerification) {
	e.verification = how
	e.reserved = false
	st.claims[e.address] = e
}

// addSession stores a session and forgets the user's oldest beyond the bound.
func (st *store) addSession(sess *session) {
	u := sess.owner
	st.sessions[sess.id] = sess
	st.clients[sess.client.id] = sess.client
	sess.client.sessions = append(sess.client.sessions, sess)
	u.sessions = append(u.sessions, sess)
	if len(u.sessions) > maxSessionsPerUser {
		st.forgetSession(u.sessions[0])
		u.sessions = slices.Delete(u.sessions, 0, 1)
	}
}

func (st *store) forgetSession(sess *session) {
	delete(st.sessions, sess.id)
	c := sess.client
	c.sessions = slices.DeleteFunc(c.sessions, func(other *session) bool { return other == sess })
	if len(c.sessions) == 0 {
		delete(st.clients, c.id)
	}
}

// addSignInToken stores a token and forgets the user's oldest beyond the bound.
func (st *store) addSignInToken(token *signInToken) {
	u := token.owner
	st.signInTokens[token.id] = token
	u.signInTokens = append(u.signInTokens, token)
	if len(u.signInTokens) > maxSignInTokensPerUser {
		delete(st.signInTokens, u.signInTokens[0].id)
		u.signInTokens = slices.Delete(u.signInTokens, 0, 1)
	}
}

// The look-ups by id answer resource_not_found.

func (st *store) user(id string) (*user, error) {
	if u := st.users[id]; u != nil {
		return u, nil
	}
	return nil, errNotFound("No user was found with id " + clip(id))
}

func (st *store) email(id string) (*emailAddress, error) {
	if e := st.emails[id]; e != nil {
		return e, nil
	}
	return nil, errNotFound("No email address was found with id " + clip(id))
}

func (st *store) session(id string) (*session, error) {
	if sess := st.sessions[id]; sess != nil {
		return sess, nil
	}
	return nil, errSessionNotFound()
}

func (st *store) signInToken(id string) (*signInToken, error) {
	if token := st.signInTokens[id]; token != nil {
		return token, nil
	}
	return nil, errNotFound("No sign-in token was found with id " + clip(id))
}

// clip keeps what a client sent from making an answer long.
func clip(s string) string {
	const longest = 64
	if len(s) > longest {
		return s[:longest]
	}
	return s
}
