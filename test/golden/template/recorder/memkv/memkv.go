// Package memkv is the store that confd's templates read, under confd's name for it, since Go prints the names of types.
package memkv

import (
	"errors"
	"path"
	"sort"
	"strings"
)

type KVPair struct {
	Key   string
	Value string
}

type KVPairs []KVPair

// Store holds keys with their leading slash.
type Store map[string]string

func (s Store) missing(key string) error {
	return errors.New("key does not exist: " + key)
}

func (s Store) Exists(key string) bool {
	_, there := s[key]
	return there
}

func (s Store) Get(key string) (KVPair, error) {
	if !s.Exists(key) {
		return KVPair{}, s.missing(key)
	}
	return KVPair{key, s[key]}, nil
}

func (s Store) GetValue(key string, usual ...string) (string, error) {
	if s.Exists(key) {
		return s[key], nil
	}
	if len(usual) > 0 {
		return usual[0], nil
	}
	return "", s.missing(key)
}

func (s Store) GetAll(pattern string) (KVPairs, error) {
	pairs := KVPairs{}
	for key, value := range s {
		matches, err := path.Match(pattern, key)
		if err != nil {
			return nil, err
		}
		if matches {
			pairs = append(pairs, KVPair{key, value})
		}
	}
	sort.Slice(pairs, func(i, j int) bool { return pairs[i].Key < pairs[j].Key })
	return pairs, nil
}

func (s Store) GetAllValues(pattern string) ([]string, error) {
	values := []string{}
	pairs, err := s.GetAll(pattern)
	for _, pair := range pairs {
		values = append(values, pair.Value)
	}
	sort.Strings(values)
	return values, err
}

func terms(name string) []string {
	return strings.Split(path.Clean(name), "/")
}

func isUnder(folder, name []string) bool {
	return len(name) >= len(folder) && strings.Join(name[:len(folder)], "/") == strings.Join(folder, "/")
}

func sorted(seen map[string]bool) []string {
	names := []string{}
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// List has the names directly under a folder.
func (s Store) List(folder string) []string {
	seen := map[string]bool{}
	for key := range s {
		if key == folder {
			seen[path.Base(key)] = true
		} else if isUnder(terms(folder), terms(path.Dir(key))) {
			rest := strings.TrimPrefix(strings.TrimPrefix(key, folder), "/")
			seen[strings.Split(rest, "/")[0]] = true
		}
	}
	return sorted(seen)
}

// ListDir has those of them that have something under them.
func (s Store) ListDir(folder string) []string {
	seen := map[string]bool{}
	prefix := terms(folder)
	for key := range s {
		items := terms(path.Dir(key))
		if strings.HasPrefix(key, folder) && isUnder(prefix, items) && len(items) > len(prefix) {
			seen[items[len(prefix)]] = true
		}
	}
	return sorted(seen)
}
