package main

import "clerkql/internal/persisted"

// persistedDocuments is how many documents are kept that clients name by their hash, in memory and in Redis: 8 MB of them at most.
const persistedDocuments = 1000

// newDocuments returns what keeps documents that clients name by their hash.
func newDocuments(redis replicas) (persisted.Store, error) {
	memory, err := persisted.NewMemory(persistedDocuments)
	if err != nil || redis.conn == nil {
		return memory, err
	}
	return persisted.NewFallback(persisted.NewRedis(redis.conn, persistedDocuments), memory, redis.outage), nil
}
