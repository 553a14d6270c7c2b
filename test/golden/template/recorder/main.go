// Command recorder asks Go itself what templates print. It reads a JSON object a line, and writes the same line with
// what came out of it in `output` or `error`, or in `output_base64` when that is not UTF-8.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"text/template"
	"unicode/utf8"

	"recorder/memkv"
)

type vector struct {
	Of             string            `json:"of,omitempty"`
	Template       string            `json:"template,omitempty"`
	TemplateBase64 string            `json:"template_base64,omitempty"`
	Data           json.RawMessage   `json:"data,omitempty"`
	Store          map[string]string `json:"store,omitempty"`
	world
	Output       *string `json:"output,omitempty"`
	OutputBase64 string  `json:"output_base64,omitempty"`
	Error        string  `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64*1024*1024)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		var asked vector
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			fmt.Fprintf(os.Stderr, "recorder: %v: %s\n", err, lines.Bytes())
			os.Exit(1)
		}
		record(&asked)
		encoder.Encode(asked)
		out.Flush()
	}
}

func record(asked *vector) {
	asked.Output, asked.OutputBase64, asked.Error = nil, "", ""
	source := asked.Template
	if asked.TemplateBase64 != "" {
		decoded, _ := base64.StdEncoding.DecodeString(asked.TemplateBase64)
		source = string(decoded)
	}
	var data interface{}
	if asked.Data != nil {
		var plain interface{}
		json.Unmarshal(asked.Data, &plain)
		data = typed(plain)
	}
	store := memkv.Store{}
	for key, value := range asked.Store {
		store[key] = value
	}
	var output bytes.Buffer
	known := functions(store)
	asked.world.addTo(known)
	parsed, err := template.New("t").Funcs(known).Parse(source)
	if err == nil {
		err = parsed.Execute(&output, data)
	}
	if err != nil {
		asked.Error = err.Error()
		return
	}
	text := output.String()
	if utf8.ValidString(text) {
		asked.Output = &text
	} else {
		asked.OutputBase64 = base64.StdEncoding.EncodeToString(output.Bytes())
	}
}

// typed turns {"$int": 3} and kin into the Go types that JSON has no form for.
func typed(plain interface{}) interface{} {
	switch value := plain.(type) {
	case []interface{}:
		list := make([]interface{}, len(value))
		for i, each := range value {
			list[i] = typed(each)
		}
		return list
	case map[string]interface{}:
		if len(value) == 1 {
			for tag, content := range value {
				if special := tagged(tag, content); special != nil {
					return special
				}
			}
		}
		entries := map[string]interface{}{}
		for key, each := range value {
			entries[key] = typed(each)
		}
		return entries
	}
	return plain
}

func tagged(tag string, content interface{}) interface{} {
	switch tag {
	case "$int":
		return int(content.(float64))
	case "$strings":
		// Of exactly that capacity: how far a slice may be sliced again depends on it.
		list := make([]string, len(content.([]interface{})))
		for i, each := range content.([]interface{}) {
			list[i] = each.(string)
		}
		return list
	case "$kvs":
		list := memkv.KVPairs{}
		for _, each := range content.([]interface{}) {
			pair := each.([]interface{})
			list = append(list, memkv.KVPair{Key: pair[0].(string), Value: pair[1].(string)})
		}
		return list
	case "$texts":
		entries := map[string]string{}
		for key, each := range content.(map[string]interface{}) {
			entries[key] = each.(string)
		}
		return entries
	}
	return nil
}
