package clerkemu

import (
	"slices"
	"strings"
)

// maxFilterValues is how many values Clerk takes for one list filter.
const maxFilterValues = 100

// getUser is GetUser, GET /users/{user_id}.
func (s *Server) getUser(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(r.id)
	if err != nil {
		return nil, err
	}
	return s.userBody(u), nil
}

// deleteUser is DeleteUser, DELETE /users/{user_id}. It frees the addresses
// of the user.
func (s *Server) deleteUser(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	u, err := s.store.user(r.id)
	if err != nil {
		return nil, err
	}
	s.store.removeUser(u)
	return deletedBody{Object: "user", ID: u.id, Deleted: true}, nil
}

// getUserList is GetUserList, GET /users: a plain array, newest first unless
// order_by says otherwise.
func (s *Server) getUserList(r *request) (any, error) {
	limit, offset, err := r.page()
	if err != nil {
		return nil, err
	}
	newestFirst := true
	switch strings.TrimSpace(r.query.Get("order_by")) { // "+" may arrive as a space
	case "", "-created_at":
	case "created_at", "+created_at":
		newestFirst = false
	default:
		return nil, paramError("order_by", "form_param_value_invalid", "is invalid",
			"The embedded Clerk orders users by created_at only.")
	}

	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	users, err := s.store.filterUsers(r)
	if err != nil {
		return nil, err
	}
	list := []userBody{}
	for i := offset; i < len(users) && i-offset < limit; i++ {
		at := i
		if newestFirst {
			at = len(users) - 1 - i
		}
		list = append(list, s.userBody(users[at]))
	}
	return list, nil
}

// getUsersCount is GetUsersCount, GET /users/count, which clerk-sdk-go calls
// after every GetUserList.
func (s *Server) getUsersCount(r *request) (any, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	users, err := s.store.filterUsers(r)
	if err != nil {
		return nil, err
	}
	return struct {
		Object     string `json:"object"`
		TotalCount int    `json:"total_count"`
	}{"total_count", len(users)}, nil
}

// filterUsers returns the users that the query asks for, oldest first. The
// result must not be changed.
func (st *store) filterUsers(r *request) ([]*user, error) {
	if err := r.queryOnly("email_address", "user_id", "limit", "offset", "order_by"); err != nil {
		return nil, err
	}
	addresses, byAddress := r.query["email_address"]
	ids, byID := r.query["user_id"]
	for param, values := range map[string][]string{"email_address": addresses, "user_id": ids} {
		if len(values) > maxFilterValues {
			return nil, paramError(param, "form_param_array_size_exceeded", "has too many items",
				"At most 100 values are accepted.")
		}
	}
	if !byAddress && !byID {
		return st.byAge, nil
	}
	found := map[*user]bool{}
	if byAddress {
		for _, address := range addresses {
			for _, e := range st.byAddress[strings.ToLower(strings.TrimSpace(address))] {
				found[e.owner] = !byID || slices.Contains(ids, e.owner.id)
			}
		}
	} else {
		for _, id := range ids {
			if u := st.users[id]; u != nil {
				found[u] = true
			}
		}
	}
	var users []*user
	for u, wanted := range found {
		if wanted {
			users = append(users, u)
		}
	}
	slices.SortFunc(users, compareAge)
	return users, nil
}
