package generator

import "sync"

// cache remembers what was made for a key. It is for what is the same in every project and small for all of them together. Two may make
// the same at once.
type cache[V any] struct {
	mu   sync.RWMutex
	made map[string]V
}

// get returns what was made for a key, or makes it; an error is not remembered.
func (c *cache[V]) get(key string, how func() (V, error)) (V, error) {
	if v, ok := c.known(key); ok {
		return v, nil
	}
	v, err := how()
	if err == nil {
		c.keep(key, v)
	}
	return v, err
}

// known returns what was made for a key, if it was.
func (c *cache[V]) known(key string) (V, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.made[key]
	return v, ok
}

func (c *cache[V]) keep(key string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = make(map[string]V)
	}
	c.made[key] = v
}
