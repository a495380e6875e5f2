package ratelimit

// What tests need to see, and users do not.

// Len returns how many keys are kept.
func (m *Memory) Len() int { return len(m.buckets) }
