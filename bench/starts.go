package main

import (
	"context"
	"os"

	"clerkql/bench/stub"
)

// measureStarts measures how large the program is, and how long the servers take from their start to their first answer, by turns.
func (b *bench) measureStarts(ctx context.Context, f *figures) error {
	info, err := os.Stat(b.server)
	if err != nil {
		return err
	}
	f.binary = int(info.Size())
	clerk, err := b.startStub()
	if err != nil {
		return err
	}
	defer clerk.Stop()
	f.firstReplies = map[string]samples{}
	for range b.starts {
		for _, name := range b.servers() {
			s, err := b.start(name, clerk.url, stub.SecretKey)
			if err != nil {
				return err
			}
			f.firstReplies[name] = append(f.firstReplies[name], milliseconds(s.firstReply))
			s.Stop()
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil
}
