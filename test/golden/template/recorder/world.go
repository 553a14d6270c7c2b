package main

import (
	"fmt"
	"path"
	"sort"
	"strings"
	"text/template"
	"time"
)

// world is what the functions that look outside are told instead.
type world struct {
	Env   map[string]string   `json:"env,omitempty"`
	Hosts map[string][]string `json:"hosts,omitempty"`
	Files map[string]string   `json:"files,omitempty"`
	// As time.RFC3339Nano, and the name of that zone.
	Now  string `json:"now,omitempty"`
	Zone string `json:"zone,omitempty"`
}

func (w world) addresses(host string, wanted func(string) bool) []string {
	found := []string{}
	for _, address := range w.Hosts[host] {
		if wanted(address) {
			found = append(found, address)
		}
	}
	sort.Strings(found)
	return found
}

func isIPv6(address string) bool { return strings.Contains(address, ":") }

func (w world) addTo(functions template.FuncMap) {
	functions["getenv"] = func(name string, usual ...string) string {
		if w.Env[name] == "" && len(usual) > 0 {
			return usual[0]
		}
		return w.Env[name]
	}
	functions["fileExists"] = func(name string) bool { _, there := w.Files[name]; return there }
	functions["lookupIP"] = func(host string) []string {
		return w.addresses(host, func(string) bool { return true })
	}
	functions["lookupIPV4"] = func(host string) []string {
		return w.addresses(host, func(address string) bool { return !isIPv6(address) })
	}
	functions["lookupIPV6"] = func(host string) []string { return w.addresses(host, isIPv6) }
	functions["datetime"] = func() (time.Time, error) {
		now, err := time.Parse(time.RFC3339Nano, w.Now)
		_, offset := now.Zone()
		return now.In(time.FixedZone(w.Zone, offset)), err
	}
	var including []string
	functions["include"] = func(name string, data ...interface{}) (string, error) {
		place := path.Clean(name)
		if strings.HasPrefix(place, "/") || strings.HasPrefix(place, ".") {
			return "", fmt.Errorf("include path %q is outside template directory", name)
		}
		for _, outer := range including {
			if outer == place {
				return "", fmt.Errorf("include cycle detected: %s is already being processed", place)
			}
		}
		source, there := w.Files[place]
		if !there {
			return "", fmt.Errorf("include %s: no such template", name)
		}
		including = append(including, place)
		defer func() { including = including[:len(including)-1] }()
		parsed, err := template.New(place).Funcs(functions).Parse(source)
		if err != nil {
			return "", fmt.Errorf("parse include %s: %w", name, err)
		}
		var output strings.Builder
		var dot interface{}
		if len(data) > 0 {
			dot = data[0]
		}
		if err := parsed.Execute(&output, dot); err != nil {
			return "", fmt.Errorf("execute include %s: %w", name, err)
		}
		return output.String(), nil
	}
}
